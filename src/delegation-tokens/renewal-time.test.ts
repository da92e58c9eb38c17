import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { AFTER_END_MS, firstRenewalAt, nextRenewalAt, retryRenewalAt } from './renewal-time.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.parse('2026-01-01T00:00:00Z');
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** From a test's seconds to years, and a lapse that lies in the past because a clock was off. */
const interval = fc.integer({ min: -HOUR_MS, max: 30 * 365 * 24 * HOUR_MS });

describe('the next renewal', () => {
  it.each([
    ['at half of the time', 0.5, 24 * HOUR_MS, 12 * HOUR_MS],
    ['a tenth of it earlier', 0, 24 * HOUR_MS, 10.8 * HOUR_MS],
    ['of a short time', 0.5, 20_000, 10_000],
    ['not at once, though the time is over', 0.5, 0, 250],
  ])('comes %s', (_, drawn, givesMs, afterMs) => {
    const times = { renewedAt: NOW, lapsesAt: NOW + givesMs, endsAt: NOW + 7 * 24 * HOUR_MS, random: drawn };
    expect(nextRenewalAt(times) - NOW).toBeCloseTo(afterMs, 3);
  });

  it.each([
    [24 * HOUR_MS, 600_000],
    [HOUR_MS, 600_000],
    [20_000, 10_000],
  ])('of a new token that should live for %d ms comes after %d ms', (givesMs, afterMs) => {
    const times = { renewedAt: NOW, lapsesAt: NOW + givesMs, endsAt: NOW + 7 * 24 * HOUR_MS, random: 0.5 };
    expect(firstRenewalAt(times) - NOW).toBeCloseTo(afterMs, 3);
  });

  it.each([0, 1, 1_000])('that could gain %d ms at most is left out until the end', (gainMs) => {
    const endsAt = NOW + HOUR_MS;
    const times = { renewedAt: NOW, lapsesAt: endsAt - gainMs, endsAt, random: 0.5 };
    expect(nextRenewalAt(times)).toBe(endsAt + AFTER_END_MS);
  });

  it('comes before the lapse whenever a renewal can gain anything, and never at once', () => {
    fc.assert(
      fc.property(interval, interval, random, (givesMs, leftMs, drawn) => {
        const times = { renewedAt: NOW, lapsesAt: NOW + givesMs, endsAt: NOW + leftMs, random: drawn };
        const at = nextRenewalAt(times);
        expect(at).toBeGreaterThanOrEqual(NOW + 250);
        if (givesMs > 1_000 && times.lapsesAt < times.endsAt - 1_000) expect(at).toBeLessThan(times.lapsesAt);
      }),
    );
  });
});

describe('the next try', () => {
  const times = { now: NOW, intervalMs: 24 * HOUR_MS, lapsesAt: NOW + 12 * HOUR_MS, random: 0.5 };

  it.each([
    [1, 3_750],
    [2, 7_500],
    [6, 120_000],
    [7, 225_000],
    [1_000_000, 225_000],
  ])('after failure %d comes in %d ms', (failures, afterMs) => {
    expect(retryRenewalAt({ ...times, failures }) - NOW).toBe(afterMs);
  });

  it.each([
    ['20 s', 20_000, 750],
    ['not known', undefined, 750],
  ])('is never far for an interval that is %s', (_, intervalMs, afterMs) => {
    expect(retryRenewalAt({ ...times, intervalMs, failures: 50 }) - NOW).toBe(afterMs);
  });

  it.each([60_000, 1_000, 600])('comes in time for a token that lapses in %d ms', (leftMs) => {
    const at = retryRenewalAt({ ...times, lapsesAt: NOW + leftMs, failures: 50 });
    expect(at - NOW).toBe(Math.min(225_000, leftMs / 2));
  });

  it('comes before the lapse whenever there is time for it, never at once, and within 5 minutes', () => {
    const intervalMs = fc.option(fc.integer({ min: 1, max: 30 * 24 * HOUR_MS }), { nil: undefined });
    const failures = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(intervalMs, failures, interval, random, (gives, row, leftMs, drawn) => {
        const lapsesAt = NOW + leftMs;
        const waitMs =
          retryRenewalAt({ now: NOW, failures: row, intervalMs: gives, lapsesAt, random: drawn }) - NOW;
        expect(waitMs).toBeGreaterThanOrEqual(125);
        expect(waitMs).toBeLessThanOrEqual(300_000);
        if (leftMs > 250) expect(waitMs).toBeLessThan(leftMs);
      }),
    );
  });

  it('leaves room for many more before a token lapses that failed when it was due', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5_000, max: 7 * 24 * HOUR_MS }), random, (intervalMs, drawn) => {
        const lapsesAt = NOW + intervalMs;
        let now = nextRenewalAt({ renewedAt: NOW, lapsesAt, endsAt: Infinity, random: drawn });
        let tries = 0;
        for (; now < lapsesAt && tries < 20; tries += 1)
          now = retryRenewalAt({ now, failures: tries + 1, intervalMs, lapsesAt, random: drawn });
        expect(tries).toBeGreaterThanOrEqual(4);
      }),
    );
  });
});
