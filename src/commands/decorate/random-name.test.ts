import { describe, expect, it } from '@jest/globals';
import { randomName } from './random-name.ts';

describe('randomName', () => {
  it.each([0, 1, 10, 63])('has %i characters, none of which a label or a word would mind', (length) => {
    expect(randomName(length)).toMatch(new RegExp(`^[bcdfghjklmnpqrstvwxz2456789]{${length}}$`));
  });

  it('is another one each time, of all its characters', () => {
    const names = Array.from({ length: 1_000 }, () => randomName(10));
    expect(new Set(names).size).toBe(1_000);
    expect(new Set(names.join('')).size).toBe(27);
  });
});
