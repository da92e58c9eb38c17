import { type KubernetesApi, loadKubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { KubernetesOptions } from './operator-command.ts';

/** The Kubernetes API of a kubeconfig, for that long. Rejects with KubernetesApiError `configuration`, or as `use` does. */
export async function withKubernetes<T>(
  source: KubernetesOptions,
  use: (kubernetes: KubernetesApi) => Promise<T>,
): Promise<T> {
  const kubernetes = loadKubernetesApi(source);
  try {
    return await use(kubernetes);
  } finally {
    kubernetes.close();
  }
}
