import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { FairQueue, type Ticket } from './fair-queue.ts';

/** Each value is of the party of its first letter. */
function filled(values: readonly string[]) {
  const queue = new FairQueue<string>();
  const tickets = new Map(values.map((value) => [value, queue.append(value, value.charAt(0))]));
  return { queue, tickets };
}

function drain(queue: FairQueue<string>): string[] {
  const order: string[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) order.push(next);
  return order;
}

describe('FairQueue', () => {
  it.each([
    ['of one party in the order of their coming', 'a1 a2 a3', 'a1 a2 a3'],
    ['of several parties by turns', 'a1 a2 a3 b1 b2 c1', 'a1 b1 c1 a2 b2 a3'],
    ['and a party that has nobody left has no turn', 'a1 b1 b2 b3 c1 c2', 'a1 b1 c1 b2 c2 b3'],
  ])('takes out those %s', (_, coming, order) => {
    const { queue } = filled(coming.split(' '));
    expect(drain(queue).join(' ')).toBe(order);
    expect([queue.size, queue.most, queue.last]).toEqual([0, 0, undefined]);
  });

  it('lets a party that comes late wait for one of each, and one that comes again too', () => {
    const { queue } = filled(['a1', 'a2', 'a3', 'a4', 'b1', 'b2']);
    expect([queue.shift(), queue.shift()]).toEqual(['a1', 'b1']);
    queue.append('c1', 'c');
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual(['a2', 'b2', 'c1']);
    queue.append('c2', 'c');
    expect(drain(queue)).toEqual(['a3', 'c2', 'a4']);
  });

  it('finds the youngest of the party that has most', () => {
    const { queue, tickets } = filled(['a1', 'b1', 'b2', 'b3', 'a2', 'c1']);
    expect([queue.most, queue.last, queue.sizeOf('a'), queue.sizeOf('d')]).toEqual([3, 'b3', 2, 0]);
    for (const gone of ['b3', 'b2']) queue.remove(tickets.get(gone) as Ticket<string>);
    expect([queue.most, queue.last]).toEqual([2, 'a2']);
    queue.remove(tickets.get('a1') as Ticket<string>);
    expect([queue.most, queue.size]).toEqual([1, 3]);
  });

  it('is right about order and sizes whatever comes and goes', () => {
    const step = fc.oneof(
      fc.record({ come: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ go: fc.nat(30) }),
      fc.constant('shift' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new FairQueue<number>();
        // The same with arrays: whose turn it is first, and who waits.
        let turns: { readonly party: string; readonly waiting: number[] }[] = [];
        const tickets = new Map<number, Ticket<number>>();
        let next = 0;
        for (const each of steps) {
          const value = next;
          if (each === 'shift') {
            const [first, ...rest] = turns;
            expect(queue.shift()).toBe(first?.waiting.shift());
            if (first !== undefined) turns = [...rest, first];
          } else if ('come' in each) {
            next += 1;
            tickets.set(value, queue.append(value, each.come));
            const party = turns.find((one) => one.party === each.come);
            if (party === undefined) turns.push({ party: each.come, waiting: [value] });
            else party.waiting.push(value);
          } else {
            const all = turns.flatMap(({ waiting }) => waiting);
            const gone = all[each.go % (all.length || 1)];
            const ticket = gone === undefined ? undefined : tickets.get(gone);
            if (gone === undefined || ticket === undefined) continue;
            queue.remove(ticket);
            for (const { waiting } of turns)
              if (waiting.includes(gone)) waiting.splice(waiting.indexOf(gone), 1);
          }
          turns = turns.filter(({ waiting }) => waiting.length > 0);
          const sizes = turns.map(({ waiting }) => waiting.length);
          expect(queue.size).toBe(sizes.reduce((sum, size) => sum + size, 0));
          expect(queue.most).toBe(Math.max(0, ...sizes));
          const youngest = turns.filter(({ waiting }) => waiting.length === queue.most);
          if (queue.size === 0) expect(queue.last).toBeUndefined();
          else expect(youngest.map(({ waiting }) => waiting.at(-1))).toContain(queue.last);
          for (const { party, waiting } of turns) expect(queue.sizeOf(party)).toBe(waiting.length);
        }
      }),
    );
  });
});
