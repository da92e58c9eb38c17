import type { ConfigProblem } from '../../config/config-problem.ts';
import { type KubernetesApi, loadKubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';

export interface KubernetesSettings {
  readonly kubernetes: { readonly kubeconfig: string | undefined; readonly context: string | undefined };
  readonly limits: { readonly kubernetesCallTimeoutMs: number };
}

/** Connects to nothing yet. undefined: `problems` says why. */
export function openKubernetes(
  { kubernetes: { kubeconfig, context }, limits }: KubernetesSettings,
  problems: ConfigProblem[],
): KubernetesApi | undefined {
  try {
    return loadKubernetesApi({
      timeoutMs: limits.kubernetesCallTimeoutMs,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
    });
  } catch (error) {
    if (!(error instanceof KubernetesApiError)) throw error;
    const fix = error.fix === undefined ? '' : `; ${error.fix}`;
    problems.push({ path: 'kubernetes', message: `${error.message}${fix}` });
    return undefined;
  }
}
