import { afterEach, describe, expect, it, jest } from '@jest/globals';

import { everythingIn } from '../../test/fakes/everything-in.ts';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { BoundedQueue } from '../concurrency/bounded-queue.ts';
import { Secret } from '../observability/secret.ts';
import { KubernetesQueueError, type ServiceAccountTokenReview } from './kubernetes-access.ts';
import { queuedCallLimits } from './queued-call-limits.ts';
import { createReviewCache, type ReviewCacheOptions } from './review-cache.ts';
import type { TokenClaims } from './token-claims.ts';

const POD_UID = 'authentication.kubernetes.io/pod-uid';
const NO: ServiceAccountTokenReview = { authenticated: false, error: 'service account token has expired' };

const yesFor = (...podUids: string[]): ServiceAccountTokenReview => ({
  authenticated: true,
  audiences: ['kerbridge'],
  username: 'system:serviceaccount:team-a:trainer',
  uid: 'account-1',
  groups: [],
  extra: podUids.length === 0 ? {} : { [POD_UID]: podUids },
});

const claimsOf = (podUid = 'pod-1', expiresAt = Number.POSITIVE_INFINITY): TokenClaims => ({
  issuer: 'https://kubernetes.default.svc',
  issuedAt: 0,
  expiresAt,
  namespace: 'team-a',
  serviceAccount: { name: 'trainer', uid: 'account-1' },
  pod: { name: 'train-0', uid: podUid },
});

interface Asked {
  readonly token: string;
  readonly audiences: readonly string[];
  readonly claims: TokenClaims;
  readonly signal: AbortSignal | undefined;
  readonly answer: (review: ServiceAccountTokenReview) => void;
  readonly fail: (error: Error) => void;
}

