import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { createLogger } from '../observability/logger.ts';
import { createMetrics } from '../observability/metrics.ts';
import {
  CHECK_INTERVAL_MS,
  type Dependency,
  FAILURES_UNTIL_BLOCKING,
  OTHER_CLUSTERS_MS,
  Readiness,
} from './readiness.ts';

function start(...required: Dependency['required'][]) {
  return startWith(required.map((each) => ({ required: each })));
}

function startWith(given: readonly Pick<Dependency, 'required' | 'cluster'>[]) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const metrics = createMetrics({ version: '0', processMetrics: false });
  const calls: number[] = given.map(() => 0);
  const answers: (() => Promise<void>)[] = given.map(() => () => Promise.resolve());
  const readiness = new Readiness({
    dependencies: given.map((each, index) => ({
      ...each,
      name: `d${index}`,
      check: () => {
        calls[index] = (calls[index] ?? 0) + 1;
        return answers[index]?.() ?? Promise.resolve();
      },
    })),
    clock,
    logger: createLogger({ level: 'debug', clock, destination: { write: (line) => lines.push(line) } }),
    metrics,
    checkTimeoutMs: 1_000,
  });
  const log = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { readiness, clock, calls, answers, metrics, log };
}

const failing = () => Promise.reject(new Error('down'));

