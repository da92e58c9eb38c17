import { Secret } from '../../src/observability/secret.ts';
import type { ApiCaller, ApiObject } from './api-caller.ts';

export interface RunPodOptions {
  /** Must exist; see `createReadyNode`. */
  readonly node: string;
  /** Of its projected token. */
  readonly audience: string;
  readonly serviceAccount?: string;
}

/** What scheduler and kubelet do; resolves to the token that the pod then finds in its volume. */
export async function runPod(
  api: ApiCaller,
  pod: ApiObject,
  { node, audience, serviceAccount = 'default' }: RunPodOptions,
): Promise<Secret<string>> {
  const kubelet = { user: `system:node:${node}`, groups: ['system:nodes'] };
  const { name = '', uid, ...rest } = pod.metadata ?? {};
  const namespace = String(rest['namespace']);
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const target = { apiVersion: 'v1', kind: 'Node', name: node };
  await api.must(`${path}/binding`, { method: 'POST', body: { metadata: { name }, target } });
  const status = { phase: 'Running', podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] };
  await api.must(`${path}/status`, { method: 'PATCH', kind: 'merge', body: { status } }, kubelet);
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid };
  const requested = await api.must(
    `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
    { method: 'POST', body: { spec: { audiences: [audience], expirationSeconds: 3600, boundObjectRef } } },
    kubelet,
  );
  return tokenIn(requested);
}

/** @throws Error unless it is the answer to a TokenRequest. */
export function tokenIn(requested: ApiObject): Secret<string> {
  const { status } = requested as { status?: { token?: string } };
  if (status?.token === undefined) throw new Error('TokenRequest without a token');
  return new Secret(status.token);
}
