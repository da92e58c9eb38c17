import type { ReviewServiceAccountToken } from '../../authentication/kubernetes-access.ts';
import { type QueuedCallOptions, runQueued } from '../../authentication/queued-call.ts';

/** The same review of an operator's token, behind a queue. Rejects with KubernetesQueueError too: nobody was asked. */
export function queueReview(
  review: ReviewServiceAccountToken,
  options: QueuedCallOptions,
): ReviewServiceAccountToken {
  return async (serviceAccountToken, audiences, { signal: caller } = {}) =>
    await runQueued(
      { name: 'TokenReview', namespace: undefined },
      (signal) => review(serviceAccountToken, audiences, { signal }),
      options,
      caller,
    );
}
