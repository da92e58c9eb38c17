import { expect, it } from '@jest/globals';

import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { TokenBucket } from './token-bucket.ts';

function world(ratePerSecond: number, burst: number) {
  const clock = new FakeClock();
  let setBy = 0;
  const bucket = new TokenBucket({
    clock: { now: () => clock.now() + setBy, uptime: () => clock.uptime(), sleep: (ms) => clock.sleep(ms) },
    ratePerSecond,
    burst,
  });
  /** How many can be taken at once now. */
  const take = (): number => {
    let taken = 0;
    while (taken < 1000 && bucket.take()) taken += 1;
    return taken;
  };
  return { clock, take, set: (ms: number) => (setBy += ms) };
}

it('gives a burst, and then no more', () => {
  const { take } = world(10, 3);
  expect([take(), take()]).toEqual([3, 0]);
});

it.each([
  [10, 99, 0],
  [10, 100, 1],
  [10, 250, 2],
  [0.1, 9_999, 0],
  [0.1, 10_000, 1],
  [10, 3_600_000, 3],
])('at %d a second gives after %d ms: %d', async (rate, ms, count) => {
  const { clock, take } = world(rate, 3);
  take();
  await clock.advance(ms);
  expect(take()).toBe(count);
});

it('loses nothing of the time between refusals', async () => {
  const { clock, take } = world(0.1, 3);
  take();
  let taken = 0;
  for (let second = 0; second < 100; second += 1) {
    await clock.advance(1000);
    taken += take();
  }
  expect(taken).toBe(10);
});

it('gives nothing for a clock that is set back, and goes on at its rate from there', async () => {
  const { clock, take, set } = world(1, 3);
  take();
  set(-86_400_000);
  expect(take()).toBe(0);
  await clock.advance(2000);
  expect(take()).toBe(2);
});

it('gives no more than the burst for a clock that is set forward', () => {
  const { take, set } = world(1, 3);
  take();
  set(86_400_000);
  expect(take()).toBe(3);
});
