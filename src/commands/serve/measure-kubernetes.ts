import {
  type GetPod,
  KubernetesQueueError,
  type LookUpPod,
  type ReviewServiceAccountToken,
} from '../../authentication/kubernetes-access.ts';
import type { BoundedQueue } from '../../concurrency/bounded-queue.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';

/** The same review, counted and timed. */
export function measureReviews(
  review: ReviewServiceAccountToken,
  {
    metrics,
    clock,
  }: { readonly metrics: Pick<Metrics, 'tokenReviews' | 'tokenReviewDuration'>; readonly clock: Clock },
): ReviewServiceAccountToken {
  return async (...question) => {
    const startedAt = clock.now();
    let outcome = 'could-not-check';
    try {
      const answer = await review(...question);
      outcome = answer.authenticated ? 'authenticated' : 'refused';
      return answer;
    } finally {
      metrics.tokenReviews.inc({ outcome });
      metrics.tokenReviewDuration.observe((clock.now() - startedAt) / 1000);
    }
  };
}

/** The same look at the reflector, counted. */
export function countLookUps(lookUpPod: LookUpPod, metrics: Pick<Metrics, 'podLookUps'>): LookUpPod {
  const counts = metrics.podLookUps.tallyBy((result: 'found' | 'not-found') => ({
    source: 'reflector',
    result,
  }));
  return (namespace, name) => {
    const pod = lookUpPod(namespace, name);
    counts.inc(pod === undefined ? 'not-found' : 'found');
    return pod;
  };
}

/** The same look at a live pod, counted. */
export function countGets(getPod: GetPod, metrics: Pick<Metrics, 'podLookUps'>): GetPod {
  return async (...question) => {
    let result = 'failed';
    try {
      const pod = await getPod(...question);
      result = pod === undefined ? 'not-found' : 'found';
      return pod;
    } finally {
      metrics.podLookUps.inc({ source: 'live', result });
    }
  };
}

/** Shows the queue, which has one lane. */
export function observeQueue<Queue extends Pick<BoundedQueue, 'running' | 'waiting'>>(
  queue: string,
  bounded: Queue,
  metrics: Pick<Metrics, 'queueRunning' | 'queueWaiting'>,
): Queue {
  metrics.queueRunning.observe(() => bounded.running, { queue });
  metrics.queueWaiting.observe(() => bounded.waiting, { queue, lane: 'all' });
  return bounded;
}

/** The same call; when a queue of ours turned it away, that is counted. */
export function countTurnedAway<Args extends unknown[], T>(
  queue: string,
  call: (...args: Args) => Promise<T>,
  metrics: Pick<Metrics, 'queueRejected'>,
): (...args: Args) => Promise<T> {
  return async (...args) => {
    try {
      return await call(...args);
    } catch (error) {
      if (error instanceof KubernetesQueueError) {
        const isFull = error.cause instanceof Error && error.cause.name === 'QueueFullError';
        metrics.queueRejected.inc({ queue, reason: isFull ? 'full' : 'timed-out' });
      }
      throw error;
    }
  };
}
