import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { facts } from '../../test/fakes/fetch-world.ts';
import { fetchFirst } from './fetch-first.ts';
import type { Failure, TryResult } from './fetch-session.ts';

const HELD = { tokensWritten: 1, facts: facts() };

const failed = (more: Partial<Failure> = {}): TryResult => ({
  failure: { exitCode: 4, reason: 'away', requestId: '', retryAfterMs: 0, tryAtOnce: false, ...more },
});

let clock: FakeClock;
let tries: number[];
let said: string[];
/** What each try was told of its end, in seconds from the start. */
let ends: (number | undefined)[];
let stop: AbortController;
let startedAt: number;

beforeEach(() => {
  clock = new FakeClock();
  startedAt = clock.now();
  tries = [];
  said = [];
  ends = [];
  stop = new AbortController();
});

/** The last result is that of all further tries. */
const start = (results: readonly TryResult[], deadlineMs = 300_000, onTry = (): void => undefined) =>
  fetchFirst({
    session: {
      try: (_signal, endsAt) => {
        ends.push(endsAt === undefined ? undefined : (endsAt - startedAt) / 1000);
        tries.push((clock.now() - startedAt) / 1000);
        onTry();
        return Promise.resolve(results[tries.length - 1] ?? results.at(-1) ?? {});
      },
    },
    clock,
    random: () => 0.999_999,
    deadlineMs,
    say: (line) => said.push(line),
    signal: stop.signal,
  });

const rounded = () => tries.map(Math.round);

describe('fetchFirst', () => {
  it('tries after 1, 2, 4 … 30 s until the deadline, and says of each try when the next one is', async () => {
    const fetching = start([failed({ requestId: 'r-1' })], 100_000);
    await clock.advance(100_000);
    expect(await fetching).toEqual({ outcome: 'ended', exitCode: 4 });
    expect(rounded()).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
    expect(said).toHaveLength(8);
    expect(said[0]).toBe('away (request r-1); next try in 1.0 s');
    expect(said.at(-1)).toBe('away (request r-1); no next try before the deadline');
    expect(clock.sleeping).toBe(0);
  });

  it('tries once with a deadline of 0', async () => {
    expect(await start([failed()], 0)).toEqual({ outcome: 'ended', exitCode: 4 });
    expect(tries).toEqual([0]);
    expect(ends).toEqual([undefined]);
  });

  it('lets no try last beyond the deadline', async () => {
    const fetching = start([failed()], 5000);
    await clock.advance(5000);
    expect(await fetching).toEqual({ outcome: 'ended', exitCode: 4 });
    expect(ends).toEqual([5, 5, 5]);
  });

  it.each<[string, Partial<Failure>, number]>([
    ['refused', { exitCode: 3 }, 3],
    ['nowhere to write', { exitCode: 5 }, 5],
    ['no token file', { exitCode: 2 }, 2],
  ])('ends at once when there is %s', async (_name, failure, exitCode) => {
    expect(await start([failed(failure)])).toEqual({ outcome: 'ended', exitCode });
    expect(said).toEqual(['away; no next try']);
  });

  it('ends with 5 when the file can not be written after the server came', async () => {
    const fetching = start([failed(), failed({ exitCode: 5 })]);
    await clock.advance(5000);
    expect(await fetching).toEqual({ outcome: 'ended', exitCode: 5 });
  });

  it('is done once the file is written', async () => {
    const fetching = start([failed(), failed(), { held: HELD }]);
    await clock.advance(10_000);
    expect(await fetching).toEqual({ outcome: 'written', held: HELD });
    expect(rounded()).toEqual([0, 1, 3]);
  });

  it('waits for what the server names', async () => {
    const fetching = start([failed({ retryAfterMs: 7000 }), { held: HELD }]);
    await clock.advance(10_000);
    expect(await fetching).toMatchObject({ outcome: 'written' });
    expect(tries).toEqual([0, 7]);
  });

  it('takes another service-account token at once, which makes no later wait longer', async () => {
    const fetching = start([failed({ exitCode: 3, tryAtOnce: true }), failed(), { held: HELD }]);
    await clock.advance(10_000);
    expect(await fetching).toMatchObject({ outcome: 'written' });
    expect(rounded()).toEqual([0, 0, 1]);
    expect(said[0]).toBe('away; the file has another service-account token by now: next try at once');
  });

  it('goes on when the token file is missing at a later try', async () => {
    const fetching = start([failed(), failed({ exitCode: 2 }), { held: HELD }]);
    await clock.advance(10_000);
    expect(await fetching).toMatchObject({ outcome: 'written' });
  });

  it('goes on while the report of refused tokens does not come through, though the file is written', async () => {
    const fetching = start([{ held: HELD, ...failed() }, { held: HELD }]);
    await clock.advance(10_000);
    expect(await fetching).toMatchObject({ outcome: 'written' });
    expect(tries).toHaveLength(2);
  });

  it('stops between two tries', async () => {
    const fetching = start([failed()]);
    await clock.advance(500);
    stop.abort();
    expect(await fetching).toEqual({ outcome: 'stopped' });
    expect(clock.sleeping).toBe(0);
  });

  it('stops within a try, without a word about it', async () => {
    expect(await start([failed()], 300_000, () => stop.abort())).toEqual({ outcome: 'stopped' });
    expect(said).toEqual([]);
  });

  it('stops before the first try', async () => {
    stop.abort();
    expect(await start([failed()])).toEqual({ outcome: 'stopped' });
    expect(tries).toEqual([]);
  });

  it.each<[string, TryResult]>([
    ['alone', { held: HELD }],
    ['with a report that failed', { held: HELD, ...failed() }],
  ])('has written what was written when the signal came, %s', async (_name, result) => {
    expect(await start([result], 0, () => stop.abort())).toEqual({ outcome: 'written', held: HELD });
  });
});
