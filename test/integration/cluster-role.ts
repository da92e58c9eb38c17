import type { ApiCaller } from './api-caller.ts';

/** As RBAC has them: `{ kind: 'ServiceAccount', namespace, name }`, `{ kind: 'Group', name, apiGroup }`. */
export type Subject = Readonly<Record<string, string>>;

/** A ClusterRole of that name with these rules, for these. */
export async function grantClusterRole(
  api: ApiCaller,
  name: string,
  { rules, subjects }: { readonly rules: readonly object[]; readonly subjects: readonly Subject[] },
): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const metadata = { name };
  await api.must(`${rbac}/clusterroles`, { method: 'POST', body: { metadata, rules } });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  await api.must(`${rbac}/clusterrolebindings`, { method: 'POST', body: { metadata, roleRef, subjects } });
}
