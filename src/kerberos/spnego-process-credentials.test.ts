import { describe, expect, it } from '@jest/globals';
import { settle } from '../../test/fakes/fake-clock.ts';
import {
  expectError,
  FakeKeytab,
  makeWorld,
  PRINCIPAL,
  untilDecided,
} from '../../test/fakes/spnego-world.ts';
import { KeytabError } from './keytab.ts';
import { ticketsBelow, type Tickets } from './tickets.ts';

const NO_CREDENTIALS = 'No credentials were supplied, or the credentials were unavailable or inaccessible: ';
const STALE = `${NO_CREDENTIALS}Preauthentication failed`;

describe('the keytab', () => {
  it('is read once while it stays the same', async () => {
    const { ask, workers, keytab } = await makeWorld();
    for (const token of ['AAAA', 'BBBB']) {
      ask();
      await settle();
      workers.last.answer(token);
      await settle();
    }
    expect(keytab.reads).toBe(1);
  });

  it('read for the first time has not changed', async () => {
    const keytab = new FakeKeytab();
    const { ask, workers, events } = await makeWorld({ principal: PRINCIPAL }, keytab);
    for (const token of ['AAAA', 'BBBB']) {
      ask();
      await settle();
      workers.last.answer(token);
      await settle();
    }
    expect(keytab.reads).toBe(1);
    expect(workers.started).toHaveLength(1);
    expect(events.map(({ type }) => type)).toEqual(['worker-started', 'step', 'step']);
  });

  it('that no longer has the principal is refused, with those it has', async () => {
    const { ask, keytab, process: spnegoProcess } = await makeWorld();
    keytab.replace(['x@EXAMPLE.COM', 'y@EXAMPLE.COM']);
    const outcome = ask();
    await settle();
    expectError(outcome, 'credentials', `no entry of ${PRINCIPAL}`);
    expect(outcome.error).toHaveProperty('fix', expect.stringContaining('x@EXAMPLE.COM, y@EXAMPLE.COM'));
    expect(spnegoProcess.principal).toBe(PRINCIPAL);
  });

  it('that went away fails calls until it is back', async () => {
    const { ask, workers, keytab } = await makeWorld();
    keytab.problem = new KeytabError('missing', 'there is no keytab at /k');
    const lost = ask();
    await settle();
    expectError(lost, 'credentials', 'there is no keytab');
    keytab.problem = undefined;
    const found = ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    expect(found.result).toBe('AAAA');
  });

  it('replaced during a failing step is tried once more, with new tickets', async () => {
    const { ask, workers, keytab, events } = await makeWorld();
    const outcome = ask();
    await settle();
    keytab.replace();
    workers.last.refuse(STALE);
    await settle();
    expect(workers.started).toHaveLength(2);
    expect(workers.last.environment['KRB5CCNAME']).toBe('FILE:/tickets/2');
    workers.last.answer('AAAA');
    await settle();
    expect(outcome.result).toBe('AAAA');
    expect(events).toContainEqual({ type: 'step-retried', service: 'HTTP@nn.example.com', reason: STALE });
  });

  it('replaced twice is not tried a third time', async () => {
    const { ask, workers, keytab } = await makeWorld();
    const outcome = ask();
    for (let round = 0; round < 2; round += 1) {
      await settle();
      keytab.replace();
      workers.last.refuse(STALE);
    }
    await settle();
    expectError(outcome, 'credentials', 'Preauthentication failed');
    expect(workers.started).toHaveLength(2);
  });

  it('with a key the KDC does not have is not tried again for a while, by nobody', async () => {
    const { ask, workers, clock } = await makeWorld({ credentialsHoldMs: 5000 });
    const first = ask('a');
    const second = ask('b');
    await settle();
    workers.last.refuse(STALE);
    await settle();
    expectError(first, 'credentials', 'Preauthentication failed');
    expect(first.error).toHaveProperty('fix', expect.stringContaining('Export the keytab anew'));
    expectError(second, 'credentials', 'Preauthentication failed');
    expect(workers.last.requests).toHaveLength(1);
    await clock.advance(4999);
    const tooSoon = ask('c');
    await settle();
    expectError(tooSoon, 'credentials', 'Preauthentication failed');
    expect(workers.last.requests).toHaveLength(1);
    await clock.advance(1);
    const later = ask('d');
    await settle();
    workers.last.answer('DDDD');
    await settle();
    expect(later.result).toBe('DDDD');
  });

  it('with a wrong key is tried at once when it was replaced', async () => {
    const { ask, workers, keytab } = await makeWorld();
    ask();
    await settle();
    workers.last.refuse(STALE);
    await settle();
    keytab.replace();
    const next = ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    expect(next.result).toBe('AAAA');
  });

  it('is not to blame, and not held against us, when a KDC is out of reach', async () => {
    const { ask, workers } = await makeWorld();
    ask();
    await settle();
    workers.last.refuse("Cannot contact any KDC for realm 'EXAMPLE.COM'");
    await settle();
    ask();
    await settle();
    expect(workers.last.requests).toHaveLength(2);
  });
});

