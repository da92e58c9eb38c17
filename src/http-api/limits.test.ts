import { describe, expect, it } from '@jest/globals';
import { NamespacePlaces, NamespaceSlots, Place, Slots } from './limits.ts';

describe('NamespaceSlots', () => {
  it('refuses one more than there are, of that namespace only [namespace-limit]', () => {
    const slots = new NamespaceSlots(2);
    expect([slots.take('a'), slots.take('a'), slots.take('a')]).toEqual([true, true, false]);
    expect(slots.take('b')).toBe(true);
    slots.give('a');
    expect([slots.take('a'), slots.take('a')]).toEqual([true, false]);
  });

  it('forgets a namespace with nothing under way', () => {
    const slots = new NamespaceSlots(2);
    for (let each = 0; each < 1_000; each += 1) {
      slots.take(`namespace-${each}`);
      slots.give(`namespace-${each}`);
    }
    expect(slots.namespaces).toBe(0);
  });

  it.each(['__proto__', 'constructor', 'toString', ''])(
    'counts %j like any other [namespace-limit]',
    (name) => {
      const slots = new NamespaceSlots(1);
      expect([slots.take(name), slots.take(name)]).toEqual([true, false]);
    },
  );
});

describe('NamespacePlaces', () => {
  it('gives back what it took, once', () => {
    const slots = new NamespaceSlots(3);
    const places = new NamespacePlaces(slots);
    expect([places.take('a'), places.take('b')]).toEqual([true, true]);
    slots.take('a');
    places.leave();
    places.leave();
    expect(slots.namespaces).toBe(1);
  });

  it('takes nothing after it has left', () => {
    const slots = new NamespaceSlots(1);
    const places = new NamespacePlaces(slots);
    places.leave();
    expect(places.take('a')).toBe(false);
    expect(slots.namespaces).toBe(0);
  });
});

describe('Place', () => {
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
