import type { ServeConfig, ServeConfigSections } from '../../config/serve-config.ts';
import { loadKubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import { checkApiClock } from '../../preflight/check-api-clock.ts';
import type { Check } from '../../preflight/check.ts';
import { failed } from '../../preflight/say.ts';
import type { Clock } from '../../time/clock.ts';

/** The Kubernetes side, with the credentials that `serve` has. */
export function kubernetesChecks(
  { kubernetes }: ServeConfigSections,
  { limits, clock }: { readonly limits: ServeConfig['limits']; readonly clock: Clock },
): readonly Check[] {
  if (kubernetes === undefined) return [];
  const { kubeconfig, context } = kubernetes;
  const clockCheck: Check = {
    id: 'clock-api-server',
    title: 'Clock of the API server',
    run: async (signal) => {
      try {
        const api = loadKubernetesApi({
          timeoutMs: limits.kubernetesCallTimeoutMs,
          ...(kubeconfig === undefined ? {} : { kubeconfig }),
          ...(context === undefined ? {} : { context }),
        });
        return await checkApiClock(api, clock, signal).finally(() => api.close());
      } catch (error) {
        if (!(error instanceof KubernetesApiError)) throw error;
        const fix = error.fix ?? 'Correct kubernetes.kubeconfig and kubernetes.context';
        return [failed(clockCheck, error.message, fix)];
      }
    },
  };
  return [clockCheck];
}
