import { type BoundedQueue, QueueFullError, QueueTimeoutError } from '../concurrency/bounded-queue.ts';
import { withDeadline } from '../concurrency/deadline.ts';
import type { Clock } from '../time/clock.ts';
import { KubernetesQueueError } from './kubernetes-access.ts';
import { queuedCallLimits } from './queued-call-limits.ts';

export interface QueuedCallOptions {
  readonly queue: BoundedQueue;
  readonly clock: Clock;
  /** For one call; see `queuedCallLimits` for the wait before it. */
  readonly callTimeoutMs: number;
  /** For the turn in the queue, as long as others are answered; default: half of the time for the call. */
  readonly longestWaitMs?: number | undefined;
}

/**
 * Runs a call to the Kubernetes API behind a queue of ours. Rejects with KubernetesQueueError when nobody was asked, with
 * what the call rejects with, or with the reason of the caller's signal.
 * @param request what is asked, for the operator: `TokenReview`, `GET pod`
 */
export async function runQueued<T>(
  request: string,
  call: (signal: AbortSignal) => Promise<T>,
  { queue, clock, callTimeoutMs, longestWaitMs }: QueuedCallOptions,
  caller?: AbortSignal,
): Promise<T> {
  const { maxWaitMs, maxQuietMs, timeoutMs } = queuedCallLimits(callTimeoutMs, longestWaitMs);
  const onTimeout = () => new Error(`${request}: no answer within ${timeoutMs} ms`);
  try {
    return await withDeadline({ clock, timeoutMs, signal: caller, onTimeout }, (signal) =>
      queue.run(() => call(signal), { signal, maxWaitMs, maxQuietMs }),
    );
  } catch (error) {
    if (error instanceof QueueFullError || error instanceof QueueTimeoutError)
      throw new KubernetesQueueError(`${request}: ${error.message}`, { cause: error });
    throw error;
  }
}
