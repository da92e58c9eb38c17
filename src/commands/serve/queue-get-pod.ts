import type { GetPod } from '../../authentication/kubernetes-access.ts';
import { KubernetesQueueError } from '../../authentication/kubernetes-access.ts';
import { queuedCallLimits } from '../../authentication/queued-call-limits.ts';
import { type BoundedQueue, QueueFullError, QueueTimeoutError } from '../../concurrency/bounded-queue.ts';
import { withDeadline } from '../../concurrency/deadline.ts';
import type { Clock } from '../../time/clock.ts';

export interface QueueGetPodOptions {
  readonly queue: BoundedQueue;
  readonly clock: Clock;
  /** For one call; see `queuedCallLimits` for the wait before it. */
  readonly callTimeoutMs: number;
}

/** The same look at a pod, behind a queue. Rejects with KubernetesQueueError too: nobody was asked. */
export function queueGetPod(getPod: GetPod, { queue, clock, callTimeoutMs }: QueueGetPodOptions): GetPod {
  const { maxWaitMs, timeoutMs } = queuedCallLimits(callTimeoutMs);
  return async (namespace, name, { signal: caller } = {}) => {
    const onTimeout = () => new Error(`no answer about a pod within ${timeoutMs} ms`);
    try {
      return await withDeadline({ clock, timeoutMs, signal: caller, onTimeout }, (signal) =>
        queue.run(() => getPod(namespace, name, { signal }), { signal, maxWaitMs }),
      );
    } catch (error) {
      if (error instanceof QueueFullError || error instanceof QueueTimeoutError)
        throw new KubernetesQueueError(`GET pod: ${error.message}`, { cause: error });
      throw error;
    }
  };
}
