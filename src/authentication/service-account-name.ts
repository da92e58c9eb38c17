/** RFC 1123 label and subdomain, as the API server demands of namespaces and of names of service accounts and pods. */
const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
export const DNS_SUBDOMAIN =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

export interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}

/** `system:serviceaccount:<namespace>:<name>`, exactly: any other user may have colons in its name too. */
export function parseServiceAccountName(username: string): ServiceAccountName | undefined {
  const [system, kind, namespace, name, ...more] = username.split(':', 5);
  if (system !== 'system' || kind !== 'serviceaccount') return undefined;
  if (namespace === undefined || name === undefined || more.length > 0) return undefined;
  if (!DNS_LABEL.test(namespace) || !DNS_SUBDOMAIN.test(name)) return undefined;
  return { namespace, name };
}
