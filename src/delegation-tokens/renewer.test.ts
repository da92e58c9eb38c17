import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import type { Deadline } from '../concurrency/deadline-heap.ts';
import { Renewer } from './renewer.ts';

interface Item extends Deadline {
  readonly name: string;
}
const item = (name: string): Item => ({ name, dueAt: 0, heapIndex: -1 });

let clock: FakeClock;
let renewer: Renewer<Item>;
let run: (item: Item) => Promise<void>;
/** What was begun, in order. */
let begun: string[];
let bugs: unknown[];
let ended: Promise<void>;
const [a, b, c] = [item('a'), item('b'), item('c')];

beforeEach(() => {
  clock = new FakeClock();
  begun = [];
  bugs = [];
  run = () => Promise.resolve();
  for (const each of [a, b, c]) each.heapIndex = -1;
  renewer = new Renewer<Item>({
    clock,
    now: () => clock.now(),
    concurrency: 2,
    run: async (each) => {
      begun.push(each.name);
      await run(each);
    },
    onBug: (error) => bugs.push(error),
  });
  ended = renewer.start();
});

const inMs = (ms: number): number => clock.now() + ms;

describe('Renewer', () => {
  it('does each when it is due, and once', async () => {
    renewer.schedule(a, inMs(5_000));
    renewer.schedule(b, inMs(1_000));
    await clock.advance(999);
    expect([begun, renewer.size]).toEqual([[], 2]);
    await clock.advance(1);
    expect(begun).toEqual(['b']);
    await clock.advance(100_000);
    expect([begun, renewer.size]).toEqual([['b', 'a'], 0]);
  });

  it('wakes up for what is put before what it waits for', async () => {
    renewer.schedule(a, inMs(20_000));
    await clock.advance(1_000);
    renewer.schedule(b, inMs(10));
    await clock.advance(10);
    expect(begun).toEqual(['b']);
  });

  it('leaves out what was removed, and what was put off', async () => {
    renewer.schedule(a, inMs(1_000));
    renewer.schedule(b, inMs(1_000));
    await settle();
    renewer.remove(a);
    renewer.schedule(b, inMs(60_000));
    await clock.advance(59_000);
    expect(begun).toEqual([]);
    await clock.advance(1_000);
    expect(begun).toEqual(['b']);
  });

  it('does the most overdue first, and so many at once', async () => {
    const over: (() => void)[] = [];
    run = () => new Promise((resolve) => over.push(resolve));
    renewer.schedule(c, inMs(-1));
    renewer.schedule(b, inMs(-2));
    renewer.schedule(a, inMs(-3));
    await clock.advance(100_000);
    expect([begun, renewer.size]).toEqual([['a', 'b'], 1]);
    over.shift()?.();
    await settle();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('goes on after one that failed, and does that again', async () => {
    const error = new Error('oops');
    run = () => Promise.reject(error);
    renewer.schedule(a, inMs(0));
    renewer.schedule(b, inMs(0));
    renewer.schedule(c, inMs(5_000));
    await settle();
    run = () => Promise.resolve();
    await clock.advance(5_000);
    expect([begun, bugs]).toEqual([
      ['a', 'b', 'c'],
      [error, error],
    ]);
    await clock.advance(5_000);
    expect(begun.slice(3).toSorted()).toEqual(['a', 'b']);
  });

  it('does what schedules itself again and again', async () => {
    run = (each) => {
      renewer.schedule(each, inMs(1_000));
      return Promise.resolve();
    };
    renewer.schedule(a, inMs(0));
    await clock.advance(5_500);
    expect(begun).toHaveLength(6);
  });

  it.each([60_000, -60_000])('is not late when the clock is set by %d ms', async (byMs) => {
    const steady = { since: clock.now() - clock.uptime() };
    const by = new Renewer<Item>({
      clock,
      now: () => Math.max(clock.now(), steady.since + clock.uptime()),
      concurrency: 1,
      run: async (each) => {
        begun.push(each.name);
        await Promise.resolve();
      },
      onBug: (error) => bugs.push(error),
    });
    void by.start();
    by.schedule(a, inMs(45_000));
    await clock.advance(1_000);
    clock.set(clock.now() + byMs);
    await clock.advance(44_000);
    expect(begun).toEqual(['a']);
    by.stop();
  });

  it('ends when it is stopped, with no timer left, and takes nothing more', async () => {
    renewer.schedule(a, inMs(10));
    await settle();
    renewer.stop();
    await ended;
    renewer.schedule(b, inMs(0));
    await clock.advance(100_000);
    expect([begun, clock.sleeping, renewer.size]).toEqual([[], 0, 1]);
  });
});
