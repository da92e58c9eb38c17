import { describe, expect, it } from '@jest/globals';
import { clockFinding } from './clock-skew.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const reading = (serverTime: number, tookMs = 0) =>
  clockFinding({ id: 'clock:x', whose: 'the KDC x', serverTime, askedAt: NOW, answeredAt: NOW + tookMs });

describe('clockFinding', () => {
  it.each([
    [0, 'ok'],
    [60_000, 'ok'],
    [61_000, 'warning'],
    [300_000, 'warning'],
    [301_000, 'failed'],
    [-60_000, 'ok'],
    // Whole seconds: the clock may have been 999 ms further.
    [-61_000, 'warning'],
    [-300_000, 'warning'],
    [-302_000, 'failed'],
  ])('judges a clock that is %d ms ahead as %s', (aheadMs, outcome) => {
    expect(reading(NOW + aheadMs).outcome).toBe(outcome);
  });

  it('says which way, and what to do', () => {
    expect(reading(NOW + 600_000)).toEqual({
      id: 'clock:x',
      title: 'Clock of the KDC x',
      outcome: 'failed',
      detail: '600 s ahead of ours: clock skew too great for Kerberos',
      fix: expect.stringContaining('NTP'),
    });
    expect(reading(NOW - 120_000).detail).toBe('119 s behind ours');
    expect(reading(NOW)).toEqual({
      id: 'clock:x',
      title: 'Clock of the KDC x',
      outcome: 'ok',
      detail: 'within 1 s of ours',
    });
  });

  it('takes the time that the answer took for no skew', () => {
    expect(reading(NOW + 90_000, 90_000).outcome).toBe('ok');
    expect(reading(NOW + 90_000, 10_000).outcome).toBe('warning');
  });
});
