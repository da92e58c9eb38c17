import { describe, expect, it } from '@jest/globals';
import { durationText, judgeLifetimes } from './judge-lifetimes.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const subject = { id: 'lifetimes:main/ns', title: 'Lifetimes' };

describe('judgeLifetimes', () => {
  it.each([
    [DAY, 7 * DAY, false, undefined],
    [10 * MINUTE, DAY, false, undefined],
    // What the calls took is missing.
    [10 * MINUTE - 900, DAY, false, undefined],
    [9 * MINUTE, 7 * DAY, false, /renew-interval to at least ten minutes/],
    [HOUR, DAY - MINUTE, false, /max-lifetime to 604800000/],
    [7 * DAY, 7 * DAY, true, /renew-interval .* below dfs\.namenode\.delegation\.token\.max-lifetime/],
  ])('judges an interval of %d and a life of %d', (renewIntervalMs, maxLifetimeMs, isCapped, fix) => {
    const finding = judgeLifetimes(subject, { renewIntervalMs, maxLifetimeMs, isCapped });
    expect(finding.outcome).toBe(fix === undefined ? 'ok' : 'warning');
    expect(finding.fix ?? '').toMatch(fix ?? /^$/);
    expect(finding.detail).toMatch(/^maximum lifetime .+, renew interval .+$/);
  });
});

describe('durationText', () => {
  it.each([
    [7 * DAY, '7 d'],
    [DAY - 1500, '1 d'],
    [36 * HOUR, '1.5 d'],
    [90 * MINUTE, '1.5 h'],
    [10 * MINUTE - 1500, '10 min'],
    [MINUTE, '1 min'],
    [59_400, '59 s'],
    [-5, '0 s'],
  ])('writes %d as %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});
