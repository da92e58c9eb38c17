import { beforeEach, describe, expect, it } from '@jest/globals';
import { SourceTimes } from './source-times.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LIFE_MS = 7 * DAY_MS;

/** Hadoop's clock is another one than ours, by so much. */
let aheadMs: number;
let now: number;
let jumpedMs: number;
let intervalMs: number;
let times: SourceTimes;

beforeEach(() => {
  aheadMs = 90_000;
  now = Date.parse('2026-01-01T00:00:00Z');
  jumpedMs = 0;
  intervalMs = DAY_MS;
  times = new SourceTimes({ now: () => now, jumpedMs: () => jumpedMs });
});

const hadoop = (): number => now + aheadMs;

interface Issued {
  readonly issueDate: bigint;
  readonly maxDate: bigint;
  readonly issuedAt: number;
}

/** Takes so long before, and after, Hadoop looks at its clock. */
function issue({ beforeMs = 0, afterMs = 0 } = {}): Issued {
  const issuedAt = now;
  now += beforeMs;
  const dates = { issueDate: BigInt(hadoop()), maxDate: BigInt(hadoop() + LIFE_MS) };
  now += afterMs;
  times.noteIssue(dates, issuedAt);
  return { ...dates, issuedAt };
}

/** Resolves to when it lapses, as told, and as it is. */
function renew(
  { issueDate, maxDate, issuedAt }: Issued,
  { latencyMs = 0 } = {},
): { readonly told: number; readonly true: number } {
  const end = Number(maxDate);
  const expiresAt = Math.min(hadoop() + intervalMs, end);
  const lapsesAt = now + expiresAt - hadoop();
  now += latencyMs;
  times.noteRenewal({ issueDate, maxDate }, { expiresAt: BigInt(expiresAt), issuedAt, answeredAt: now });
  return { told: times.atOurs(BigInt(expiresAt)), true: lapsesAt };
}

describe('the times of a source', () => {
  it.each([0, 250_000, -250_000, 40 * DAY_MS])(
    'are told by its own clock, which may be another one (by %d ms)',
    (byMs) => {
      aheadMs = byMs;
      const token = issue();
      expect(times.intervalMs).toBeUndefined();
      expect(times.firstExpiry(token)).toBeUndefined();
      const lapses = renew(token);
      expect(lapses.told).toBe(lapses.true);
      expect(times.intervalMs).toBe(DAY_MS);
      expect(times.firstExpiry(token)).toBe(token.issueDate + BigInt(DAY_MS));
    },
  );

  it('follow an interval that was changed, with the next renewal', () => {
    const token = issue();
    renew(token);
    for (const changed of [HOUR_MS, (30 * DAY_MS) / 10, 20_000]) {
      intervalMs = changed;
      now += HOUR_MS;
      renew(token);
      expect(times.intervalMs).toBe(changed);
    }
  });

  it('say nothing of the interval when a renewal was cut off by the end of the token', () => {
    const token = issue();
    renew(token);
    now += LIFE_MS - HOUR_MS;
    renew(token);
    expect(times.intervalMs).toBe(DAY_MS);
  });

  it('are rather too short than too long for slow answers', () => {
    const token = issue({ beforeMs: 3_000, afterMs: 2_000 });
    now += HOUR_MS;
    const lapses = renew(token, { latencyMs: 4_000 });
    expect(lapses.told).toBeLessThanOrEqual(lapses.true);
    expect(lapses.told).toBeGreaterThan(lapses.true - 10_000);
    expect(times.intervalMs).toBeGreaterThan(DAY_MS - 10_000);
    expect(times.intervalMs).toBeLessThanOrEqual(DAY_MS);
  });

  it.each([HOUR_MS, 3 * DAY_MS])('stay right when our clock jumps forward by %d ms', (byMs) => {
    const token = issue();
    renew(token);
    now += byMs;
    aheadMs -= byMs;
    jumpedMs += byMs;
    for (let round = 0; round < 3; round += 1) {
      const lapses = renew(token);
      expect(lapses.told).toBe(lapses.true);
      now += HOUR_MS;
    }
    intervalMs = HOUR_MS;
    issue();
    renew(token);
    expect(times.intervalMs).toBe(HOUR_MS);
  });

  it.each([
    ['was set forward by 2 s', 2_000, 2_000],
    ['was set forward by 8 h', 8 * HOUR_MS, 8 * HOUR_MS],
    ['jumped as the machine slept for 8 h', 8 * HOUR_MS, 0],
  ])('follow an interval that was made shorter, also when our clock %s', (_, byMs, setByMs) => {
    const token = issue();
    renew(token);
    now += byMs;
    aheadMs -= setByMs;
    jumpedMs += byMs;
    intervalMs = HOUR_MS;
    for (let round = 0; round < 3; round += 1) {
      const lapses = renew(token);
      expect(lapses.told).toBeLessThanOrEqual(lapses.true);
      expect(lapses.told).toBeGreaterThan(lapses.true - 10_000);
      expect(times.intervalMs).toBeLessThanOrEqual(HOUR_MS);
      now += HOUR_MS / 2;
    }
  });

  it('are rather too short than too long for an interval that was made longer when our clock had jumped', () => {
    const token = issue();
    renew(token);
    now += HOUR_MS;
    aheadMs -= HOUR_MS;
    jumpedMs += HOUR_MS;
    intervalMs = 2 * DAY_MS;
    const lapses = renew(token);
    expect(lapses.told).toBeLessThanOrEqual(lapses.true);
    expect(times.intervalMs).toBe(2 * DAY_MS - HOUR_MS);
  });

  it('follow the clock of the server that was set, with the next issue', () => {
    const token = issue();
    renew(token);
    aheadMs += HOUR_MS;
    const another = issue();
    const lapses = renew(another);
    expect([lapses.told, times.intervalMs]).toEqual([lapses.true, DAY_MS]);
  });
});

