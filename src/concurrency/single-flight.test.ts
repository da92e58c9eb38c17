import { getEventListeners } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { SingleFlight } from './single-flight.ts';

function gate<T>() {
  return Promise.withResolvers<T>();
}

describe('SingleFlight', () => {
  it('runs the work once for concurrent calls of one key', async () => {
    const flights = new SingleFlight<string, number>();
    const open = gate<number>();
    let runs = 0;
    const start = () => {
      runs += 1;
      return open.promise;
    };

    const calls = [flights.run('a', start), flights.run('a', start), flights.run('a', start)];
    open.resolve(7);

    expect([flights.has('a'), flights.has('b')]).toEqual([true, false]);
    expect(await Promise.all(calls)).toEqual([7, 7, 7]);
    expect(runs).toBe(1);
    expect(flights.has('a')).toBe(false);
  });

  it('keeps keys apart', async () => {
    const flights = new SingleFlight<string, string>();
    const result = await Promise.all(['a', 'b'].map((key) => flights.run(key, async () => `for ${key}`)));
    expect(result).toEqual(['for a', 'for b']);
  });

  it('starts anew after the run has settled, well or badly', async () => {
    const flights = new SingleFlight<string, number>();
    let runs = 0;
    const start = async () => {
      runs += 1;
      if (runs === 2) throw new Error('second');
      return runs;
    };
    expect(await flights.run('a', start)).toBe(1);
    await expect(flights.run('a', start)).rejects.toThrow('second');
    expect(flights.size).toBe(0);
    expect(await flights.run('a', start)).toBe(3);
  });

  it('gives every caller the same failure', async () => {
    const flights = new SingleFlight<string, number>();
    const open = gate<number>();
    const calls = [flights.run('a', () => open.promise), flights.run('a', () => open.promise)];
    const failure = new Error('no');
    open.reject(failure);
    const results = await Promise.allSettled(calls);
    expect(results.map((result) => (result.status === 'rejected' ? result.reason : undefined))).toEqual([
      failure,
      failure,
    ]);
  });

  it('turns a synchronous throw into a rejection and forgets the key', async () => {
    const flights = new SingleFlight<string, number>();
    await expect(
      flights.run('a', () => {
        throw new Error('at once');
      }),
    ).rejects.toThrow('at once');
    expect(flights.size).toBe(0);
  });

  it('goes on for the others when the caller that started it gives up', async () => {
    const flights = new SingleFlight<string, number>();
    const open = gate<number>();
    const first = new AbortController();
    const leaver = flights.run('a', () => open.promise, { signal: first.signal });
    const stayer = flights.run('a', () => Promise.reject(new Error('a second run')));

    first.abort(new Error('impatient'));
    await expect(leaver).rejects.toThrow('impatient');
    expect(flights.size).toBe(1);

    open.resolve(1);
    expect(await stayer).toBe(1);
  });

  it('survives a failure after every caller has left', async () => {
    const flights = new SingleFlight<string, number>();
    const open = gate<number>();
    const only = new AbortController();
    const leaver = flights.run('a', () => open.promise, { signal: only.signal });
    only.abort(new Error('gone'));
    await expect(leaver).rejects.toThrow('gone');

    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', onUnhandled);
    open.reject(new Error('nobody listens'));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', onUnhandled);

    expect(unhandled).toEqual([]);
    expect(flights.size).toBe(0);
  });

  it('starts nothing for a caller that comes aborted', async () => {
    const flights = new SingleFlight<string, number>();
    let runs = 0;
    const start = async () => (runs += 1);
    await expect(flights.run('a', start, { signal: AbortSignal.abort(new Error('late')) })).rejects.toThrow(
      'late',
    );
    expect(runs).toBe(0);
  });

  it('lets a caller go that is aborted by the start of the run', async () => {
    const caller = new AbortController();
    const call = new SingleFlight<string, never>().run(
      'a',
      () => {
        caller.abort(new Error('at once'));
        return new Promise(() => {});
      },
      { signal: caller.signal },
    );
    await expect(call).rejects.toThrow('at once');
  });

  it('leaves no listener on a long-lived signal', async () => {
    const flights = new SingleFlight<string, number>();
    const { signal } = new AbortController();
    await flights.run('a', async () => 1, { signal });
    await new Promise((resolve) => setImmediate(resolve));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
