import { describe, expect, it } from '@jest/globals';
import { inTurns } from './in-turns.ts';

describe('inTurns', () => {
  it.each([
    [0, 'no items', ''],
    [2, 'less than a turn', '01'],
    [3, 'one turn', '012 '],
    [7, 'some turns', '012 345 6'],
  ])('visits %i in order, %s', async (count, _what, expected) => {
    let seen = '';
    const breathe = async (): Promise<void> => {
      await Promise.resolve();
      seen += ' ';
    };
    await inTurns(Array(count).keys(), { size: 3, breathe }, (item) => (seen += String(item)));
    expect(seen).toBe(expected);
  });

  it('goes on with what was added meanwhile', async () => {
    const items = new Set([1]);
    const seen: number[] = [];
    const breathe = async (): Promise<void> => {
      await Promise.resolve();
      if (items.size < 3) items.add(items.size + 1);
    };
    await inTurns(items, { size: 1, breathe }, (item) => seen.push(item));
    expect(seen).toEqual([1, 2, 3]);
  });
});
