import type { Urgency } from '../../delegation-tokens/token-service.ts';
import type { SpnegoSessions } from '../../hadoop/http/spnego-sessions.ts';
import type { Metrics } from '../../observability/metrics.ts';

const LANES: readonly Urgency[] = ['renewal', 'issue', 'cancel'];
const BREAKER_STATES = { closed: 0, 'half-open': 1, open: 2 };

/** Shows the queues before the daemons of one cluster as one, and of each daemon if it answers. */
export function observeHadoopQueue(
  cluster: string,
  {
    sessions,
    origins,
    metrics,
  }: {
    readonly sessions: Pick<SpnegoSessions, 'loads'>;
    /** Of all daemons, as in their addresses: `scheme://host:port`. */
    readonly origins: readonly string[];
    readonly metrics: Pick<Metrics, 'queueRunning' | 'queueWaiting' | 'hadoopBreakerState'>;
  },
): void {
  const queue = `hadoop/${cluster}`;
  metrics.queueRunning.observe(() => sum(sessions.loads.map(({ running }) => running)), { queue });
  for (const lane of LANES) {
    const read = () => sum(sessions.loads.map(({ waiting }) => waiting[lane]));
    metrics.queueWaiting.observe(read, { queue, lane });
  }
  for (const endpoint of new Set(origins)) {
    // One that was not asked yet has not failed either.
    const read = () =>
      BREAKER_STATES[sessions.loads.find(({ origin }) => origin === endpoint)?.breaker ?? 'closed'];
    metrics.hadoopBreakerState.observe(read, { cluster, endpoint });
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
