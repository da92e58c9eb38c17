import { describe, expect, it } from '@jest/globals';
import { andThen, isLater } from './at-once.ts';

describe('andThen', () => {
  it('goes on at once with what is there', () => {
    expect(andThen(1, (value) => value + 1)).toBe(2);
  });

  it('goes on later with what is not', async () => {
    const later = andThen(Promise.resolve(1), (value) => value + 1);
    expect(isLater(later)).toBe(true);
    expect(await later).toBe(2);
  });

  it('goes on later when only the next step takes its time', async () => {
    const later = andThen(1, (value) => Promise.resolve(value + 1));
    expect(isLater(later)).toBe(true);
    expect(await later).toBe(2);
  });

  it('throws, or rejects, what the next step throws', async () => {
    const fail = (): never => {
      throw new Error('oops');
    };
    expect(() => andThen(1, fail)).toThrow('oops');
    await expect(andThen(Promise.resolve(1), fail)).rejects.toThrow('oops');
  });

  it.each([undefined, null, 0, 'then', { outcome: 'issued' }, []])('takes %j for what is there', (value) => {
    expect(isLater<unknown>(value)).toBe(false);
  });
});
