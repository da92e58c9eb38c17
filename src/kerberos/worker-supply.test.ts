import { describe, expect, it } from '@jest/globals';
import { respawnDelayMs } from './worker-supply.ts';

describe('respawnDelayMs', () => {
  it.each([
    [0, 0],
    [1, 0],
    [2, 250],
    [3, 500],
    [7, 8000],
    [8, 10_000],
    [1_000_000, 10_000],
  ])('after %i crashes in a row is %i', (crashes, delayMs) => {
    expect(respawnDelayMs(crashes)).toBe(delayMs);
  });
});
