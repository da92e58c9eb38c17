import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { SteadyClock } from './steady-clock.ts';

const START = Date.parse('2026-01-01T00:00:00Z');

interface Step {
  /** Goes by on both clocks. */
  readonly passMs?: number;
  /** Then the clock is set. */
  readonly setMs?: number;
}

/** What the steady clock says after each step, since the start, and how far it has jumped. */
async function after(
  steps: readonly Step[],
): Promise<{ readonly says: number[]; readonly jumpedMs: number }> {
  const clock = new FakeClock(START);
  const steady = new SteadyClock(clock);
  const says: number[] = [];
  for (const { passMs = 0, setMs = 0 } of steps) {
    await clock.advance(passMs);
    if (setMs !== 0) clock.set(clock.now() + setMs);
    says.push(steady.now() - START);
  }
  return { says, jumpedMs: steady.jumpedMs };
}

describe('SteadyClock', () => {
  it('begins as the clock says', () => {
    expect(new SteadyClock(new FakeClock(START)).now()).toBe(START);
  });

  it.each<[string, Step[], number[], number]>([
    ['runs with the clock', [{ passMs: 10 }, { passMs: 90_000 }], [10, 90_010], 0],
    [
      'goes on when the clock is set back',
      [{ passMs: 100, setMs: -3_600_000 }, { passMs: 50 }],
      [100, 150],
      0,
    ],
    [
      'believes a jump forward',
      [{ passMs: 100, setMs: 3_600_000 }, { passMs: 50 }],
      [3_600_100, 3_600_150],
      3_600_000,
    ],
    ['does not take a small step for a jump', [{ passMs: 100, setMs: 1_000 }], [100], 0],
    [
      'stays ahead when the clock is set back and then right',
      [{ setMs: -60_000 }, { setMs: 60_000 }],
      [0, 60_000],
      60_000,
    ],
    [
      'stays ahead when the clock is set forward and then right',
      [{ setMs: 60_000 }, { setMs: -60_000 }],
      [60_000, 60_000],
      60_000,
    ],
    ['counts each jump', [{ setMs: 5_000 }, { setMs: 5_000 }], [5_000, 10_000], 10_000],
    [
      'is not left behind by small steps, one after the other',
      [
        { passMs: 100, setMs: 900 },
        { passMs: 100, setMs: 900 },
        { passMs: 100, setMs: 900 },
      ],
      [100, 2_000, 2_100],
      1_800,
    ],
    [
      'does not take small steps to and fro for a jump',
      [{ setMs: 900 }, { setMs: -900 }, { setMs: 900 }],
      [0, 0, 0],
      0,
    ],
  ])('%s', async (_, steps, says, jumpedMs) => {
    expect(await after(steps)).toEqual({ says, jumpedMs });
  });

  it('never goes back, and never runs late', async () => {
    const step = fc.record({ passMs: fc.nat(100_000), setMs: fc.integer({ min: -1e9, max: 1e9 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const { says } = await after(steps);
        let before = 0;
        for (const [n, { passMs }] of steps.entries()) {
          expect(says[n]).toBeGreaterThanOrEqual(before + passMs);
          before = says[n] ?? 0;
        }
      }),
      { numRuns: 30 },
    );
  });
});
