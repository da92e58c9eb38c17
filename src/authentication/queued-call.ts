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

/** What is asked, and for whom. */
export interface QueuedRequest {
  /** For the operator: `TokenReview`, `GET pod`. */
  readonly name: string;
  /** Namespaces take turns. undefined: for an operator. */
  readonly namespace: string | undefined;
}

/**
 * Runs a call to the Kubernetes API behind a queue of ours. Rejects with KubernetesQueueError when nobody was asked, with
 * what the call rejects with, or with the reason of the caller's signal.
 */
export async function runQueued<T>(
  { name, namespace }: QueuedRequest,
  call: (signal: AbortSignal) => Promise<T>,
  { queue, clock, callTimeoutMs, longestWaitMs }: QueuedCallOptions,
  caller?: AbortSignal,
): Promise<T> {
  const { maxWaitMs, maxQuietMs, timeoutMs } = queuedCallLimits(callTimeoutMs, longestWaitMs);
  const party = namespace ?? '';
  const onTimeout = () => new Error(`${name}: no answer within ${timeoutMs} ms`);
  try {
    return await withDeadline({ clock, timeoutMs, signal: caller, onTimeout }, (signal) =>
      queue.run(() => call(signal), { signal, maxWaitMs, maxQuietMs, party }),
    );
  } catch (error) {
    if (error instanceof QueueFullError || error instanceof QueueTimeoutError)
      throw new KubernetesQueueError(`${name}: ${error.message}`, { cause: error });
    throw error;
  }
}
