import type { ApiCaller, ApiObject } from './api-caller.ts';

/**
 * A Node that is Ready though no kubelet runs: DaemonSets put a pod on it. The taint that every Node is born with
 * (TaintNodesByCondition) is taken away by hand, as the controller that does it would take this Node for dead.
 */
export async function createReadyNode(api: ApiCaller, name: string): Promise<ApiObject> {
  const node = await api.must('/api/v1/nodes', { method: 'POST', body: { metadata: { name } } });
  const untaint = { method: 'PATCH', kind: 'merge', body: { spec: { taints: null } } } as const;
  await api.must(`/api/v1/nodes/${name}`, untaint);
  const conditions = [{ type: 'Ready', status: 'True', reason: 'NoKubelet', message: 'a test says so' }];
  const ready = { method: 'PATCH', kind: 'strategic', body: { status: { conditions } } } as const;
  await api.must(`/api/v1/nodes/${name}/status`, ready);
  return node;
}
