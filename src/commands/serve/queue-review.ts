import type { ReviewServiceAccountToken } from '../../authentication/kubernetes-access.ts';
import { type QueuedCallOptions, runQueued } from '../../authentication/queued-call.ts';

/** The same review, behind a queue. Rejects with KubernetesQueueError too: nobody was asked. */
export function queueReview(
  review: ReviewServiceAccountToken,
  options: QueuedCallOptions,
): ReviewServiceAccountToken {
  return async (serviceAccountToken, audiences, { signal: caller } = {}) =>
    await runQueued(
      'TokenReview',
      (signal) => review(serviceAccountToken, audiences, { signal }),
      options,
      caller,
    );
}
