import { describe, expect, it } from '@jest/globals';
import { drawRefreshAfter } from './refresh-after.ts';

describe('drawRefreshAfter', () => {
  it.each([
    [0, 1_900],
    [0.5, 2_000],
    [0.999_999, 2_100],
  ])('with random %d is %d', (random, expected) => {
    expect(drawRefreshAfter({ since: 1_000, periodMs: 1_000 }, () => random)).toBe(expected);
  });
});
