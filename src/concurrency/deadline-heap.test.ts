import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { type Deadline, DeadlineHeap } from './deadline-heap.ts';

interface Item extends Deadline {
  readonly name: number;
}
const newItem = (name: number): Item => ({ name, dueAt: 0, heapIndex: -1 });

type Command =
  | { readonly do: 'set'; readonly name: number; readonly dueAt: number }
  | { readonly do: 'remove'; readonly name: number }
  | { readonly do: 'take' };

const name = fc.nat(11);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    arbitrary: fc.record({ do: fc.constant('set' as const), name, dueAt: fc.integer({ min: -50, max: 50 }) }),
    weight: 4,
  },
  { arbitrary: fc.record({ do: fc.constant('remove' as const), name }), weight: 1 },
  { arbitrary: fc.record({ do: fc.constant('take' as const) }), weight: 1 },
);

describe('DeadlineHeap', () => {
  it('has nothing next when it is empty, and removes what is not in it without a word', () => {
    const heap = new DeadlineHeap<Item>();
    heap.remove(newItem(1));
    expect([heap.next, heap.size]).toEqual([undefined, 0]);
  });

  it('agrees with a list that is sorted each time', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const heap = new DeadlineHeap<Item>();
        const items = Array.from({ length: 12 }, (_, n) => newItem(n));
        const model = new Map<Item, number>();
        for (const each of commands) {
          const item = each.do === 'take' ? heap.next : items[each.name];
          if (item === undefined) continue;
          if (each.do === 'set') {
            heap.set(item, each.dueAt);
            model.set(item, each.dueAt);
          } else {
            heap.remove(item);
            model.delete(item);
          }
          const due = [...model.values()].toSorted((one, other) => one - other);
          expect([heap.size, heap.next?.dueAt]).toEqual([model.size, due[0]]);
          expect(new Set(heap.values())).toEqual(new Set(model.keys()));
          for (const one of items) {
            expect(one.heapIndex !== -1).toBe(model.has(one));
            if (model.has(one)) expect(one.dueAt).toBe(model.get(one));
          }
        }
        const drained: number[] = [];
        for (let next = heap.next; next !== undefined; next = heap.next) {
          drained.push(next.dueAt);
          heap.remove(next);
        }
        expect(drained).toEqual([...model.values()].toSorted((one, other) => one - other));
      }),
      { numRuns: 60 },
    );
  });

  it('finds what is next of many with few comparisons', () => {
    const heap = new DeadlineHeap<Item>();
    let reads = 0;
    const counted = (n: number): Item => {
      let dueAt = 0;
      return {
        name: n,
        heapIndex: -1,
        get dueAt() {
          reads += 1;
          return dueAt;
        },
        set dueAt(at) {
          dueAt = at;
        },
      };
    };
    for (let n = 0; n < 10_000; n += 1) heap.set(counted(n), (n * 7_919) % 10_007);
    reads = 0;
    const { next } = heap;
    if (next !== undefined) heap.set(next, 20_000);
    // Four for each of 14 levels, and some.
    expect(reads).toBeLessThan(80);
  });
});
