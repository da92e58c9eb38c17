import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import {
  KubernetesQueueError,
  type ReviewServiceAccountToken,
  type ServiceAccountTokenReview,
} from '../../authentication/kubernetes-access.ts';
import { queuedCallLimits } from '../../authentication/queued-call-limits.ts';
import { BoundedQueue } from '../../concurrency/bounded-queue.ts';
import { Secret } from '../../observability/secret.ts';
import { queueReview } from './queue-review.ts';

const CALL_TIMEOUT_MS = 1_000;
const { maxWaitMs, timeoutMs } = queuedCallLimits(CALL_TIMEOUT_MS);
const NO: ServiceAccountTokenReview = { authenticated: false, error: 'no' };

/** One review at a time, one more waits. Each is answered by the test. */
function start() {
  const clock = new FakeClock();
  const queue = new BoundedQueue({ clock, inFlight: 1, waiting: 1 });
  const asked: {
    readonly question: unknown;
    readonly signal: AbortSignal | undefined;
    answer: () => void;
  }[] = [];
  const review: ReviewServiceAccountToken = async (serviceAccountToken, audiences, { signal } = {}) => {
    const { promise, resolve } = Promise.withResolvers<ServiceAccountTokenReview>();
    const question = [serviceAccountToken.reveal(), audiences];
    asked.push({ question, signal, answer: () => resolve(NO) });
    return await promise;
  };
  const queued = queueReview(review, { queue, clock, callTimeoutMs: CALL_TIMEOUT_MS });
  const ask = (token: string, signal?: AbortSignal) =>
    queued(new Secret(token), ['ours'], signal === undefined ? {} : { signal }).catch(
      (error: unknown) => error,
    );
  return { clock, asked, ask };
}

describe('queueReview', () => {
  it('asks nobody when as many wait as may', async () => {
    const { asked, ask } = start();
    const calls = [ask('a'), ask('b')];
    const error = await ask('c');
    expect(error).toBeInstanceOf(KubernetesQueueError);
    expect(error).toMatchObject({ cause: { name: 'QueueFullError' } });
    for (const at of [0, 1]) {
      asked[at]?.answer();
      await settle();
    }
    expect(await Promise.all(calls)).toEqual([NO, NO]);
    expect(asked.map(({ question }) => question)).toEqual([
      ['a', ['ours']],
      ['b', ['ours']],
    ]);
  });

  it('waits for its turn as long as it may and no longer', async () => {
    const { clock, asked, ask } = start();
    void ask('a');
    const ended: unknown[] = [];
    void ask('b').then((error) => ended.push(error));
    await clock.advance(maxWaitMs - 1);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(ended).toEqual([expect.any(KubernetesQueueError)]);
    expect(asked).toHaveLength(1);
  });

  it('ends a review that takes too long, which is no queue', async () => {
    const { clock, asked, ask } = start();
    const call = ask('a');
    await clock.advance(timeoutMs);
    expect(await call).toEqual(new Error(`TokenReview: no answer within ${timeoutMs} ms`));
    expect(asked[0]?.signal?.aborted).toBe(true);
  });

  it('ends with the reason of the caller’s signal', async () => {
    const { ask } = start();
    void ask('a');
    const caller = new AbortController();
    const call = ask('b', caller.signal);
    const reason = new Error('gone');
    caller.abort(reason);
    expect(await call).toBe(reason);
  });
});
