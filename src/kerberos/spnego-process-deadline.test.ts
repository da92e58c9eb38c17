import { describe, expect, it } from '@jest/globals';
import { settle } from '../../test/fakes/fake-clock.ts';
import { expectError, FakeKeytab, makeWorld, PRINCIPAL } from '../../test/fakes/spnego-world.ts';
import type { Tickets } from './tickets.ts';

const STALE =
  'No credentials were supplied, or the credentials were unavailable or inaccessible: Preauthentication failed';
const HUNG_KEYTAB = 'the keytab /etc/kerbridge/keytab could not be read within';

describe('a file system that hangs under the keytab', () => {
  it('fails the call in time and is not taken for a KDC', async () => {
    const { ask, clock, workers, keytab } = await makeWorld({ principal: PRINCIPAL, stepTimeoutMs: 1000 });
    keytab.hangs = true;
    const outcome = ask();
    await clock.advance(1000);
    expectError(outcome, 'process', `${HUNG_KEYTAB} 1000 ms`);
    keytab.hangs = false;
    const next = ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    expect(next.result).toBe('AAAA');
  });

  it('fails those who wait in time, for the same reason', async () => {
    const { ask, clock, keytab } = await makeWorld({ stepTimeoutMs: 1000, waitTimeoutMs: 600 });
    keytab.hangs = true;
    ask();
    const behind = ask();
    await clock.advance(600);
    expectError(behind, 'process', `${HUNG_KEYTAB} 600 ms`);
  });

  it('is asked by one call at a time, since each holds a thread', async () => {
    const { ask, clock, keytab } = await makeWorld({ stepTimeoutMs: 1000 });
    const looksBefore = keytab.looks;
    keytab.hangs = true;
    for (let call = 0; call < 3; call += 1) {
      const outcome = ask();
      await clock.advance(1000);
      expectError(outcome, 'process', HUNG_KEYTAB);
    }
    expect(keytab.looks).toBe(looksBefore + 1);
  });

  it('after a refusal fails the call in time too, and lets the next one begin', async () => {
    const { ask, clock, workers, keytab } = await makeWorld({ stepTimeoutMs: 1000, waitTimeoutMs: 5000 });
    const outcome = ask();
    await settle();
    keytab.hangs = true;
    workers.last.refuse(STALE);
    const next = ask();
    await clock.advance(1000);
    expectError(outcome, 'process', HUNG_KEYTAB);
    expect(workers.last.killed).toBe(false);
    keytab.hangs = false;
    await settle();
    workers.last.answer('AAAA');
    await settle();
    expect(next.result).toBe('AAAA');
  });

  it('after a refusal does not hold up close()', async () => {
    const { ask, workers, keytab, caches, process: spnegoProcess } = await makeWorld();
    const outcome = ask();
    await settle();
    keytab.hangs = true;
    workers.last.refuse(STALE);
    await settle();
    await spnegoProcess.close();
    expectError(outcome, 'process', 'shutting down');
    expect(caches.size).toBe(0);
  });
});

describe('a turn that goes on after its deadline', () => {
  it('does not swallow a change of the keytab that it sees', async () => {
    const { ask, clock, workers, keytab, events } = await makeWorld({ stepTimeoutMs: 1000 });
    ask();
    await settle();
    workers.last.refuse(STALE);
    await settle();
    keytab.hangs = true;
    keytab.replace();
    ask();
    await clock.advance(1000);
    keytab.hangs = false;
    await settle();
    expect(events.map(({ type }) => type)).not.toContain('keytab-changed');
    const next = ask();
    await settle();
    expect(events.map(({ type }) => type)).toContain('keytab-changed');
    workers.last.answer('AAAA');
    await settle();
    expect(next.result).toBe('AAAA');
  });

  it('asks nothing of the worker that the next one uses', async () => {
    const { ask, clock, workers, keytab } = await makeWorld({ stepTimeoutMs: 1000 });
    ask('a');
    await settle();
    keytab.hangs = true;
    workers.last.refuse(STALE);
    await clock.advance(1000);
    keytab.replace();
    const next = ask('b');
    keytab.hangs = false;
    await settle();
    expect(workers.started.flatMap(({ requests }) => requests.map(({ service }) => service))).toEqual([
      'HTTP@a',
      'HTTP@b',
    ]);
    expect(workers.last.killed).toBe(false);
    workers.last.answer('BBBB');
    await settle();
    expect(next.result).toBe('BBBB');
  });

  it('removes the tickets it was to remove, not the new ones of the next', async () => {
    const { ask, clock, workers, caches, process: spnegoProcess } = await makeWorld({ stepTimeoutMs: 1500 });
    ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    spnegoProcess.discardTickets();
    workers.last.kill = () => {}; // it takes its time to die
    const slow = ask();
    await clock.advance(1500);
    expectError(slow, 'process', 'no Kerberos step could be started within 1500 ms');
    const next = ask();
    await clock.advance(500);
    expect(caches).toEqual(new Set(['FILE:/tickets/2']));
    expect(workers.started).toHaveLength(2);
    expect(workers.last.killed).toBe(false);
    workers.last.answer('BBBB');
    await settle();
    expect(next.result).toBe('BBBB');
  });

  it('leaves no tickets behind that were made too late', async () => {
    const slow = Promise.withResolvers<Tickets>();
    const removed: string[] = [];
    const tickets = (cacheName: string): Tickets => ({
      cacheName,
      remove: async () => {
        removed.push(cacheName);
      },
    });
    const made = [slow.promise, Promise.resolve(tickets('FILE:/second'))];
    const { workers } = await makeWorld();
    const { ask, clock } = await makeWorld({
      stepTimeoutMs: 1000,
      adapters: {
        spawnWorker: workers.spawn,
        keytabSource: new FakeKeytab(),
        makeTickets: async () => made.shift() ?? slow.promise,
      },
    });
    ask();
    await clock.advance(1000);
    const next = ask();
    await settle();
    slow.resolve(tickets('FILE:/late'));
    await settle();
    expect(removed).toEqual(['FILE:/late']);
    expect(workers.started.map(({ environment }) => environment['KRB5CCNAME'])).toEqual(['FILE:/second']);
    workers.last.answer('AAAA');
    await settle();
    expect(next.result).toBe('AAAA');
  });

  it('is over when both tries together took too long', async () => {
    const { ask, clock, workers } = await makeWorld({ stepTimeoutMs: 1000 });
    const outcome = ask();
    await clock.advance(600);
    workers.last.refuse('Unspecified GSS failure.  Matching credential not found');
    await clock.advance(400);
    expectError(outcome, 'kdc-unreachable', 'within 1000 ms');
    expect(workers.last.killed).toBe(true);
  });
});
