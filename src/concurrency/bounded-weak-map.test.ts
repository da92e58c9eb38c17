import { describe, expect, it } from '@jest/globals';
import { BoundedWeakMap } from './bounded-weak-map.ts';

describe('BoundedWeakMap', () => {
  const [a, b, c] = [{}, {}, {}];

  it('has what was set last for the same object, not for one that looks like it', () => {
    const map = new BoundedWeakMap<object, string>(3);
    map.set(a, 'old');
    map.set(a, 'new');
    expect(map.get(a)).toBe('new');
    expect(map.get({})).toBeUndefined();
  });

  it('forgets all but the newest when there is one too many', () => {
    const map = new BoundedWeakMap<object, string>(2);
    map.set(a, 'a');
    map.set(b, 'b');
    expect([map.get(a), map.get(b)]).toEqual(['a', 'b']);
    map.set(c, 'c');
    expect([map.get(a), map.get(b), map.get(c)]).toEqual([undefined, undefined, 'c']);
    map.set(a, 'a again');
    expect([map.get(a), map.get(c)]).toEqual(['a again', 'c']);
  });
});
