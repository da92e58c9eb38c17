import { describe, expect, it } from '@jest/globals';
import { handedOutUntil, reusePeriodMs } from './reuse-period.ts';

const HOUR = 3_600_000n;
const LONG_MAX = 9_223_372_036_854_775_807n;
const issueDate = 1_800_000_000_000n;

describe('reusePeriodMs', () => {
  it.each([
    ["a day with Hadoop's default of 7 days", 7n * 24n * HOUR, 24n * HOUR],
    ['a seventh of a short life', 70n * HOUR, 10n * HOUR],
    ['a week of a token without end', LONG_MAX - issueDate, 7n * 24n * HOUR],
  ])('is %s', (_, maximumLife, expected) => {
    expect(reusePeriodMs({ issueDate, maxDate: issueDate + maximumLife })).toBe(Number(expected));
  });

  it.each([
    ['maxDate is the issue', 0n],
    ['maxDate is before the issue', -1n],
  ])('refuses a token when %s', (_, maximumLife) => {
    expect(() => reusePeriodMs({ issueDate, maxDate: issueDate + maximumLife })).toThrow(
      expect.objectContaining({ failure: 'wrong-token' }),
    );
  });
});

it('is over for new holders before the first of the old ones comes back', () => {
  expect(handedOutUntil(1_000, 100)).toBe(1_090);
});
