import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { orAfter } from './or-after.ts';

let clock: FakeClock;
let work: PromiseWithResolvers<string>;

beforeEach(() => {
  clock = new FakeClock();
  work = Promise.withResolvers<string>();
});

describe('orAfter', () => {
  it('is the work when that is done in time, and leaves no timer', async () => {
    const result = orAfter(work.promise, { clock, ms: 5_000, instead: () => 'old' });
    await clock.advance(4_999);
    work.resolve('new');
    expect(await result).toBe('new');
    expect(clock.sleeping).toBe(0);
  });

  it('is what there is instead when the time is over, whatever becomes of the work', async () => {
    const result = orAfter(work.promise, { clock, ms: 5_000, instead: () => 'old' });
    await clock.advance(5_000);
    expect(await result).toBe('old');
    work.reject(new Error('nobody hears this'));
    await clock.advance(1);
  });

  it('is the work after all when there is nothing instead', async () => {
    const result = orAfter(work.promise, { clock, ms: 5_000, instead: () => undefined });
    await clock.advance(60_000);
    work.resolve('late');
    expect(await result).toBe('late');
  });

  it('rejects as the work does', async () => {
    const result = orAfter(work.promise, { clock, ms: 5_000, instead: () => 'old' });
    work.reject(new Error('no'));
    await expect(result).rejects.toThrow('no');
    expect(clock.sleeping).toBe(0);
  });
});
