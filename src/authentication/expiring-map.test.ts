import { describe, expect, it } from '@jest/globals';

import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { ExpiringMap } from './expiring-map.ts';

function world(maxEntries = 3) {
  const clock = new FakeClock();
  const left: string[] = [];
  let setBy = 0;
  const map = new ExpiringMap<string, number>({
    clock: {
      now: () => clock.now() + setBy,
      uptime: () => clock.uptime(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
    },
    maxEntries,
    onLeave: (key, value) => left.push(`${key}=${value}`),
  });
  return { clock, map, left, set: (ms: number) => (setBy = ms) };
}

describe('an entry', () => {
  it('leaves when its time is up, also when nobody looks', async () => {
    const { clock, map, left } = world();
    map.set('a', 1, 100);
    map.set('b', 2, 50);
    await clock.advance(50);
    expect([map.size, map.get('a'), map.get('b')]).toEqual([1, 1, undefined]);
    await clock.advance(49);
    expect(map.get('a')).toBe(1);
    await clock.advance(1);
    expect([map.size, left]).toEqual([0, ['b=2', 'a=1']]);
  });

  it.each([
    ['back by less than its age', -80],
    ['back to before it came', -3_600_000],
  ])('lives no longer for a clock that is set %s', async (_, ms) => {
    const { clock, map, set } = world();
    map.set('a', 1, 100);
    await clock.advance(90);
    set(ms);
    await clock.advance(10);
    expect([map.get('a'), map.size]).toEqual([undefined, 0]);
  });

  it.each([
    ['set forward', 100],
    ['set back to before it came', -1],
  ])('is not believed under a clock that is %s', (_, ms) => {
    const { clock, map, set, left } = world();
    map.set('a', 1, 100);
    set(ms);
    expect([map.get('a'), map.size, left]).toEqual([undefined, 0, ['a=1']]);
    expect(clock.sleeping).toBe(0);
  });

  it('is replaced with its time', async () => {
    const { clock, map, left } = world();
    map.set('a', 1, 100);
    await clock.advance(60);
    map.set('a', 2, 100);
    expect(left).toEqual(['a=1']);
    await clock.advance(99);
    expect(map.get('a')).toBe(2);
    await clock.advance(1);
    expect(map.get('a')).toBeUndefined();
  });

  it.each([0, -1, Number.NaN])('of %d ms is not kept, and ends what was there', (lifetimeMs) => {
    const { clock, map } = world();
    map.set('a', 1, 100);
    map.set('a', 2, lifetimeMs);
    expect([map.get('a'), map.size, clock.sleeping]).toEqual([undefined, 0, 0]);
  });

  it('that is deleted leaves no timer, and only once', () => {
    const { clock, map, left } = world();
    map.set('a', 1, 100);
    map.delete('a');
    map.delete('a');
    expect([clock.sleeping, left]).toEqual([0, ['a=1']]);
  });
});

it('makes room by letting go the oldest', () => {
  const { clock, map, left } = world(2);
  map.set('a', 1, 100);
  map.set('b', 2, 100);
  map.set('a', 3, 100);
  map.set('c', 4, 100);
  expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([3, undefined, 4]);
  expect([map.size, clock.sleeping, left]).toEqual([2, 2, ['a=1', 'b=2']]);
});
