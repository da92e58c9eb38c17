import type { OperatorCalls } from '../kubernetes/operator-calls.ts';
import { KubernetesApiError } from '../kubernetes/kubernetes-api-error.ts';
import type { Clock } from '../time/clock.ts';
import { clockFinding } from './clock-skew.ts';
import type { Finding } from './finding.ts';
import { failed } from './say.ts';

/** The clock of the API server, by the Date of a reply: service-account tokens and pods' times are by it. */
export async function checkApiClock(
  { server, whoAmI, serverTime }: Pick<OperatorCalls, 'whoAmI' | 'serverTime'> & { readonly server: string },
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const id = 'clock-api-server';
  const whose = `the API server ${server}`;
  try {
    // Twice: the first reply may have waited for TLS.
    await whoAmI({ signal });
    const askedAt = clock.now();
    await whoAmI({ signal });
    return [clockFinding({ id, whose, serverTime: serverTime(), askedAt, answeredAt: clock.now() })];
  } catch (error) {
    if (!(error instanceof KubernetesApiError)) throw error;
    const fix = error.fix ?? 'See that the API server answers (kubectl get --raw /livez)';
    return [failed({ id, title: `Clock of ${whose}` }, error.message, fix)];
  }
}