describe('tickets', () => {
  it('lost in a race of the credential cache are asked for once more, in the same worker', async () => {
    const { ask, workers } = await makeWorld();
    const outcome = ask();
    await settle();
    workers.last.refuse('Unspecified GSS failure.  Matching credential not found');
    await settle();
    workers.last.answer('AAAA');
    await settle();
    expect(outcome.result).toBe('AAAA');
    expect(workers.started).toHaveLength(1);
  });

  it('lost twice are given up', async () => {
    const { ask, workers } = await makeWorld();
    const outcome = ask();
    for (let round = 0; round < 2; round += 1) {
      await settle();
      workers.last.refuse('Unspecified GSS failure.  Matching credential not found');
    }
    await settle();
    expectError(outcome, 'gss', 'Matching credential not found');
    expect(workers.last.requests).toHaveLength(2);
  });

  it('in a broken cache are made anew', async () => {
    const { ask, workers, caches } = await makeWorld();
    const outcome = ask();
    await settle();
    workers.last.refuse(`${NO_CREDENTIALS}Principal in credential cache does not match desired name`);
    await settle();
    expect(workers.started.map(({ killed }) => killed)).toEqual([true, false]);
    expect(caches).toEqual(new Set(['FILE:/tickets/2']));
    workers.last.answer('AAAA');
    await settle();
    expect(outcome.result).toBe('AAAA');
  });

  it('are discarded before the next step when that is wished, once for several wishes', async () => {
    const { ask, workers, caches, process: spnegoProcess, events } = await makeWorld();
    const first = ask();
    await settle();
    spnegoProcess.discardTickets();
    spnegoProcess.discardTickets();
    workers.last.answer('AAAA');
    await settle();
    expect(first.result).toBe('AAAA');
    expect(workers.started).toHaveLength(1);
    for (const token of ['BBBB', 'CCCC']) {
      ask();
      await settle();
      workers.last.answer(token);
      await settle();
    }
    expect(workers.started).toHaveLength(2);
    expect(caches).toEqual(new Set(['FILE:/tickets/2']));
    expect(events.filter(({ type }) => type === 'tickets-discarded')).toHaveLength(1);
  });

  it('that cannot be kept anywhere fail the call, not the server', async () => {
    const { ask } = await makeWorld({
      adapters: {
        spawnWorker: () => {
          throw new Error('not without tickets');
        },
        keytabSource: new FakeKeytab(),
        makeTickets: ticketsBelow('/nowhere/at/all'),
      },
    });
    const outcome = ask();
    await settle();
    await untilDecided(outcome);
    expectError(outcome, 'configuration', '/nowhere/at/all (ENOENT)');
  });
});

describe('close', () => {
  it('turns away whoever waits, ends the step under way, the worker and the tickets', async () => {
    const { ask, workers, caches, clock, process: spnegoProcess } = await makeWorld();
    const outcomes = [ask('a'), ask('b')];
    await settle();
    const closed = spnegoProcess.close();
    await settle();
    for (const outcome of outcomes) {
      expectError(outcome, 'process', 'is shutting down');
    }
    expect(workers.started.map(({ killed }) => killed)).toEqual([true]);
    await closed;
    expect(caches.size).toBe(0);
    expect(clock.sleeping).toBe(0);
  });

  it('turns away whoever comes later', async () => {
    const { ask, workers, process: spnegoProcess } = await makeWorld();
    await spnegoProcess.close();
    const outcome = ask();
    await settle();
    expectError(outcome, 'process', 'is shutting down');
    expect(workers.started).toEqual([]);
  });

  it('may be called twice, and is what `await using` calls', async () => {
    const { ask, workers, caches, process: spnegoProcess } = await makeWorld();
    ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    await Promise.all([spnegoProcess.close(), spnegoProcess.close()]);
    await spnegoProcess[Symbol.asyncDispose]();
    expect(caches.size).toBe(0);
  });

  it('does not wait for a worker that does not die', async () => {
    const { ask, workers, caches, clock, process: spnegoProcess } = await makeWorld();
    ask();
    await settle();
    workers.last.kill = () => {};
    const closed = spnegoProcess.close();
    await clock.advance(2000);
    await closed;
    expect(caches.size).toBe(0);
  });

  it('while a worker waits for its turn to start leaves nothing behind', async () => {
    const { ask, workers, caches, clock, process: spnegoProcess } = await makeWorld();
    for (let crash = 0; crash < 2; crash += 1) {
      ask();
      await settle();
      workers.last.end('it exited with code 1');
      await settle();
    }
    const outcome = ask();
    await settle();
    await spnegoProcess.close();
    await clock.advance(60_000);
    expectError(outcome, 'process', 'is closed');
    expect(workers.started).toHaveLength(2);
    expect(caches.size).toBe(0);
    expect(clock.sleeping).toBe(0);
  });

  it('while the tickets are made removes them when they are there', async () => {
    const made = Promise.withResolvers<Tickets>();
    let removed = 0;
    const {
      ask,
      workers,
      process: spnegoProcess,
    } = await makeWorld({
      adapters: {
        spawnWorker: () => {
          throw new Error('not after close');
        },
        keytabSource: new FakeKeytab(),
        makeTickets: () => made.promise,
      },
    });
    const outcome = ask();
    await settle();
    await spnegoProcess.close();
    made.resolve({
      cacheName: 'FILE:/late',
      remove: async () => {
        removed += 1;
      },
    });
    await settle();
    expectError(outcome, 'process', 'is closed');
    expect(removed).toBe(1);
    expect(workers.started).toEqual([]);
  });
});
