import { describe, expect, it } from '@jest/globals';
import { reviewTimeMs } from './review-time.ts';

describe('reviewTimeMs', () => {
  it.each([
    ['timeout=10s', 8_750],
    ['timeout=5s', 3_750],
    ['timeout=1s', 500],
    ['timeout=2s', 1_000],
    ['timeout=30s', 28_750],
    ['timeout=1m0s', 28_750],
    ['timeout=9999m', 28_750],
    ['timeout=2.5s', 1_250],
    ['timeout=500ms', 250],
    ['timeout=1m0s&timeout=1s', 28_750],
    ['', 8_750],
    ['timeout=', 8_750],
    ['timeout=0s', 8_750],
    ['timeout=-1s', 8_750],
    ['timeout=10', 8_750],
    ['timeout=1e9s', 8_750],
    ['timeout=99999s', 8_750],
    ['timeout=soon', 8_750],
    ['timeout=1s%0a', 8_750],
  ])('of %j is %d', (query, expected) => {
    expect(reviewTimeMs(query)).toBe(expected);
  });
});
