import { describe, expect, it } from '@jest/globals';
import { Backoff } from './backoff.ts';

const waits = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

describe('Backoff', () => {
  it.each([
    ['least', 0, [50, 100, 200, 300, 300]],
    ['middle', 0.5, [75, 150, 300, 450, 450]],
    ['greatest', 1, [100, 200, 400, 600, 600]],
  ])('doubles up to the cap: the %s waits', (_, random, expected) => {
    expect(waits(new Backoff({ firstMs: 100, capMs: 600, random: () => random }), 5)).toEqual(expected);
  });

  it('draws anew for each wait', () => {
    const draws = [0, 0.5];
    const backoff = new Backoff({ firstMs: 100, capMs: 100, random: () => draws.shift() ?? 0 });
    expect(waits(backoff, 2)).toEqual([50, 75]);
  });

  it('starts from the beginning after a success', () => {
    const backoff = new Backoff({ firstMs: 100, capMs: 600, random: () => 0 });
    waits(backoff, 4);
    backoff.reset();
    expect(waits(backoff, 2)).toEqual([50, 100]);
  });

  it('stays at the cap for ever', () => {
    const backoff = new Backoff({ firstMs: 100, capMs: 600, random: () => 0 });
    expect(waits(backoff, 5_000).at(-1)).toBe(300);
  });

  it('has a first wait below the cap', () => {
    expect(new Backoff({ firstMs: 100, capMs: 10, random: () => 0 }).next()).toBe(5);
  });
});
