import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FIRST_HOLD_MS, HeldRefusals, LONGEST_HOLD_MS } from './held-refusals.ts';
import { TokenServiceError } from './token-service.ts';

const no = new TokenServiceError('denied', 'no');

let clock: FakeClock;
let refusals: HeldRefusals;

beforeEach(() => {
  clock = new FakeClock();
  refusals = new HeldRefusals({ clock, maxRefusals: 5, maxPerNamespace: 3 });
});

/** How long a refusal that comes now holds. */
async function holdMs(): Promise<number> {
  refusals.add('a', 'alice', no);
  let heldMs = 0;
  while (refusals.find('a', 'alice') !== undefined) {
    await clock.advance(1000);
    heldMs += 1000;
  }
  return heldMs;
}

describe('a refusal', () => {
  it('holds twice as long each time it comes again, up to a limit', async () => {
    const periods: number[] = [];
    for (let time = 0; time < 8; time += 1) periods.push(await holdMs());
    expect(periods.map((ms) => ms / 1000)).toEqual([5, 10, 20, 40, 80, 160, 300, 300]);
  });

  it.each([
    ['after a success', async () => refusals.delete('a', 'alice')],
    ['after a long silence', () => clock.advance(LONGEST_HOLD_MS)],
  ])('holds for a short time again %s', async (_, happen) => {
    await holdMs();
    await holdMs();
    await happen();
    expect(await holdMs()).toBe(FIRST_HOLD_MS);
  });

  it('is none for another key or namespace', () => {
    refusals.add('a', 'alice', no);
    expect([refusals.find('a', 'alice'), refusals.find('a', 'bob'), refusals.find('b', 'alice')]).toEqual([
      no,
      undefined,
      undefined,
    ]);
  });

  it('does not hold when the clock was set back', () => {
    let now = 1_000_000;
    const other = new HeldRefusals({
      clock: { now: () => now, uptime: () => now, sleep: () => new Promise(() => {}) },
    });
    other.add('a', 'alice', no);
    now -= 1;
    expect(other.find('a', 'alice')).toBeUndefined();
  });

  it('is swept away when it would count as new, not before', async () => {
    refusals.add('a', 'alice', no);
    await clock.advance(FIRST_HOLD_MS + LONGEST_HOLD_MS - 1);
    refusals.sweep();
    expect(refusals.size).toBe(1);
    await clock.advance(1);
    refusals.sweep();
    expect(refusals.size).toBe(0);
  });
});

describe('too many', () => {
  it('of one namespace push out the oldest of their own alone', () => {
    refusals.add('b', 'bob', no);
    for (const owner of ['1', '2', '3', '4', '5', '6', '7']) refusals.add('a', owner, no);
    expect(refusals.find('b', 'bob')).toBe(no);
    expect(['4', '5', '6'].map((owner) => refusals.find('a', owner) !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
    expect(refusals.size).toBe(4);
  });

  it('in all push out the oldest of the namespace that has the most', () => {
    refusals.add('b', 'bob', no);
    for (const owner of ['1', '2', '3']) refusals.add('a', owner, no);
    refusals.add('c', 'carol', no);
    refusals.add('d', 'dave', no);
    expect(refusals.find('a', '1')).toBeUndefined();
    expect([
      refusals.find('b', 'bob'),
      refusals.find('a', '2'),
      refusals.find('c', 'carol'),
      refusals.find('d', 'dave'),
    ]).toEqual([no, no, no, no]);
    expect(refusals.size).toBe(5);
  });
});
