import { describe, expect, it } from '@jest/globals';
import { reusePeriodMs } from './reuse-period.ts';

const HOUR = 3_600_000n;
const LONG_MAX = 9_223_372_036_854_775_807n;
const issueDate = 1_800_000_000_000n;

describe('reusePeriodMs', () => {
  it.each([
    [
      "half the interval with Hadoop's defaults of 7 days and 24 hours",
      7n * 24n * HOUR,
      24n * HOUR,
      12n * HOUR,
    ],
    ['a seventh of the life when that is less', 70n * HOUR, 40n * HOUR, 10n * HOUR],
    ['a seventh of the life when maxDate cuts the interval', HOUR, HOUR, HOUR / 7n],
    ['an hour of a very long interval', 7n * HOUR, LONG_MAX - issueDate, HOUR],
    ['a week of a token without end', LONG_MAX - issueDate, LONG_MAX - issueDate, 7n * 24n * HOUR],
  ])('is %s', (_, maximumLife, life, expected) => {
    const token = { issueDate, maxDate: issueDate + maximumLife };
    expect(reusePeriodMs(token, issueDate + life)).toBe(Number(expected));
  });

  it.each([
    ['maxDate is the issue', 0n, HOUR],
    ['maxDate is before the issue', -1n, HOUR],
    ['it expires as it is issued', HOUR, 0n],
    ['it expired before', HOUR, -HOUR],
  ])('refuses a token when %s', (_, maximumLife, life) => {
    const token = { issueDate, maxDate: issueDate + maximumLife };
    expect(() => reusePeriodMs(token, issueDate + life)).toThrow(
      expect.objectContaining({ failure: 'wrong-token' }),
    );
  });
});
