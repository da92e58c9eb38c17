import type { OwnAccess } from '../../kubernetes/preflight-calls.ts';

/** A right that `serve` needs, and what it can't do without. */
export interface Right {
  readonly access: OwnAccess;
  readonly for: string;
  /** False: only a part of it needs the right. */
  readonly essential: boolean;
}

/** All that `serve` needs of RBAC (docs/configuration.md, "Rights in Kubernetes"); a test holds that it is all. */
export function rightsOfServe({
  revocations,
  tokensNamespace,
}: {
  /** Its ConfigMap. */
  readonly revocations: { readonly namespace: string; readonly name: string };
  /** Where the tokens are kept. */
  readonly tokensNamespace: string;
}): Right[] {
  const pods = (verb: string, purpose: string): Right => ({
    access: { verb, group: '', resource: 'pods' },
    for: purpose,
    essential: true,
  });
  // Of all Secrets of that namespace: RBAC knows no types, and no names that are yet to be.
  const secrets = (verb: string, purpose: string): Right => ({
    access: { verb, group: '', resource: 'secrets', namespace: tokensNamespace },
    for: purpose,
    essential: true,
  });
  return [
    {
      access: { verb: 'create', group: 'authentication.k8s.io', resource: 'tokenreviews' },
      for: 'nobody can be authenticated',
      essential: true,
    },
    pods('get', 'no pod can be looked up'),
    pods('list', 'the pods are never known, and a replica never becomes ready'),
    pods('watch', 'the pods are never known, and a replica never becomes ready'),
    {
      access: { verb: 'get', group: '', resource: 'configmaps', ...revocations },
      for: 'the revocations are not known, and everybody is refused',
      essential: true,
    },
    secrets('get', 'no token can be kept, so none is fetched'),
    secrets('list', 'the tokens are never known, and a replica never becomes ready'),
    secrets('watch', 'the tokens are never known, and a replica never becomes ready'),
    secrets('create', 'no token can be kept, so none is fetched'),
    secrets('update', 'no token can be kept beside another, nor be retired'),
    secrets('delete', 'what is left of tokens that are gone is never cleared away'),
    {
      access: { verb: 'create', group: 'authorization.k8s.io', resource: 'subjectaccessreviews' },
      for: '`kerbridge tokens` does not work; nothing else needs it',
      essential: false,
    },
  ];
}

/** `pods/watch`; what a finding is named by. */
export const rightName = ({ verb, resource }: OwnAccess): string => `${resource}/${verb}`;

/** In words, and as commands that an administrator can run as they stand. */
export function grantFix(access: OwnAccess, username: string): string {
  const { verb, group, resource, namespace, name } = access;
  const scoped = namespace !== undefined;
  const kind = scoped ? 'role' : 'clusterrole';
  const role = `kerbridge-${resource}-${verb}`;
  const of = group === '' ? '' : ` of \`${group}\``;
  const what = `\`${verb}\` on \`${resource}\`${of}${name === undefined ? '' : ` (name \`${name}\`)`}`;
  const kubectl = scoped ? `kubectl -n ${namespace}` : 'kubectl';
  const named = name === undefined ? '' : ` --resource-name=${name}`;
  const create = `${kubectl} create ${kind} ${role} --verb=${verb} --resource=${resource}${group === '' ? '' : `.${group}`}${named}`;
  const bind = `${kubectl} create ${kind}binding ${role} --${kind}=${role} ${subjectOption(username)}`;
  const where = scoped ? `with a Role in namespace \`${namespace}\`` : 'with a ClusterRole';
  return `Grant ${username} ${what} ${where}: ${create} && ${bind}`;
}

export function subjectOption(username: string): string {
  const account = /^system:serviceaccount:(?<namespace>[^:]+):(?<name>[^:]+)$/.exec(username)?.groups;
  if (account === undefined) return `--user='${username.replaceAll("'", String.raw`'\''`)}'`;
  return `--serviceaccount=${account['namespace']}:${account['name']}`;
}
