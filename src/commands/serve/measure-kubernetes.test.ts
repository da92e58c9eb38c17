import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import {
  KubernetesQueueError,
  type PodView,
  type ServiceAccountTokenReview,
} from '../../authentication/kubernetes-access.ts';
import { BoundedQueue, QueueFullError, QueueTimeoutError } from '../../concurrency/bounded-queue.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { Secret } from '../../observability/secret.ts';
import {
  countGets,
  countLookUps,
  countTurnedAway,
  measureReviews,
  observeQueue,
} from './measure-kubernetes.ts';

const POD = { namespace: 'team-a', name: 'p' } as PodView;
const TOKEN = new Secret('t');

function start() {
  const metrics = createMetrics({ version: '0', processMetrics: false });
  /** Lines of that metric, without those of comment. */
  const shown = async (name: string): Promise<string[]> =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(name));
  return { metrics, clock: new FakeClock(), shown };
}

describe('measureReviews', () => {
  const yes: ServiceAccountTokenReview = {
    authenticated: true,
    audiences: ['kerbridge'],
    username: 'system:serviceaccount:team-a:default',
    uid: 'u',
    groups: [],
    extra: {},
  };

  it.each([
    ['could-not-check', new Error('no answer')],
    ['refused', { authenticated: false, error: 'no' } as const],
    ['authenticated', yes],
  ])('counts %s and takes the time', async (outcome, answer) => {
    const { metrics, clock, shown } = start();
    const asked: unknown[] = [];
    const review = measureReviews(
      async (...question) => {
        asked.push(question);
        await clock.advance(250);
        if (answer instanceof Error) throw answer;
        return answer;
      },
      { metrics, clock },
    );
    const options = { signal: new AbortController().signal };
    const got: unknown = await review(TOKEN, ['kerbridge'], options).catch((error: unknown) => error);
    expect(got).toBe(answer);
    expect(asked).toEqual([[TOKEN, ['kerbridge'], options]]);
    expect(await shown('kerbridge_token_reviews_total')).toEqual([
      `kerbridge_token_reviews_total{outcome="${outcome}"} 1`,
    ]);
    expect(await shown('kerbridge_token_review_duration_seconds_sum')).toEqual([
      'kerbridge_token_review_duration_seconds_sum 0.25',
    ]);
  });
});

describe('countLookUps', () => {
  it.each([
    ['not-found', undefined],
    ['found', POD],
  ])('counts %s', async (result, pod) => {
    const { metrics, shown } = start();
    const asked: unknown[] = [];
    const lookUp = countLookUps((...question) => {
      asked.push(question);
      return pod;
    }, metrics);
    expect(lookUp('team-a', 'p')).toBe(pod);
    expect(asked).toEqual([['team-a', 'p']]);
    expect(await shown('kerbridge_pod_lookups_total')).toEqual([
      `kerbridge_pod_lookups_total{source="reflector",result="${result}"} 1`,
    ]);
  });
});

describe('countGets', () => {
  it.each([
    ['failed', new Error('no answer')],
    ['not-found', undefined],
    ['found', POD],
  ])('counts %s', async (result, answer) => {
    const { metrics, shown } = start();
    const asked: unknown[] = [];
    const getPod = countGets((...question) => {
      asked.push(question);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    }, metrics);
    const options = { signal: new AbortController().signal };
    expect(await getPod('team-a', 'p', options).catch((error: unknown) => error)).toBe(answer);
    expect(asked).toEqual([['team-a', 'p', options]]);
    expect(await shown('kerbridge_pod_lookups_total')).toEqual([
      `kerbridge_pod_lookups_total{source="live",result="${result}"} 1`,
    ]);
  });
});

describe('observeQueue', () => {
  it('shows how many run and how many wait', async () => {
    const { metrics, clock, shown } = start();
    const queue = observeQueue('pod', new BoundedQueue({ clock, inFlight: 2, waiting: 9 }), metrics);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const calls = Array.from({ length: 5 }, () => queue.run(() => promise));
    await settle();
    const gauges = async () => [
      ...(await shown('kerbridge_queue_running')),
      ...(await shown('kerbridge_queue_waiting')),
    ];
    expect(await gauges()).toEqual([
      'kerbridge_queue_running{queue="pod"} 2',
      'kerbridge_queue_waiting{queue="pod",lane="all"} 3',
    ]);
    resolve(undefined);
    await Promise.all(calls);
    expect(await gauges()).toEqual([
      'kerbridge_queue_running{queue="pod"} 0',
      'kerbridge_queue_waiting{queue="pod",lane="all"} 0',
    ]);
  });
});

describe('countTurnedAway', () => {
  const turnedAway = (cause: Error) => new KubernetesQueueError('pod', { cause });
  const rejected = (reason: string) => [`kerbridge_queue_rejected_total{queue="pod",reason="${reason}"} 1`];

  it.each([
    ['a full queue', turnedAway(new QueueFullError('x')), rejected('full')],
    ['a wait that was too long', turnedAway(new QueueTimeoutError('x')), rejected('timed-out')],
    ['a call that failed: not', new Error('x'), []],
    ['an error with the name of a full queue: not', new QueueFullError('x'), []],
  ])('counts %s', async (_name, error, lines) => {
    const { metrics, shown } = start();
    const call = countTurnedAway('pod', () => Promise.reject(error), metrics);
    await expect(call()).rejects.toBe(error);
    expect(await shown('kerbridge_queue_rejected_total')).toEqual(lines);
  });

  it('hands on question and answer', async () => {
    const { metrics, shown } = start();
    const call = countTurnedAway('pod', (a: number, b: number) => Promise.resolve([a, b]), metrics);
    expect(await call(1, 2)).toEqual([1, 2]);
    expect(await shown('kerbridge_queue_rejected_total')).toEqual([]);
  });
});
