import type { CallDescription } from '../error-of-status.ts';

/** What is listed and watched. */
export interface ObjectKind<T> {
  /** `kind` of one object, for example `Pod`; of a list it is this and `List`. */
  readonly kind: string;
  /** As a path has it and as RBAC names it, for example `pods`. */
  readonly resource: string;
  /** undefined: of all namespaces. */
  readonly namespace?: string;
  /** From what came over the wire. Throws KubernetesApiError `bad-reply`. */
  readonly read: (object: unknown) => T;
}

/** What takes LIST and WATCH, which go together. */
export function ruleFor(
  request: string,
  { resource, namespace }: Pick<ObjectKind<unknown>, 'resource' | 'namespace'>,
): CallDescription {
  const rule = `\`list\` and \`watch\` on \`${resource}\``;
  if (namespace === undefined) return { request, rule };
  const inNamespace = `${rule} in namespace \`${namespace}\``;
  return {
    request,
    rule: inNamespace,
    fixes: { 403: `grant our service account ${inNamespace} with a Role` },
  };
}
