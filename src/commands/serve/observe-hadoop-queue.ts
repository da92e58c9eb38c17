import type { SpnegoSessions } from '../../hadoop/http/spnego-sessions.ts';
import type { Metrics } from '../../observability/metrics.ts';
import { observeQueue } from './measure-kubernetes.ts';

/** Shows the queues before the daemons of one cluster as one: addresses of daemons are no labels. */
export function observeHadoopQueue(
  cluster: string,
  sessions: Pick<SpnegoSessions, 'loads'>,
  metrics: Pick<Metrics, 'queueRunning' | 'queueWaiting'>,
): void {
  const sum = (of: 'running' | 'waiting'): number =>
    sessions.loads.reduce((total, load) => total + load[of], 0);
  const queue = {
    get running() {
      return sum('running');
    },
    get waiting() {
      return sum('waiting');
    },
  };
  observeQueue(`hadoop/${cluster}`, queue, metrics);
}
