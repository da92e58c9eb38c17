import { beforeEach, describe, expect, it } from '@jest/globals';
import { Completeness } from './completeness.ts';

let completeness: Completeness<number>;

beforeEach(() => {
  completeness = new Completeness();
});

describe('Completeness', () => {
  it('is of nothing before a list, whatever the watch tells', () => {
    expect(completeness.until).toBeUndefined();
    completeness.reach('7');
    expect(completeness.until).toBeUndefined();
  });

  it.each([
    ['8', '7'],
    ['10', '9'],
    ['10', ''],
    ['10', '0'],
    ['10', '010'],
    ['10', '11x'],
    ['10', '-11'],
    ['10', '1e9'],
    ['ten', 'ten'],
    ['', '11'],
    ['18446744073709551615', '18446744073709551614'],
  ])('when it was at %j is not proven by %j', (asked, told) => {
    completeness.restart(1);
    completeness.learn(asked, 5);
    completeness.reach(told);
    expect(completeness.until).toBe(1);
  });

  it.each([
    ['10', '10'],
    ['9', '10'],
    ['18446744073709551614', '18446744073709551615'],
  ])('when it was at %s is proven by %s', (asked, told) => {
    completeness.restart(1);
    completeness.learn(asked, 5);
    completeness.reach(told);
    expect(completeness.until).toBe(5);
  });

  it('is proven step by step, and the last step reached counts', () => {
    completeness.restart(1);
    for (const at of [2, 3, 4, 5]) completeness.learn(String(at * 10), at);
    completeness.reach('35');
    expect(completeness.until).toBe(3);
    completeness.reach('35');
    expect(completeness.until).toBe(3);
    completeness.reach('50');
    expect(completeness.until).toBe(5);
  });

  it('is that of a new list, and not of a question from before it', () => {
    completeness.restart(1);
    completeness.learn('10', 2);
    completeness.restart(3);
    completeness.reach('10');
    expect(completeness.until).toBe(3);
  });

  it('forgets the oldest of many questions', () => {
    completeness.restart(1);
    for (let n = 1; n <= 20; n += 1) completeness.learn(String(n), 100 + n);
    completeness.reach('10');
    expect(completeness.until).toBe(1);
    completeness.reach('11');
    expect(completeness.until).toBe(111);
  });
});
