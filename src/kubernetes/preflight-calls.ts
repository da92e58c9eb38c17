import type { RequestOptions } from 'node:https';
import type { AuthorizationV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { errorCode } from '../observability/error-code.ts';
import { Secret } from '../observability/secret.ts';
import { fieldOf } from './api-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { type Call, readAccessReview, type Signalled } from './operator-calls.ts';

/** What somebody may do, as RBAC names it. */
export interface OwnAccess {
  readonly verb: string;
  /** Empty: the core group. */
  readonly group: string;
  readonly resource: string;
  /** undefined: in all of them. */
  readonly namespace?: string;
  /** Of one object. */
  readonly name?: string;
}

export interface NamespaceView {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What only `kerbridge check` asks. Rejects with KubernetesApiError, or with the reason of an aborted signal. */
export interface PreflightCalls {
  /** SelfSubjectAccessReview: may we ourselves? Whoever is somebody may ask. */
  readonly reviewOwnAccess: (access: OwnAccess, options?: Signalled) => Promise<boolean>;
  /** All that the selector selects, `labelSelector` as in `kubectl -l`. `list` on `namespaces`. */
  readonly listNamespaces: (labelSelector: string, options?: Signalled) => Promise<readonly NamespaceView[]>;
  /** The bearer token of our own calls; undefined if they show something else (a certificate). */
  readonly readOwnToken: () => Promise<Secret<string> | undefined>;
}

const PAGE = 500;

export function createPreflightCalls({
  call,
  coreApi,
  authorizationApi,
  kubeConfig,
}: {
  readonly call: Call;
  readonly coreApi: CoreV1Api;
  readonly authorizationApi: AuthorizationV1Api;
  readonly kubeConfig: KubeConfig;
}): PreflightCalls {
  const reviewOwnAccess: PreflightCalls['reviewOwnAccess'] = async (access, { signal } = {}) => {
    const rule = '`create` on `selfsubjectaccessreviews` of `authorization.k8s.io`';
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { ...access } },
    };
    const review = await call({ request: 'SelfSubjectAccessReview', rule }, signal, (callOptions) =>
      authorizationApi.createSelfSubjectAccessReview({ body }, callOptions),
    );
    return readAccessReview(review).allowed;
  };

  const listNamespaces: PreflightCalls['listNamespaces'] = async (labelSelector, { signal } = {}) => {
    const found: NamespaceView[] = [];
    let next: string | undefined;
    do {
      const page = await call(
        { request: 'LIST namespaces', rule: '`list` on `namespaces`' },
        signal,
        (callOptions) =>
          coreApi.listNamespace(
            { labelSelector, limit: PAGE, ...(next === undefined ? {} : { _continue: next }) },
            callOptions,
          ),
      );
      const items = fieldOf(page, 'items');
      if (!Array.isArray(items)) throw badReply('a list of namespaces without items');
      found.push(...items.map(readNamespace));
      const token = fieldOf(fieldOf(page, 'metadata'), '_continue');
      next = typeof token === 'string' && token !== '' ? token : undefined;
    } while (next !== undefined);
    return found;
  };

  const readOwnToken: PreflightCalls['readOwnToken'] = async () => {
    const applied: RequestOptions & { headers: Record<string, string> } = { headers: {} };
    try {
      await kubeConfig.applyToHTTPSOptions(applied);
    } catch (error) {
      // Without the message: an exec plugin's has its output.
      throw new KubernetesApiError(
        'credentials',
        `cannot get our own Kubernetes credentials: ${errorCode(error)}`,
      );
    }
    const bearer = /^Bearer (?<shown>\S+)\s*$/.exec(applied.headers['Authorization'] ?? '')?.groups?.[
      'shown'
    ];
    return bearer === undefined ? undefined : new Secret(bearer);
  };

  return { reviewOwnAccess, listNamespaces, readOwnToken };
}

function readNamespace(item: unknown): NamespaceView {
  const metadata = fieldOf(item, 'metadata');
  const name = fieldOf(metadata, 'name');
  const labels = Object.entries(fieldOf(metadata, 'labels') ?? {});
  if (
    typeof name !== 'string' ||
    !labels.every((entry): entry is [string, string] => typeof entry[1] === 'string')
  ) {
    throw badReply('a malformed namespace');
  }
  return { name, labels: Object.fromEntries(labels) };
}

function badReply(what: string): KubernetesApiError {
  return new KubernetesApiError('bad-reply', `the Kubernetes API sent ${what}`);
}
