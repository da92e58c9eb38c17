import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { type Check, CHECK_GRACE_MS, CheckRun } from './check.ts';
import type { Finding, Outcome } from './finding.ts';

const finding = (id: string, outcome: Outcome, detail = 'seen'): Finding => ({
  id,
  title: `title of ${id}`,
  outcome,
  detail,
  ...(outcome === 'failed' || outcome === 'warning' ? { fix: 'mend it' } : {}),
});

const check = (id: string, outcome: Outcome, needs: readonly string[] = []): Check => ({
  id,
  title: `title of ${id}`,
  needs,
  run: () => Promise.resolve([finding(id, outcome)]),
});

const collect = async (findings: AsyncIterable<Finding>): Promise<Finding[]> => {
  const all: Finding[] = [];
  for await (const each of findings) all.push(each);
  return all;
};

const newRun = (signal?: AbortSignal) => {
  const clock = new FakeClock();
  return {
    clock,
    run: new CheckRun({ clock, timeoutMs: 1000, ...(signal === undefined ? {} : { signal }) }),
  };
};

describe('CheckRun', () => {
  it('gives all findings in order, and goes on after a failure', async () => {
    const { run } = newRun();
    const several: Check = {
      ...check('b', 'ok'),
      run: () => Promise.resolve([finding('b:1', 'ok'), finding('b:2', 'warning')]),
    };
    const found = await collect(run.run([check('a', 'failed'), several, check('c', 'ok')]));
    expect(found.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'a failed',
      'b:1 ok',
      'b:2 warning',
      'c ok',
    ]);
    expect([run.passed('a'), run.passed('b'), run.passed('c'), run.passed('d')]).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('gives a finding before the next check begins', async () => {
    const { run } = newRun();
    const order: string[] = [];
    const noted = (id: string): Check => ({
      ...check(id, 'ok'),
      run: () => {
        order.push(`run ${id}`);
        return Promise.resolve([finding(id, 'ok')]);
      },
    });
    for await (const { id } of run.run([noted('a'), noted('b')])) order.push(`found ${id}`);
    expect(order).toEqual(['run a', 'found a', 'run b', 'found b']);
  });

  it('skips what needs a failed check, says which failed, and skips on', async () => {
    const { run } = newRun();
    const failing: Check = {
      ...check('a', 'ok'),
      run: () => Promise.resolve([finding('a:x', 'ok'), finding('a:y', 'failed')]),
    };
    const found = await collect(run.run([failing, check('b', 'ok', ['a'])]));
    expect(found.at(-1)).toEqual({ id: 'b', title: 'title of b', outcome: 'skipped', detail: 'a:y failed' });
    // Also in a later batch, and at second hand.
    expect(await collect(run.run([check('c', 'ok', ['b']), check('d', 'ok')]))).toEqual([
      { id: 'c', title: 'title of c', outcome: 'skipped', detail: 'a:y failed' },
      finding('d', 'ok'),
    ]);
  });

  it('skips what needs a check that is not there, or was not configured', async () => {
    const { run } = newRun();
    const absent: Check = {
      ...check('a', 'ok'),
      run: () => Promise.resolve([finding('a', 'skipped', 'not configured')]),
    };
    const found = await collect(run.run([absent, check('b', 'ok', ['a']), check('c', 'ok', ['z'])]));
    expect(found.slice(1).map(({ outcome, detail }) => `${outcome}: ${detail}`)).toEqual([
      'skipped: a was skipped: not configured',
      'skipped: z was not looked at',
    ]);
  });

  it('ends a check that takes too long, and goes on', async () => {
    const { run, clock } = newRun();
    let reason: unknown;
    const hanging: Check = {
      ...check('a', 'ok'),
      timeoutMs: 300,
      timeoutFix: 'look at the cable',
      run: (signal) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
        });
        return new Promise(() => {});
      },
    };
    const found = collect(run.run([hanging, check('b', 'ok')]));
    await clock.advance(300 + CHECK_GRACE_MS);
    expect(await found).toEqual([
      {
        id: 'a',
        title: 'title of a',
        outcome: 'failed',
        detail: 'no end within 0.3 s',
        fix: 'look at the cable',
      },
      finding('b', 'ok'),
    ]);
    expect(reason).toMatchObject({ name: 'CheckTimeoutError' });
    expect(clock.sleeping).toBe(0);
  });

  it('lets no check take longer than the longest time', async () => {
    const clock = new FakeClock();
    const run = new CheckRun({ clock, timeoutMs: 1000, maxTimeoutMs: 500 });
    const hanging: Check = { ...check('a', 'ok'), timeoutMs: 9000, run: () => new Promise(() => {}) };
    const found = collect(run.run([hanging, { ...hanging, timeoutMs: 100 }]));
    await clock.advance(600 + 2 * CHECK_GRACE_MS);
    expect((await found).map(({ detail }) => detail)).toEqual(['no end within 0.5 s', 'no end within 0.1 s']);
  });

  it('takes what a check still finds out after its time, having undone what it did', async () => {
    const { run, clock } = newRun();
    const undoing: Check = {
      ...check('a', 'ok'),
      run: async (signal) => {
        await clock.sleep(60_000, signal).catch(() => undefined);
        await clock.sleep(CHECK_GRACE_MS - 1);
        return [finding('a', 'failed', 'too slow, and undone')];
      },
    };
    const found = collect(run.run([undoing]));
    await clock.advance(1000 + CHECK_GRACE_MS);
    expect(await found).toEqual([finding('a', 'failed', 'too slow, and undone')]);
  });

  const slowToUndo = (clock: FakeClock, undoMs: number): Check => ({
    ...check('a', 'ok'),
    graceMs: 25_000,
    mayLeave: { detail: 'something may be left', fix: 'wait' },
    run: async (signal) => {
      await clock.sleep(60_000, signal).catch(() => undefined);
      await clock.sleep(undoMs);
      return [finding('a', 'warning', 'undone')];
    },
  });

  it.each([
    ['its time is up', undefined],
    ['the run is ended', new AbortController()],
  ])('gives a check the grace that it asks for when %s, and reports what it found', async (_, asked) => {
    const { run, clock } = newRun(asked?.signal);
    const found = collect(run.run([slowToUndo(clock, 24_999)]));
    await settle();
    asked?.abort(new Error('SIGINT'));
    await clock.advance(26_000);
    expect(await found).toEqual([finding('a', 'warning', 'undone')]);
  });

  it.each([
    ['its time was up', 'no end within 1 s', undefined],
    ['the run was ended', 'the run was ended', new AbortController()],
  ])('says what may be left when %s and the grace is over too', async (_, why, asked) => {
    const { run, clock } = newRun(asked?.signal);
    const found = collect(run.run([slowToUndo(clock, 25_001)]));
    await settle();
    asked?.abort(new Error('SIGINT'));
    await clock.advance(26_000);
    expect(await found).toEqual([
      { ...finding('a', 'failed', `${why}; something may be left`), fix: 'wait' },
    ]);
    await clock.advance(1_000);
  });

  it('shows nothing of an unforeseen error but its name and code', async () => {
    const { run } = newRun();
    const error = Object.assign(new TypeError('Authorization: Negotiate YIIC'), { code: 'EODD' });
    const throwing: Check = { ...check('a', 'ok'), run: () => Promise.reject(error) };
    const found = await collect(run.run([throwing, check('b', 'ok', ['a'])]));
    expect(found).toMatchObject([
      { outcome: 'failed', detail: 'this check itself failed: TypeError (EODD)' },
      { outcome: 'skipped', detail: 'a failed' },
    ]);
    expect(JSON.stringify(found)).not.toContain('YIIC');
  });

  it('takes a check that throws at once for one that rejects', async () => {
    const { run } = newRun();
    const throwing: Check = {
      ...check('a', 'ok'),
      run: () => {
        throw new RangeError('x');
      },
    };
    expect(await collect(run.run([throwing]))).toMatchObject([{ outcome: 'failed' }]);
  });

  it('ends with the signal: the check under way may undo, the rest is skipped', async () => {
    const asked = new AbortController();
    const { run, clock } = newRun(asked.signal);
    let undone = false;
    const undoing: Check = {
      ...check('a', 'ok'),
      run: async (signal) => {
        await clock.sleep(60_000, signal).catch(() => undefined);
        undone = true;
        return [finding('a', 'failed', 'undone')];
      },
    };
    const found = collect(run.run([undoing, check('b', 'ok')]));
    await settle();
    asked.abort(new Error('SIGINT'));
    expect(await found).toEqual([
      finding('a', 'failed', 'undone'),
      { id: 'b', title: 'title of b', outcome: 'skipped', detail: 'the run was ended' },
    ]);
    expect(undone).toBe(true);
  });
});
