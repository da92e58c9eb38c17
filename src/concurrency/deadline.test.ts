import { getEventListeners } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { withDeadline } from './deadline.ts';

const never = () => new Promise<never>(() => {});
const onTimeout = () => new Error('too late');

describe('withDeadline', () => {
  it('hands on what the work gives, and leaves no timer and no listener', async () => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    expect(await withDeadline({ clock, timeoutMs: 10, signal, onTimeout }, async () => 1)).toBe(1);
    expect(clock.sleeping).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('hands on what the work rejects with', async () => {
    const clock = new FakeClock();
    const work = async () => {
      throw new Error('work');
    };
    await expect(withDeadline({ clock, timeoutMs: 10, onTimeout }, work)).rejects.toThrow('work');
    expect(clock.sleeping).toBe(0);
  });

  it('gives up on work that never ends, and aborts its signal', async () => {
    const clock = new FakeClock();
    let seen: AbortSignal | undefined;
    const call = withDeadline({ clock, timeoutMs: 10, onTimeout }, (signal) => {
      seen = signal;
      return never();
    });
    const rejected = expect(call).rejects.toThrow('too late');
    await clock.advance(9);
    expect(seen?.aborted).toBe(false);
    await clock.advance(1);
    await rejected;
    expect(seen?.aborted).toBe(true);
  });

  it('rejects with the reason of the caller', async () => {
    const clock = new FakeClock();
    const caller = new AbortController();
    const call = withDeadline({ clock, timeoutMs: 10, signal: caller.signal, onTimeout }, never);
    await settle();
    caller.abort(new Error('changed my mind'));
    await expect(call).rejects.toThrow('changed my mind');
    expect(clock.sleeping).toBe(0);
  });

  it('starts nothing for a caller that comes aborted', async () => {
    let runs = 0;
    const signal = AbortSignal.abort(new Error('late'));
    const work = async () => (runs += 1);
    await expect(
      withDeadline({ clock: new FakeClock(), timeoutMs: 10, signal, onTimeout }, work),
    ).rejects.toThrow('late');
    expect(runs).toBe(0);
  });
});
