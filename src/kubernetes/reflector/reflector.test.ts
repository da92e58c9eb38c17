import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakePodSource } from '../../../test/fakes/fake-pod-source.ts';
import type { PodView } from '../../authentication/kubernetes-access.ts';
import { POD } from '../pod-reflector/pod-reflector.ts';
import { createReflector, type Reflector, type ReflectorEvent, type ReflectorTiming } from './reflector.ts';

/*
 * What the pod reflector's tests leave open: short watches, and up to when all is known. The rest is shown there.
 */

const TIMING: ReflectorTiming = {
  silenceLimitMs: 10_000,
  watchSeconds: { least: 6, most: 6 },
  overdueMs: 5_000,
  questionIntervalMs: 2_000,
  behindMs: 15_000,
  maxLagMs: 15_000,
  retryCapMs: 5_000,
};
const A = { name: 'a', uid: 'a-1' };

let clock: FakeClock;
let source: FakePodSource;
let events: ReflectorEvent[];
let held: Map<string, PodView>;
let reflector: Reflector;

beforeEach(() => {
  clock = new FakeClock();
  source = new FakePodSource();
  events = [];
  held = new Map();
  reflector = createReflector({
    source,
    of: POD,
    target: {
      get size() {
        return held.size;
      },
      put: (pod) => held.set(pod.name, pod),
      delete: (pod) => held.delete(pod.name),
      beginReplacement: () => {
        const put = new Map<string, PodView>();
        return {
          put: (pod) => put.set(pod.name, pod),
          complete: () => {
            held = put;
          },
        };
      },
    },
    timing: TIMING,
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
  });
});
afterEach(async () => {
  await reflector.stop();
  await settle();
  expect(clock.sleeping).toBe(0);
});

const known = () => reflector.state().completeUntil;
const lag = (): number => clock.now() - (known() ?? Number.NEGATIVE_INFINITY);
const lists = (): number => events.filter(({ type }) => type === 'listed').length;

/** What an API server does with a watch of six seconds. */
async function passWatches(count: number, { bookmarks = true } = {}): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    source.moveOn();
    await clock.advance(4_500);
    if (bookmarks) source.bookmark();
    await clock.advance(1_500);
    source.watch.end();
    await clock.advance(0);
  }
}

describe('a reflector with short watches', () => {
  it('knows nothing before the first list, and then up to its beginning', async () => {
    expect(known()).toBeUndefined();
    source.put(A);
    reflector.start();
    await settle();
    expect(known()).toBe(clock.now());
    source.moveOn();
    await clock.advance(3_000);
    expect(lag()).toBe(3_000);
  });

  it('lets a bookmark of each watch prove that nothing is missing, and goes on from there', async () => {
    source.put(A);
    reflector.start();
    await settle();
    for (let n = 0; n < 20; n += 1) {
      await passWatches(1);
      expect(lag()).toBeLessThanOrEqual(4_000);
    }
    expect(lists()).toBe(1);
    source.put({ ...A, phase: 'Succeeded' });
    await settle();
    expect(held.get('a')?.phase).toBe('Succeeded');
  });

  it('lists anew before more than the limit may be missing, where no bookmark comes', async () => {
    reflector.start();
    await settle();
    for (let n = 0; n < 10; n += 1) {
      await passWatches(1, { bookmarks: false });
      expect(lag()).toBeLessThanOrEqual(TIMING.maxLagMs + 6_000);
    }
    expect(lists()).toBeGreaterThan(2);
  });

  it('knows no more while nobody answers, and all again soon after', async () => {
    source.put(A);
    reflector.start();
    await settle();
    const before = known();
    source.failWith(new Error('away'));
    source.watch.fail(new Error('broken'));
    await clock.advance(120_000);
    expect(known()).toBe(before);
    source.delete(A);
    source.failWith(undefined);
    await clock.advance(TIMING.retryCapMs);
    expect(lag()).toBeLessThanOrEqual(TIMING.retryCapMs);
    expect(held.size).toBe(0);
  });
});

describe('a clock that is set', () => {
  beforeEach(async () => {
    reflector.start();
    await settle();
  });

  it('back: nothing is known, and what was known is no younger for it', async () => {
    const before = clock.now();
    clock.set(before - 5_000);
    expect(known()).toBeUndefined();
    source.failWith(new Error('away'));
    source.watch.fail(new Error('broken'));
    await clock.advance(7_000);
    // Seven seconds ago by the clock that nobody sets, two by the other.
    expect(lag()).toBe(7_000);
  });

  it('forward: what was known is as old as it looks', () => {
    const before = clock.now();
    clock.set(before + 3_600_000);
    expect(known()).toBe(before);
    expect(reflector.isFresh()).toBe(false);
  });
});
