import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { Finding } from '../finding.ts';
import { ok } from '../say.ts';
import { explainKubernetes } from './explain-kubernetes.ts';

export const API_SERVER = { id: 'api-server', title: 'Kubernetes API server' };

export interface ApiServerResult {
  readonly findings: readonly Finding[];
  /** Who we are to the API server; undefined if it didn't say. */
  readonly username: string | undefined;
}

/** Whether the API server can be reached and knows us. */
export async function checkApiServer(
  { server, whoAmI }: Pick<KubernetesApi, 'server' | 'whoAmI'>,
  signal: AbortSignal,
): Promise<ApiServerResult> {
  const subject = { ...API_SERVER, title: `${API_SERVER.title} ${server}` };
  try {
    const username = await whoAmI({ signal });
    return { findings: [ok(subject, `answers, and knows us as ${username}`)], username };
  } catch (error) {
    const fallback = 'See that the API server answers (kubectl get --raw /livez)';
    return { findings: [explainKubernetes(subject, error, fallback)], username: undefined };
  }
}
