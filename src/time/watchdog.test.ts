import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { Watchdog } from './watchdog.ts';

const TIMEOUT_MS = 1_000;

function setUp() {
  const clock = new FakeClock();
  const watchdog = new Watchdog({ clock, timeoutMs: TIMEOUT_MS });
  const late: string[] = [];
  return { clock, watchdog, late, begin: (name: string) => watchdog.begin(() => late.push(name)) };
}

describe('Watchdog', () => {
  it('says once that work is late, when it is', async () => {
    const { clock, begin, late } = setUp();
    begin('a');
    await clock.advance(TIMEOUT_MS - 1);
    expect(late).toEqual([]);
    await clock.advance(1);
    expect(late).toEqual(['a']);
    await clock.advance(10 * TIMEOUT_MS);
    expect([late, clock.sleeping]).toEqual([['a'], 0]);
  });

  it('measures each piece from its own beginning, with one timer', async () => {
    const { clock, watchdog, begin, late } = setUp();
    for (const name of ['a', 'b', 'c']) {
      begin(name);
      await clock.advance(400);
      expect(clock.sleeping).toBe(1);
      watchdog.end();
    }
    begin('d');
    await clock.advance(TIMEOUT_MS - 1);
    expect(late).toEqual([]);
    await clock.advance(1);
    expect(late).toEqual(['d']);
  });

  it('goes on with the next after one that was late', async () => {
    const { clock, watchdog, begin, late } = setUp();
    begin('a');
    await clock.advance(TIMEOUT_MS);
    watchdog.end();
    begin('b');
    await clock.advance(TIMEOUT_MS);
    expect(late).toEqual(['a', 'b']);
  });

  it('leaves no timer behind', async () => {
    const { clock, watchdog, begin, late } = setUp();
    begin('a');
    watchdog.end();
    await clock.advance(TIMEOUT_MS);
    begin('b');
    watchdog.stop();
    await settle();
    expect([clock.sleeping, late]).toEqual([0, []]);
  });
});