describe('Readiness', () => {
  it('is not ready before anything was checked, and asks', async () => {
    const { readiness, calls } = start('always');
    expect(readiness.report()).toEqual({
      ready: false,
      status: 'not-ready',
      dependencies: [{ name: 'd0', status: 'unknown', blocking: true }],
    });
    await settle();
    expect(calls).toEqual([1]);
    expect(readiness.report()).toMatchObject({ ready: true, status: 'ready' });
  });

  it.each<[Dependency['required'], boolean, boolean]>([
    ['always', false, false],
    ['until-first-success', false, false],
    ['always', true, false],
    ['until-first-success', true, true],
  ])('%s, after a success (%s), while failing is ready: %s', async (required, succeededBefore, ready) => {
    const { readiness, clock, answers } = start(required, 'always');
    if (succeededBefore) {
      await readiness.refresh();
      await clock.advance(CHECK_INTERVAL_MS.ok);
    }
    answers[0] = failing;
    for (let failure = 0; failure < FAILURES_UNTIL_BLOCKING; failure += 1) {
      await readiness.refresh();
      await clock.advance(CHECK_INTERVAL_MS.failing - (failure + 1 === FAILURES_UNTIL_BLOCKING ? 1 : 0));
    }
    expect(readiness.report()).toEqual({
      ready,
      status: ready ? 'ready' : 'not-ready',
      dependencies: [
        { name: 'd0', status: 'failing', blocking: !ready },
        { name: 'd1', status: 'ok', blocking: false },
      ],
    });
  });

  it('checks again when the clock was set back', async () => {
    const { readiness, clock, calls } = start('always');
    await readiness.refresh();
    await clock.advance(-3_600_000);
    await readiness.refresh();
    expect(calls).toEqual([2]);
  });

  it('stays ready through failures that are fewer than three in a row', async () => {
    const { readiness, clock, answers } = start('always');
    await readiness.refresh();
    await clock.advance(CHECK_INTERVAL_MS.ok);
    const ready: boolean[] = [];
    for (const fails of [true, true, false, true, true, true]) {
      answers[0] = fails ? failing : () => Promise.resolve();
      await readiness.refresh();
      ready.push(readiness.report().ready);
      await clock.advance(fails ? CHECK_INTERVAL_MS.failing : CHECK_INTERVAL_MS.ok);
    }
    expect(ready).toEqual([true, true, true, true, true, false]);
  });

  it('is not ready after one failure of what never succeeded', async () => {
    const { readiness, answers } = start('always');
    answers[0] = failing;
    await readiness.refresh();
    expect(readiness.report().ready).toBe(false);
  });

  it('logs a failure once, again when it changes, with its fix, and the end of it', async () => {
    const { readiness, clock, answers, log } = start('always');
    const stale = Object.assign(new Error('stale keytab'), { fix: 'export it anew', config: 'hunter2' });
    for (const error of [new Error('down'), new Error('down'), stale, stale, undefined, undefined]) {
      answers[0] = () => (error === undefined ? Promise.resolve() : Promise.reject(error));
      await readiness.refresh();
      await clock.advance(CHECK_INTERVAL_MS.ok);
    }
    expect(log()).toMatchObject([
      { level: 'warn', error: { message: 'down' }, failure: {} },
      { level: 'warn', error: { message: 'stale keytab' }, failure: { fix: 'export it anew' } },
      { level: 'info', message: 'Dependency is ready' },
    ]);
    expect(JSON.stringify(log())).not.toContain('hunter2');
  });

  it('logs the fix of the first of several errors, and again when one of them changes', async () => {
    const { readiness, clock, answers, log } = start('always');
    const refused = (endpoint: string) => Object.assign(new Error('refused'), { endpoint, fix: 'start it' });
    const both = [
      new AggregateError([refused('nn1'), new Error('a')], 'all'),
      new AggregateError([refused('nn1')], 'all'),
    ];
    for (const error of both) {
      answers[0] = () => Promise.reject(error);
      await readiness.refresh();
      await clock.advance(CHECK_INTERVAL_MS.ok);
    }
    const failure = { endpoint: 'nn1', fix: 'start it' };
    expect(log()).toMatchObject([{ failure }, { failure }]);
  });

  describe('of several clusters', () => {
    const ofCluster = (cluster: string) => ({ required: 'until-first-success', cluster }) as const;
    const clusters = () =>
      startWith([{ required: 'always' }, ofCluster('a'), ofCluster('a'), ofCluster('b')]);
    const blockingIn = ({ readiness }: ReturnType<typeof clusters>) =>
      readiness.report().dependencies.flatMap(({ name, blocking }) => (blocking ? [name] : []));
    const refreshFor = async ({ readiness, clock }: ReturnType<typeof clusters>, ms: number) => {
      for (let passed = 0; passed < ms; passed += CHECK_INTERVAL_MS.failing) {
        await clock.advance(CHECK_INTERVAL_MS.failing);
        await readiness.refresh();
      }
    };
    const saidWithout = ({ log }: ReturnType<typeof clusters>) =>
      log().filter(({ message }) => message === 'Ready without clusters that were never there');

    it('waits for ever while none is wholly there', async () => {
      const world = clusters();
      world.answers[2] = failing;
      world.answers[3] = failing;
      await refreshFor(world, 10 * OTHER_CLUSTERS_MS);
      expect(blockingIn(world)).toEqual(['d2', 'd3']);
      expect(saidWithout(world)).toEqual([]);
    });

    it('goes without those that were not there in time, with one warning', async () => {
      const world = clusters();
      world.answers[3] = failing;
      await world.readiness.refresh();
      await refreshFor(world, OTHER_CLUSTERS_MS - CHECK_INTERVAL_MS.failing);
      expect(blockingIn(world)).toEqual(['d3']);
      await refreshFor(world, CHECK_INTERVAL_MS.failing);
      expect(blockingIn(world)).toEqual([]);
      expect(world.readiness.report()).toMatchObject({ ready: true });
      expect(saidWithout(world)).toMatchObject([{ level: 'warn', clusters: ['b'] }]);
      expect(world.readiness.report().dependencies[3]).toMatchObject({ status: 'failing' });
    });

    it('does not go without anything else', async () => {
      const world = clusters();
      world.answers[0] = failing;
      world.answers[3] = failing;
      await refreshFor(world, 2 * OTHER_CLUSTERS_MS);
      expect(blockingIn(world)).toEqual(['d0']);
    });

    it('goes without when the clock was set back', async () => {
      const world = clusters();
      world.answers[3] = failing;
      await world.readiness.refresh();
      await world.clock.advance(-3_600_000);
      expect(blockingIn(world)).toEqual([]);
    });

    it('warns of nothing when all are there', async () => {
      const world = clusters();
      await refreshFor(world, 2 * OTHER_CLUSTERS_MS);
      expect(saidWithout(world)).toEqual([]);
    });
  });

  it('does not check again for each probe', async () => {
    const { readiness, clock, calls } = start('always');
    await readiness.refresh();
    for (let probe = 0; probe < 10; probe += 1) readiness.report();
    await clock.advance(CHECK_INTERVAL_MS.ok - 1);
    readiness.report();
    await settle();
    expect(calls).toEqual([1]);
    await clock.advance(1);
    readiness.report();
    await settle();
    expect(calls).toEqual([2]);
  });

  it('checks sooner what fails, and notices that it is back', async () => {
    const { readiness, clock, calls, answers, metrics } = start('always');
    answers[0] = failing;
    await readiness.refresh();
    expect(await metrics.registry.metrics()).toContain('kerbridge_dependency_ready{dependency="d0"} 0');
    await clock.advance(CHECK_INTERVAL_MS.failing - 1);
    await readiness.refresh();
    expect(calls).toEqual([1]);
    answers[0] = () => Promise.resolve();
    await clock.advance(1);
    await readiness.refresh();
    expect(calls).toEqual([2]);
    expect(readiness.report().ready).toBe(true);
    expect(await metrics.registry.metrics()).toContain('kerbridge_dependency_ready{dependency="d0"} 1');
  });

  it('runs one check at a time, and answers meanwhile', async () => {
    const { readiness, calls, answers } = start('always');
    const gate = Promise.withResolvers<void>();
    answers[0] = () => gate.promise;
    for (let probe = 0; probe < 5; probe += 1) expect(readiness.report().ready).toBe(false);
    await settle();
    expect(calls).toEqual([1]);
    gate.resolve();
    await settle();
    expect(readiness.report().ready).toBe(true);
  });

  it('takes a check that does not end for a failure, and leaves no timer behind', async () => {
    const { readiness, clock, answers } = start('always');
    await readiness.refresh();
    expect(clock.sleeping).toBe(0);
    await clock.advance(CHECK_INTERVAL_MS.ok);
    answers[0] = () => new Promise(() => undefined);
    const refreshed = readiness.refresh();
    await clock.advance(1_000);
    await refreshed;
    expect(readiness.report()).toMatchObject({ dependencies: [{ status: 'failing' }] });
    expect(clock.sleeping).toBe(0);
  });

  it('survives a check that throws at once', async () => {
    const { readiness, answers } = start('always');
    answers[0] = () => {
      throw new Error('at once');
    };
    await readiness.refresh();
    expect(readiness.report()).toMatchObject({ dependencies: [{ status: 'failing' }] });
  });

  it('is never ready again once it shuts down, and checks nothing', async () => {
    const { readiness, clock, calls } = start('always');
    await readiness.refresh();
    readiness.startShutdown();
    await clock.advance(CHECK_INTERVAL_MS.ok);
    expect(readiness.report()).toMatchObject({ ready: false, status: 'shutting-down' });
    await settle();
    expect(calls).toEqual([1]);
  });
});