describe('an issue that took long', () => {
  beforeEach(() => {
    intervalMs = 20_000;
  });

  it('does not take away what was known better', () => {
    renew(issue());
    const token = issue({ beforeMs: 60_000 });
    expect(times.intervalMs).toBe(20_000);
    for (let round = 0; round < 3; round += 1) {
      const lapses = renew(token);
      expect([lapses.told, times.intervalMs]).toEqual([lapses.true, 20_000]);
    }
  });

  it('does not take away what was known better, also when our clock jumped meanwhile', () => {
    renew(issue());
    const token = issue({ beforeMs: 1_000 });
    now += HOUR_MS;
    aheadMs -= HOUR_MS;
    jumpedMs += HOUR_MS;
    const lapses = renew(token);
    expect([lapses.told, times.intervalMs]).toEqual([lapses.true, 20_000]);
  });

  it('counts while nothing else is known, and never says that a token has lapsed that was just renewed', () => {
    const token = issue({ beforeMs: 60_000 });
    for (let round = 0; round < 3; round += 1) {
      const lapses = renew(token);
      expect(lapses.told).toBeGreaterThan(now + 1_000);
      expect(lapses.told).toBeLessThanOrEqual(lapses.true);
      now += 5_000;
    }
    renew(issue());
    expect(times.intervalMs).toBe(20_000);
  });
});

describe('after a restart', () => {
  /** What an earlier process recorded, by a clock that was off by so much. */
  const recorded = (offMs: number): Issued => {
    const token = issue();
    times = new SourceTimes({ now: () => now, jumpedMs: () => jumpedMs });
    now += HOUR_MS;
    return { ...token, issuedAt: token.issuedAt + offMs };
  };

  it('go by what was recorded', () => {
    const lapses = renew(recorded(0));
    expect([lapses.told, times.intervalMs]).toEqual([lapses.true, DAY_MS]);
  });

  it.each([-40 * DAY_MS, -2 * DAY_MS, -HOUR_MS, HOUR_MS, 2 * DAY_MS, 40 * DAY_MS])(
    'are never too late, and no token has lapsed that was just renewed, though the clock was off by %d ms',
    (offMs) => {
      aheadMs = 0;
      const token = recorded(offMs);
      for (let round = 0; round < 3; round += 1) {
        const lapses = renew(token);
        expect(lapses.told).toBeGreaterThan(now + 1_000);
        expect(lapses.told).toBeLessThanOrEqual(lapses.true);
        now += 5_000;
      }
      renew(issue());
      expect(times.intervalMs).toBe(DAY_MS);
    },
  );
});
