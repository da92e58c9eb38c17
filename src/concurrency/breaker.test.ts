import { beforeEach, describe, expect, it } from '@jest/globals';

import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { Breaker, BreakerOpenError, FAILURES_UNTIL_OPEN, type Verdict } from './breaker.ts';

let clock: FakeClock;
let random: number;
let breaker: Breaker;

beforeEach(() => {
  clock = new FakeClock();
  random = 0;
  breaker = new Breaker({ clock, random: () => random });
});

/** A call from begin to end; undefined when it was not let through. */
const call = (verdict: Verdict): BreakerOpenError | undefined => {
  const refused = refusal();
  if (refused === undefined) breaker.begin().end(verdict);
  return refused;
};

function refusal(): BreakerOpenError | undefined {
  try {
    breaker.check();
    return undefined;
  } catch (error) {
    if (!(error instanceof BreakerOpenError)) throw error;
    return error;
  }
}

const fail = (count = FAILURES_UNTIL_OPEN) => {
  for (let failure = 0; failure < count; failure += 1) expect(call('failed')).toBeUndefined();
};

/** Lets the time without a try pass, and makes one. */
async function probe(verdict: Verdict): Promise<number> {
  const leftMs = refusal()?.retryAfterMs ?? 0;
  await clock.advance(leftMs);
  expect(call(verdict)).toBeUndefined();
  return leftMs;
}

describe('a breaker that is closed', () => {
  it('opens at the third failure in a row', () => {
    fail(2);
    expect([breaker.state, refusal()]).toEqual(['closed', undefined]);
    fail(1);
    expect(breaker.state).toBe('open');
    expect(() => breaker.begin()).toThrow(BreakerOpenError);
  });

  it.each(['answered', 'unknown'] as const)('after two failures and one %s', (verdict) => {
    fail(2);
    call(verdict);
    fail(1);
    expect(breaker.state).toBe(verdict === 'answered' ? 'closed' : 'open');
  });

  it('opens once for many calls that fail together', () => {
    const calls = Array.from({ length: 8 }, () => breaker.begin());
    for (const { end } of calls) end('failed');
    expect(refusal()?.retryAfterMs).toBe(1000);
  });
});

describe('a breaker that is open', () => {
  it('says since when, by the clock on the wall, and for how long, by the one that nobody sets', async () => {
    const since = clock.now();
    fail(1);
    await clock.advance(5000);
    fail(2);
    expect(refusal()).toMatchObject({ since, retryAfterMs: 1000, message: 'no try for 1000 ms more' });
    clock.set(since - 86_400_000);
    expect(refusal()?.retryAfterMs).toBe(1000);
    clock.set(since + 86_400_000);
    expect(refusal()?.retryAfterMs).toBe(1000);
    await clock.advance(999);
    expect([refusal()?.retryAfterMs, breaker.state]).toEqual([1, 'open']);
    await clock.advance(1);
    expect([refusal(), breaker.state]).toEqual([undefined, 'half-open']);
  });

  it.each([
    ['least', 0, [1000, 2000, 4000, 8000, 15_000, 15_000]],
    ['greatest', 1, [2000, 4000, 8000, 16_000, 30_000, 30_000]],
  ])('stays so longer with each probe that fails, up to a limit: the %s times', async (_, value, times) => {
    random = value;
    fail();
    const seen: number[] = [];
    for (let failure = 0; failure < times.length; failure += 1) seen.push(await probe('failed'));
    expect(seen).toEqual(times);
  });

  it('does not stay so longer for a call that fails late', async () => {
    const late = breaker.begin();
    fail();
    await clock.advance(500);
    late.end('failed');
    expect(refusal()?.retryAfterMs).toBe(500);
  });

  it('closes by a late answer', () => {
    const late = breaker.begin();
    fail();
    late.end('answered');
    expect([breaker.state, refusal()]).toEqual(['closed', undefined]);
  });
});

describe('the probe', () => {
  it('is one; others fail until it has ended', async () => {
    fail();
    await clock.advance(1000);
    const { isProbe, end } = breaker.begin();
    expect([isProbe, breaker.state]).toEqual([true, 'half-open']);
    expect(refusal()).toMatchObject({ retryAfterMs: 0, message: 'a call that tries is under way' });
    await clock.advance(60_000);
    expect(refusal()).toBeInstanceOf(BreakerOpenError);
    end('answered');
    expect([breaker.state, breaker.begin().isProbe, breaker.begin().isProbe]).toEqual([
      'closed',
      false,
      false,
    ]);
  });

  it('that was answered lets the next trouble begin from the start', async () => {
    fail();
    await probe('failed');
    const since = clock.now() + 2000;
    await probe('answered');
    fail(2);
    expect(breaker.state).toBe('closed');
    fail(1);
    expect(refusal()).toMatchObject({ since, retryAfterMs: 1000 });
  });

  it('that failed keeps the time of the first failure', async () => {
    const since = clock.now();
    fail();
    await probe('failed');
    expect(refusal()?.since).toBe(since);
  });

  it('that showed nothing leaves it to the next', async () => {
    fail();
    await probe('unknown');
    expect([breaker.state, refusal()]).toEqual(['half-open', undefined]);
    const { isProbe, end } = breaker.begin();
    end('failed');
    expect([isProbe, refusal()?.retryAfterMs]).toEqual([true, 2000]);
  });

  it('is not decided by a call that was begun before', async () => {
    const late = breaker.begin();
    fail();
    await clock.advance(1000);
    const { end } = breaker.begin();
    late.end('failed');
    expect([breaker.state, refusal()?.retryAfterMs]).toEqual(['half-open', 0]);
    end('answered');
    expect(breaker.state).toBe('closed');
  });

  it('says nothing any more when another call was answered meanwhile', async () => {
    const late = breaker.begin();
    fail();
    await clock.advance(1000);
    const slow = breaker.begin();
    late.end('answered');
    fail(2);
    slow.end('failed');
    expect(breaker.state).toBe('closed');
    fail(1);
    await clock.advance(1000);
    const next = breaker.begin();
    expect([next.isProbe, refusal()?.retryAfterMs]).toEqual([true, 0]);
    next.end('answered');
  });

  it('that was answered makes all that was begun before it and fails count for nothing', async () => {
    const old = Array.from({ length: 5 }, () => breaker.begin());
    fail();
    await probe('answered');
    for (const { end } of old) end('failed');
    expect(breaker.state).toBe('closed');
  });
});
