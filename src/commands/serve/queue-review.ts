import {
  KubernetesQueueError,
  type ReviewServiceAccountToken,
} from '../../authentication/kubernetes-access.ts';
import { queuedCallLimits } from '../../authentication/queued-call-limits.ts';
import { type BoundedQueue, QueueFullError, QueueTimeoutError } from '../../concurrency/bounded-queue.ts';
import { withDeadline } from '../../concurrency/deadline.ts';
import type { Clock } from '../../time/clock.ts';

export interface QueueReviewOptions {
  readonly queue: BoundedQueue;
  readonly clock: Clock;
  /** For one call; see `queuedCallLimits` for the wait before it. */
  readonly callTimeoutMs: number;
}

/** The same review, behind a queue. Rejects with KubernetesQueueError too: nobody was asked. */
export function queueReview(
  review: ReviewServiceAccountToken,
  { queue, clock, callTimeoutMs }: QueueReviewOptions,
): ReviewServiceAccountToken {
  const { maxWaitMs, timeoutMs } = queuedCallLimits(callTimeoutMs);
  const onTimeout = () => new Error(`no answer to a TokenReview within ${timeoutMs} ms`);
  return async (serviceAccountToken, audiences, { signal: caller } = {}) => {
    try {
      return await withDeadline({ clock, timeoutMs, signal: caller, onTimeout }, (signal) =>
        queue.run(() => review(serviceAccountToken, audiences, { signal }), { signal, maxWaitMs }),
      );
    } catch (error) {
      if (error instanceof QueueFullError || error instanceof QueueTimeoutError)
        throw new KubernetesQueueError(`TokenReview: ${error.message}`, { cause: error });
      throw error;
    }
  };
}