function world(options: Partial<ReviewCacheOptions> & { inFlight?: number; waiting?: number } = {}) {
  const clock = new FakeClock();
  let setBy = 0;
  const asked: Asked[] = [];
  const lookUps: string[] = [];
  const { inFlight = 10, waiting = 10, ...cacheOptions } = options;
  const queue = new BoundedQueue({ clock, inFlight, waiting });
  const cache = createReviewCache({
    reviewServiceAccountToken: async (token, audiences, { claims, signal }) => {
      const { promise, resolve, reject } = Promise.withResolvers<ServiceAccountTokenReview>();
      asked.push({ token: token.reveal(), audiences, claims, signal, answer: resolve, fail: reject });
      signal?.addEventListener('abort', () => reject(new Error('told to stop')));
      return await promise;
    },
    audience: 'kerbridge',
    clock: {
      now: () => clock.now() + setBy,
      uptime: () => clock.uptime(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
    },
    queue,
    callTimeoutMs: 1000,
    maxEntries: 100,
    maxFailures: 100,
    onLookUp: (result) => lookUps.push(result),
    ...cacheOptions,
  });
  const review = (token: string, claims = claimsOf(), signal?: AbortSignal) =>
    cache.review(new Secret(token), claims, signal === undefined ? {} : { signal });
  /** Reviews it, with this answer in case the API server is asked. */
  const learn = async (token: string, answer: ServiceAccountTokenReview, claims = claimsOf()) => {
    const before = asked.length;
    const call = review(token, claims);
    await settle();
    asked[before]?.answer(answer);
    return await call;
  };
  const set = (ms: number) => (setBy = ms);
  return { clock, asked, lookUps, queue, cache, review, learn, set };
}

const outcomeOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

describe('the API server', () => {
  it('is asked about our audience only, with the claims and a signal', async () => {
    const { asked, learn } = world();
    const claims = claimsOf();
    await learn('a', yesFor('pod-1'), claims);
    expect(asked).toEqual([
      expect.objectContaining({
        token: 'a',
        audiences: ['kerbridge'],
        claims,
        signal: expect.any(AbortSignal),
      }),
    ]);
  });

  it('that could not be asked is asked again', async () => {
    const { asked, cache, review } = world();
    const call = outcomeOf(review('a'));
    await settle();
    asked[0]?.fail(new Error('down'));
    expect(await call).toEqual(new Error('down'));
    expect(cache.size).toBe(0);
    void outcomeOf(review('a'));
    expect(asked).toHaveLength(2);
  });

  it('that does not answer in time is told to stop, and its caller that nobody knows', async () => {
    const { clock, asked, cache, review } = world();
    const call = outcomeOf(review('a'));
    await clock.advance(2499);
    expect(asked[0]?.signal?.aborted).toBe(false);
    await clock.advance(1);
    expect(await call).toEqual(new Error('TokenReview: no answer within 2500 ms'));
    expect(asked[0]?.signal?.aborted).toBe(true);
    asked[0]?.answer(yesFor('pod-1'));
    await settle();
    expect([cache.size, clock.sleeping]).toEqual([0, 0]);
  });
});

describe('an answer', () => {
  it.each([
    ['a yes', yesFor('pod-1'), 10_000],
    ['a no', NO, 5_000],
  ])('is kept, %s', async (_, answer, ttlMs) => {
    const { clock, asked, lookUps, cache, review, learn } = world();
    expect(await learn('a', answer)).toBe(answer);
    await clock.advance(ttlMs - 1);
    expect(await review('a')).toBe(answer);
    expect(cache.size).toBe(1);
    await clock.advance(1);
    expect(cache.size).toBe(0);
    void outcomeOf(review('a'));
    expect(asked).toHaveLength(2);
    expect(lookUps).toEqual(['miss', 'hit', 'miss']);
  });

  it.each([
    ['back', -3_600_000],
    ['back by less than its age', -8_000],
    ['forward', 3_600_000],
  ])('is kept no longer for a clock that is set %s', async (_, ms) => {
    const { clock, asked, review, learn, set } = world();
    await learn('a', yesFor('pod-1'));
    await clock.advance(9_000);
    set(ms);
    await clock.advance(1_000);
    void outcomeOf(review('a'));
    expect(asked).toHaveLength(2);
  });

  it('is for its token only', async () => {
    const { asked, review, learn } = world();
    await learn('a', yesFor('pod-1'));
    void outcomeOf(review('b'));
    expect(asked).toHaveLength(2);
  });

  it('that is yes is recalled with the claims of its token, until it is too old or the pod goes', async () => {
    const { cache, learn, clock, lookUps } = world();
    const claims = claimsOf();
    expect(cache.recall(new Secret('a'))).toBeUndefined();
    await learn('a', yesFor('pod-1'), claims);
    expect(cache.recall(new Secret('a'))).toEqual({ review: yesFor('pod-1'), claims });
    expect(cache.recall(new Secret('b'))).toBeUndefined();
    expect(lookUps).toEqual(['miss', 'hit']);
    await clock.advance(10_000);
    expect(cache.recall(new Secret('a'))).toBeUndefined();
    await learn('a', yesFor('pod-1'), claims);
    cache.forgetPod('pod-1');
    expect(cache.recall(new Secret('a'))).toBeUndefined();
  });

  it('that is no is never recalled', async () => {
    const { cache, learn } = world();
    await learn('a', NO);
    expect(cache.recall(new Secret('a'))).toBeUndefined();
  });

  it('that is yes is not kept beyond the expiry of its token', async () => {
    const { clock, cache, learn } = world();
    const claims = claimsOf('pod-1', clock.now() + 3000);
    await learn('a', yesFor('pod-1'), claims);
    await clock.advance(2999);
    expect(cache.size).toBe(1);
    await clock.advance(1);
    expect(cache.size).toBe(0);
  });

  it('that is yes is not kept for a token that has expired meanwhile', async () => {
    const { clock, cache, learn } = world();
    const claims = claimsOf('pod-1', clock.now());
    expect(await learn('a', yesFor('pod-1'), claims)).toEqual(yesFor('pod-1'));
    expect(cache.size).toBe(0);
  });

  it.each([
    ['about another pod', yesFor('pod-2')],
    ['about no pod', yesFor()],
    ['about two', yesFor('pod-1', 'pod-2')],
  ])('%s is handed on and not kept', async (_, answer) => {
    const { cache, learn } = world();
    expect(await learn('a', answer, claimsOf('pod-1'))).toBe(answer);
    expect(cache.size).toBe(0);
  });
});

describe('too many', () => {
  it('tokens that are refused push out no good one', async () => {
    const { asked, cache, review, learn } = world({ maxEntries: 2, maxFailures: 3 });
    await learn('good', yesFor('pod-1'));
    for (let index = 0; index < 20; index += 1) await learn(`garbage ${index}`, NO);
    expect(cache.size).toBe(4);
    expect(await review('good')).toEqual(yesFor('pod-1'));
    expect(await review('garbage 17')).toBe(NO);
    expect(asked).toHaveLength(21);
    void outcomeOf(review('garbage 16'));
    expect(asked).toHaveLength(22);
  });

  it('good tokens push out the oldest', async () => {
    const { asked, cache, review, learn } = world({ maxEntries: 2 });
    for (const token of ['a', 'b', 'c']) await learn(token, yesFor('pod-1'));
    expect(cache.size).toBe(2);
    await review('b');
    await review('c');
    expect(asked).toHaveLength(3);
    void outcomeOf(review('a'));
    expect(asked).toHaveLength(4);
  });
});

describe('a review under way', () => {
  it('is shared by all who ask about the token', async () => {
    const { asked, lookUps, review } = world();
    const calls = [review('a'), review('a'), review('b'), review('a')];
    expect(asked.map(({ token }) => token)).toEqual(['a', 'b']);
    for (const { answer } of asked) answer(yesFor('pod-1'));
    expect(await Promise.all(calls)).toEqual(calls.map(() => yesFor('pod-1')));
    expect(lookUps).toEqual(['miss', 'shared', 'miss', 'shared']);
  });

  it('goes on when its first caller, or every caller, has left', async () => {
    const { asked, cache, review } = world();
    const callers = [new AbortController(), new AbortController()];
    const calls = callers.map(({ signal }) => outcomeOf(review('a', claimsOf(), signal)));
    callers[0]?.abort('gone');
    callers[1]?.abort('gone too');
    expect(await Promise.all(calls)).toEqual(['gone', 'gone too']);
    expect(asked[0]?.signal?.aborted).toBe(false);
    asked[0]?.answer(yesFor('pod-1'));
    await settle();
    expect([cache.size, asked.length]).toEqual([1, 1]);
  });

  it('is not begun for a caller that comes aborted', async () => {
    const { asked, lookUps, review } = world();
    expect(await outcomeOf(review('a', claimsOf(), AbortSignal.abort('late')))).toBe('late');
    expect([asked, lookUps]).toEqual([[], []]);
  });
});

describe('the queue', () => {
  it('that is full is what the caller hears of, not the API server', async () => {
    const { asked, review } = world({ inFlight: 1, waiting: 0 });
    void outcomeOf(review('a'));
    expect(await outcomeOf(review('b'))).toBeInstanceOf(KubernetesQueueError);
    expect(asked).toHaveLength(1);
  });

  it("is waited in for half of a call's time, and the call has all of its own after that, to end itself", async () => {
    const { clock, asked, cache, review } = world({ inFlight: 1, waiting: 1 });
    void outcomeOf(review('a'));
    const late = outcomeOf(review('b'));
    await clock.advance(500);
    expect(await late).toBeInstanceOf(KubernetesQueueError);
    expect(cache.size).toBe(0);
    const patient = outcomeOf(review('b'));
    await clock.advance(499);
    asked[0]?.answer(NO);
    await settle();
    expect(asked).toHaveLength(2);
    await clock.advance(1000);
    expect(asked[1]?.signal?.aborted).toBe(false);
    const timeout = new Error('what was asked, and what to do');
    asked[1]?.fail(timeout);
    expect(await patient).toBe(timeout);
  });

  it('is left by turns of the namespaces, whoever of them fills it', async () => {
    const { asked, review } = world({ inFlight: 1, waiting: 3 });
    const ofTeam = (team: string): TokenClaims => ({ ...claimsOf(), namespace: team });
    for (const token of ['a0', 'a1', 'a2']) void outcomeOf(review(token, ofTeam('team-a')));
    const displaced = outcomeOf(review('a3', ofTeam('team-a')));
    void outcomeOf(review('b1', ofTeam('team-b')));
    expect(await displaced).toBeInstanceOf(KubernetesQueueError);
    for (const next of ['a1', 'b1', 'a2']) {
      asked.at(-1)?.answer(NO);
      await settle();
      expect(asked.at(-1)?.token).toBe(next);
    }
    expect(asked).toHaveLength(4);
  });

  it('has its place back when a review has ended, well or badly', async () => {
    const { clock, queue, asked, review } = world({ inFlight: 2, waiting: 0 });
    const calls = [outcomeOf(review('a')), outcomeOf(review('b'))];
    asked[0]?.fail(new Error('down'));
    await clock.advance(queuedCallLimits(1000).timeoutMs);
    await Promise.all(calls);
    expect([queue.running, queue.waiting]).toEqual([0, 0]);
  });
});

describe('a pod that goes', () => {
  it('takes with it every yes to its tokens, and nothing else', async () => {
    const { asked, cache, review, learn } = world();
    await learn('a', yesFor('pod-1'));
    await learn('a2', yesFor('pod-1'));
    await learn('b', yesFor('pod-2'), claimsOf('pod-2'));
    await learn('no', NO);
    cache.forgetPod('pod-1');
    cache.forgetPod('pod-3');
    expect(cache.size).toBe(2);
    await review('b');
    await review('no');
    expect(asked).toHaveLength(4);
    void outcomeOf(review('a'));
    void outcomeOf(review('a2'));
    expect(asked).toHaveLength(6);
  });

  it('takes with it the yes that is on its way, which nobody keeps', async () => {
    const { asked, cache, review, learn } = world();
    const calls = [review('a'), review('b', claimsOf('pod-2'))];
    cache.forgetPod('pod-1');
    asked[0]?.answer(yesFor('pod-1'));
    asked[1]?.answer(yesFor('pod-2'));
    expect(await Promise.all(calls)).toEqual([yesFor('pod-1'), yesFor('pod-2')]);
    expect(cache.size).toBe(1);
    await learn('a', yesFor('pod-1'));
    expect(cache.size).toBe(2);
  });

  it('and is gone before the answer is kept, in whichever turn of the event loop', async () => {
    for (let turns = 0; turns < 30; turns += 1) {
      const { asked, cache, review } = world();
      const call = review('a');
      asked[0]?.answer(yesFor('pod-1'));
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      cache.forgetPod('pod-1');
      await call;
      await settle();
      expect(cache.size).toBe(0);
    }
  });

  it('after its answers have left can go', async () => {
    const { clock, cache, learn } = world();
    await learn('a', yesFor('pod-1'));
    await clock.advance(10_000);
    cache.forgetPod('pod-1');
    await learn('a', yesFor('pod-1'));
    expect(cache.size).toBe(1);
  });
});

describe('in memory', () => {
  const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is no token: neither in the cache nor in any Map or Set that it keeps', async () => {
    const set = jest.spyOn(Map.prototype, 'set');
    const add = jest.spyOn(Set.prototype, 'add');
    const { cache, learn } = world();
    await learn(TOKEN, yesFor('pod-1'));
    await learn(`${TOKEN}x`, NO);
    expect(cache.size).toBe(2);
    const all = everythingIn([cache, set.mock.calls, add.mock.calls]);
    // What is kept was seen.
    expect(all).toContain('service account token has expired');
    for (let at = 0; at + 8 <= TOKEN.length; at += 1) expect(all).not.toContain(TOKEN.slice(at, at + 8));
  });

  it.each([
    ['was refused', NO],
    ['could not be reviewed', new Error('down')],
    ['was good for a time that is over', yesFor('pod-1')],
  ])('is no pod whose token %s', async (_, answer) => {
    const set = jest.spyOn(Map.prototype, 'set');
    const remove = jest.spyOn(Map.prototype, 'delete');
    const { clock, asked, review } = world();
    const call = outcomeOf(review('a'));
    await settle();
    if (answer instanceof Error) asked[0]?.fail(answer);
    else asked[0]?.answer(answer);
    await call;
    await clock.advance(10_000);
    expect(set.mock.calls.filter(([key]) => key === 'pod-1')).toHaveLength(1);
    expect(remove.mock.calls.filter(([key]) => key === 'pod-1')).toHaveLength(1);
  });

  it('has the same token another name in another cache', async () => {
    const set = jest.spyOn(Map.prototype, 'set');
    for (let time = 0; time < 2; time += 1) await world().learn(TOKEN, yesFor('pod-1'));
    const names = set.mock.calls
      .map(([key]) => key)
      .filter((key) => /^[A-Za-z0-9+/]{43}=$/u.test(String(key)));
    // That of the flight and that of the answer, in each of the two.
    expect(names).toHaveLength(4);
    expect(new Set(names).size).toBe(2);
  });
});
