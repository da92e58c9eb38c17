import { describe, expect, it } from '@jest/globals';
import { MAX_WAITING_PER_SOURCE } from '../delegation-tokens/source-queue.ts';
import { KeyedSlots, Place, PodPlaces, SERVER_LIMITS, Slots } from './limits.ts';

describe('SERVER_LIMITS', () => {
  it('leave requests to others while three sources hang', () => {
    expect(3 * MAX_WAITING_PER_SOURCE).toBeLessThan(SERVER_LIMITS.requests);
    expect(SERVER_LIMITS.requests).toBeLessThan(SERVER_LIMITS.connections);
  });
});

describe('KeyedSlots', () => {
  it('refuses one more than there are, of that key only [keyed-limit]', () => {
    const slots = new KeyedSlots(2);
    expect([slots.take('a'), slots.take('a'), slots.take('a')]).toEqual([true, true, false]);
    expect(slots.take('b')).toBe(true);
    slots.give('a');
    expect([slots.take('a'), slots.take('a')]).toEqual([true, false]);
  });

  it('forgets a key with nothing under way', () => {
    const slots = new KeyedSlots(2);
    for (let each = 0; each < 1_000; each += 1) {
      slots.take(`namespace-${each}`);
      slots.give(`namespace-${each}`);
    }
    expect(slots.keys).toBe(0);
  });

  it.each(['__proto__', 'constructor', 'toString', ''])('counts %j like any other [keyed-limit]', (name) => {
    const slots = new KeyedSlots(1);
    expect([slots.take(name), slots.take(name)]).toEqual([true, false]);
  });
});

describe('PodPlaces', () => {
  const setUp = (perPod: number, perNamespace: number) => {
    const slots = { pods: new KeyedSlots(perPod), namespaces: new KeyedSlots(perNamespace) };
    return { slots, places: () => new PodPlaces(slots) };
  };
  const pod = (uid: string, namespace = 'team-a') => ({ uid, namespace });

  it('names the limit that is reached [keyed-limit]', () => {
    const { places } = setUp(1, 2);
    expect(places().take(pod('a'))).toBeUndefined();
    expect(places().take(pod('a'))).toBe('pod');
    expect(places().take(pod('b'))).toBeUndefined();
    expect(places().take(pod('c'))).toBe('namespace');
    expect(places().take(pod('d', 'team-b'))).toBeUndefined();
  });

  it('leaves a namespace its places when somebody uses up those of one pod [keyed-limit]', () => {
    const { places } = setUp(2, 3);
    const stolen = Array.from({ length: 50 }, () => places().take(pod('stolen')));
    expect(stolen.filter((limit) => limit === undefined)).toHaveLength(2);
    expect(places().take(pod('other'))).toBeUndefined();
  });

  it('gives back what it took, once, also of what it got only in part [keyed-limit]', () => {
    const { slots, places } = setUp(2, 1);
    const first = places();
    const second = places();
    expect([first.take(pod('a')), second.take(pod('a'))]).toEqual([undefined, 'namespace']);
    second.leave();
    second.leave();
    first.leave();
    first.leave();
    expect([slots.pods.keys, slots.namespaces.keys]).toEqual([0, 0]);
  });

  it('takes nothing after it has left', () => {
    const { slots, places } = setUp(1, 1);
    const over = places();
    over.leave();
    expect(over.take(pod('a'))).toBe('pod');
    expect([slots.pods.keys, slots.namespaces.keys]).toEqual([0, 0]);
  });
});

describe('Place', () => {
  it('leaves its slot to others while the request goes on, and takes one again', () => {
    const slots = new Slots(1);
    const place = new Place(slots);
    const other = new Place(slots);
    place.take();
    place.giveBack();
    place.giveBack();
    expect([slots.taken, other.take(), place.take()]).toEqual([0, true, false]);
    other.leave();
    expect(place.take()).toBe(true);
    place.leave();
    place.giveBack();
    expect([slots.taken, place.take()]).toEqual([0, false]);
  });

  it('is one slot however often it is taken, and is given back once', () => {
    const slots = new Slots(1);
    const place = new Place(slots);
    const other = new Place(slots);
    expect([place.take(), place.take(), other.take()]).toEqual([true, true, false]);
    other.leave();
    expect(slots.taken).toBe(1);
    place.leave();
    place.leave();
    expect(slots.taken).toBe(0);
  });

  it('takes nothing after it has left', () => {
    const slots = new Slots(1);
    const place = new Place(slots);
    place.leave();
    expect([place.take(), slots.taken]).toEqual([false, 0]);
  });
});
