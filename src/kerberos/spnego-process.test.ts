import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { settle } from '../../test/fakes/fake-clock.ts';
import { expectError, FakeKeytab, makeWorld, PRINCIPAL } from '../../test/fakes/spnego-world.ts';
import { Secret } from '../observability/secret.ts';
import { KeytabError } from './keytab.ts';

const NO_CREDENTIALS = 'No credentials were supplied, or the credentials were unavailable or inaccessible: ';

describe('createSpnegoProcess', () => {
  it('speaks for the first entry of the keytab by default', async () => {
    expect((await makeWorld()).process.principal).toBe(PRINCIPAL);
  });

  it('starts nothing before it is asked', async () => {
    const { workers, caches } = await makeWorld();
    expect(workers.started).toEqual([]);
    expect(caches.size).toBe(0);
  });

  it.each(['', '@EXAMPLE.COM', 'kerbridge', 'kerbridge/host', 'a@b@C'])(
    'refuses the principal %j',
    async (principal) => {
      await expect(makeWorld({ principal })).rejects.toMatchObject({
        name: 'SpnegoError',
        failure: 'configuration',
      });
    },
  );

  it('says what is wrong with the keytab it needs the principal from', async () => {
    const keytab = new FakeKeytab();
    keytab.problem = new KeytabError('missing', 'there is no keytab at /k');
    await expect(makeWorld({}, keytab)).rejects.toMatchObject({
      failure: 'credentials',
      message: 'there is no keytab at /k',
      fix: expect.stringContaining('Mount a keytab'),
    });
  });

  it('does without the keytab until the first call when the principal is configured', async () => {
    const keytab = new FakeKeytab();
    keytab.problem = new KeytabError('missing', 'there is no keytab at /k');
    const { ask, workers } = await makeWorld({ principal: PRINCIPAL }, keytab);
    const early = ask();
    await settle();
    expectError(early, 'credentials', 'there is no keytab at /k');
    expect(workers.started).toEqual([]);
    keytab.problem = undefined;
    const later = ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    expect(later.result).toBe('AAAA');
  });
});

describe('negotiate', () => {
  it('asks the worker for HTTP@host as the principal and wraps what it gets', async () => {
    const { process: spnegoProcess, workers } = await makeWorld();
    const promise = spnegoProcess.negotiate('NN.example.com');
    await settle();
    expect(workers.last.requests).toEqual([{ id: 1, service: 'HTTP@nn.example.com', principal: PRINCIPAL }]);
    workers.last.answer('VE9LRU4=');
    const spnegoToken = await promise;
    expect(spnegoToken).toBeInstanceOf(Secret);
    expect(spnegoToken.reveal()).toBe('VE9LRU4=');
  });

  it('gives the worker its own cache, the keytab, and nothing of the surroundings but the list', async () => {
    const { ask, workers } = await makeWorld({
      environment: {
        PATH: '/bin',
        NODE_OPTIONS: '--inspect',
        SECRET_THING: 's',
        KRB5CCNAME: 'FILE:/tmp/krb5cc_0',
        LC_ALL: 'de_DE',
      },
    });
    ask();
    await settle();
    expect(workers.last.environment).toEqual({
      PATH: '/bin',
      LC_ALL: 'C',
      KRB5_CLIENT_KTNAME: 'FILE:/etc/kerbridge/keytab',
      KRB5CCNAME: 'FILE:/tickets/1',
      UV_THREADPOOL_SIZE: '1',
    });
  });

  it.each(['nn/x', 'nn@EVIL', 'nn\0', 'nn x', ''])('refuses the host %j', async (host) => {
    const { ask, workers } = await makeWorld();
    const outcome = ask(host);
    await settle();
    expectError(outcome, 'configuration', 'is no host name');
    expect(workers.started).toEqual([]);
  });

  it('does one step at a time, in the order of asking, in one worker', async () => {
    const { ask, workers } = await makeWorld();
    const outcomes = [ask('a'), ask('b'), ask('c')];
    for (const [index, token] of ['AAAA', 'BBBB', 'CCCC'].entries()) {
      await settle();
      expect(workers.last.requests).toHaveLength(index + 1);
      workers.last.answer(token);
    }
    await settle();
    expect(workers.started).toHaveLength(1);
    expect(workers.last.requests.map(({ service }) => service)).toEqual(['HTTP@a', 'HTTP@b', 'HTTP@c']);
    expect(outcomes.map(({ result }) => result)).toEqual(['AAAA', 'BBBB', 'CCCC']);
  });

  it('leaves no timer behind', async () => {
    const { ask, workers, clock } = await makeWorld();
    ask('a');
    ask('b');
    await settle();
    workers.last.answer('AAAA');
    await settle();
    workers.last.answer('BBBB');
    await settle();
    expect(clock.sleeping).toBe(0);
  });

  it('turns the caller away for whom the queue has no room', async () => {
    const { ask, workers } = await makeWorld({ queueLimit: 2 });
    const kept = [ask('a'), ask('b'), ask('c')];
    const tooMany = ask('d');
    await settle();
    expectError(tooMany, 'process', '2 callers wait');
    for (const token of ['AAAA', 'BBBB', 'CCCC']) {
      await settle();
      workers.last.answer(token);
    }
    await settle();
    expect(kept.map(({ result }) => result)).toEqual(['AAAA', 'BBBB', 'CCCC']);
  });

  it.each([
    [`${NO_CREDENTIALS}Cannot contact any KDC for realm 'R'`, 'kdc-unreachable'],
    ['Unspecified GSS failure.  Server HTTP/x@R not found in Kerberos database', 'unknown-service'],
    [`${NO_CREDENTIALS}Cannot find KDC for realm "R"`, 'configuration'],
    [`${NO_CREDENTIALS}Client's credentials have been revoked`, 'credentials'],
    ['Something new', 'gss'],
  ])('rejects when GSS says %s', async (message, failure) => {
    const { ask, workers } = await makeWorld();
    const outcome = ask();
    await settle();
    workers.last.refuse(message);
    await settle();
    expectError(outcome, failure);
    expect(String(outcome.error)).toContain(message);
    expect(String(outcome.error)).toContain(`HTTP@nn.example.com as ${PRINCIPAL}`);
    expect(workers.last.requests).toHaveLength(1);
    expect(workers.last.killed).toBe(false);
  });

  it('tells of steps without saying what they made', async () => {
    const { ask, workers, events, clock } = await makeWorld();
    ask('a');
    ask('b');
    await clock.advance(7);
    workers.last.answer('VE9LRU4=');
    await settle();
    workers.last.refuse('Something new');
    await settle();
    expect(events).toEqual([
      { type: 'worker-started', pid: 1 },
      { type: 'step', service: 'HTTP@a', outcome: 'ok', durationMs: 7 },
      {
        type: 'step',
        service: 'HTTP@b',
        outcome: 'gss',
        durationMs: 0,
        reason: `no SPNEGO token for HTTP@b as ${PRINCIPAL}: Something new`,
      },
    ]);
    expect(inspect(events)).not.toContain('VE9LRU4');
  });
});

describe('a failed step', () => {
  it('is told of with its cause and the fix', async () => {
    const { ask, workers, events } = await makeWorld();
    ask();
    await settle();
    workers.last.refuse("Cannot contact any KDC for realm 'EXAMPLE.COM'");
    await settle();
    expect(events.at(-1)).toEqual({
      type: 'step',
      service: 'HTTP@nn.example.com',
      outcome: 'kdc-unreachable',
      durationMs: 0,
      reason: expect.stringContaining("Cannot contact any KDC for realm 'EXAMPLE.COM'"),
      fix: expect.stringContaining('krb5.conf: [realms] kdc'),
    });
  });
});

describe('a caller that aborts', () => {
  it('leaves the queue at once and takes no step', async () => {
    const { ask, workers } = await makeWorld();
    const first = ask('a');
    const aborter = new AbortController();
    const second = ask('b', aborter.signal);
    const third = ask('c');
    await settle();
    aborter.abort(new Error('caller went away'));
    await settle();
    expect(second.error).toMatchObject({ message: 'caller went away' });
    expect(first.result).toBe('pending');
    workers.last.answer('AAAA');
    await settle();
    workers.last.answer('CCCC');
    await settle();
    expect([first.result, third.result]).toEqual(['AAAA', 'CCCC']);
    expect(workers.last.requests.map(({ service }) => service)).toEqual(['HTTP@a', 'HTTP@c']);
  });

  it('in the middle of its step loses the token, which nobody else gets', async () => {
    const { ask, workers } = await makeWorld();
    const aborter = new AbortController();
    const first = ask('a', aborter.signal);
    const second = ask('a');
    await settle();
    aborter.abort(new Error('caller went away'));
    await settle();
    expect(first.error).toMatchObject({ message: 'caller went away' });
    expect(workers.last.requests).toHaveLength(1);
    workers.last.answer('AAAA');
    await settle();
    expect(second.result).toBe('pending');
    workers.last.answer('BBBB');
    await settle();
    expect(second.result).toBe('BBBB');
    expect(workers.started).toHaveLength(1);
  });

  it('before asking gets nothing done', async () => {
    const { ask, workers } = await makeWorld();
    const outcome = ask('a', AbortSignal.abort(new Error('too late')));
    await settle();
    expect(outcome.error).toMatchObject({ message: 'too late' });
    expect(workers.started).toEqual([]);
  });
});

describe('a step that hangs', () => {
  it('is ended after its time, and the next begins in a new worker with the same tickets', async () => {
    const { ask, workers, clock } = await makeWorld({ stepTimeoutMs: 1000, waitTimeoutMs: 5000 });
    const first = ask('a');
    const second = ask('b');
    await clock.advance(999);
    expect(first.result).toBe('pending');
    expect(workers.last.killed).toBe(false);
    await clock.advance(1);
    expectError(first, 'kdc-unreachable', 'within 1000 ms');
    expect(first.error).toHaveProperty('fix', expect.stringContaining('KDCs listed in krb5.conf'));
    await settle();
    expect(workers.started.map(({ killed }) => killed)).toEqual([true, false]);
    expect(workers.last.environment['KRB5CCNAME']).toBe('FILE:/tickets/1');
    workers.last.answer('BBBB');
    await settle();
    expect(second.result).toBe('BBBB');
  });

  it('starts the next worker only for the next caller', async () => {
    const { ask, workers, clock } = await makeWorld({ stepTimeoutMs: 1000 });
    ask('a');
    await clock.advance(1000);
    expect(workers.started).toHaveLength(1);
    ask('b');
    await settle();
    expect(workers.started).toHaveLength(2);
  });

  it('does not make those behind it wait longer than they may', async () => {
    const { ask, workers, clock } = await makeWorld({ stepTimeoutMs: 1000, waitTimeoutMs: 600 });
    const first = ask('a');
    const second = ask('b');
    await clock.advance(600);
    expectError(second, 'kdc-unreachable', 'no Kerberos step could begin within 600 ms');
    expect(first.result).toBe('pending');
    await clock.advance(400);
    expectError(first, 'kdc-unreachable');
    expect(workers.started).toHaveLength(1);
    expect(clock.sleeping).toBe(0);
  });

  it('that answers after all is not heard any more', async () => {
    const { ask, workers, clock } = await makeWorld({ stepTimeoutMs: 1000, waitTimeoutMs: 5000 });
    ask('a');
    const second = ask('b');
    await clock.advance(1000);
    workers.started[0]?.say({ type: 'token', id: 1, token: 'AAAA' });
    await settle();
    expect(second.result).toBe('pending');
  });
});

describe('a worker that breaks', () => {
  it.each([
    ['its exit', 'it exited with code 1'],
    ['a signal', 'it was ended by SIGSEGV'],
  ])('fails the step under way on %s, and the next one goes to a new worker', async (_, reason) => {
    const { ask, workers, caches } = await makeWorld();
    const first = ask('a');
    const second = ask('b');
    await settle();
    workers.last.end(reason);
    await settle();
    expectError(first, 'process', reason);
    expect(workers.started).toHaveLength(2);
    expect(caches).toEqual(new Set(['FILE:/tickets/2']));
    workers.last.answer('BBBB');
    await settle();
    expect(second.result).toBe('BBBB');
  });

  it.each([
    ['nothing', undefined],
    ['text', 'hello'],
    ['a token without a number', { type: 'token', token: 'AAAA' }],
    ["another request's token", { type: 'token', id: 7, token: 'AAAA' }],
    ['a token that is no base64', { type: 'token', id: 1, token: 'A\r\nX-Evil: 1' }],
    ['an empty token', { type: 'token', id: 1, token: '' }],
    ['a token without end', { type: 'token', id: 1, token: 'A'.repeat(1_000_000) }],
    ['no token', { type: 'token', id: 1, token: null }],
    ['an error without text', { type: 'refused', id: 1 }],
    ['an unknown type', { type: 'surprise', id: 1, token: 'AAAA' }],
  ])('is killed when it says %s', async (_, message) => {
    const { ask, workers } = await makeWorld();
    const outcome = ask();
    await settle();
    workers.last.say(message);
    await settle();
    expectError(outcome, 'process', 'it sent something that is no reply to a request');
    expect(String(outcome.error)).not.toContain('AAAA');
    expect(workers.last.killed).toBe(true);
  });

  it('is killed when it speaks unasked, and the next call does not notice', async () => {
    const { ask, workers } = await makeWorld();
    ask();
    await settle();
    workers.last.answer('AAAA');
    workers.last.say({ type: 'token', id: 1, token: 'BBBB' });
    const next = ask();
    await settle();
    expect(workers.started.map(({ killed }) => killed)).toEqual([true, false]);
    workers.last.answer('CCCC');
    await settle();
    expect(next.result).toBe('CCCC');
  });

  it('says why when GSS cannot be loaded', async () => {
    const { ask, workers } = await makeWorld();
    const outcome = ask();
    await settle();
    workers.last.say({ type: 'unusable', message: 'Opening library libgssapi_krb5.so.2 failed' });
    await settle();
    expectError(outcome, 'process', 'libgssapi_krb5.so.2');
    expect(outcome.error).toHaveProperty('fix', expect.stringContaining('libgssapi-krb5-2'));
  });

  it('between two calls is replaced without anybody noticing', async () => {
    const { ask, workers } = await makeWorld();
    ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    workers.last.end('it was ended by SIGKILL');
    const next = ask();
    await settle();
    workers.last.answer('BBBB');
    await settle();
    expect(next.result).toBe('BBBB');
    expect(workers.started).toHaveLength(2);
  });

  it('that had been idle is replaced without its caller noticing, when its end is heard of too late', async () => {
    const { ask, workers, caches, events } = await makeWorld();
    ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    const next = ask();
    await settle();
    workers.last.end('it was ended by SIGKILL');
    await settle();
    expect(workers.started).toHaveLength(2);
    expect(caches).toEqual(new Set(['FILE:/tickets/2']));
    workers.last.answer('BBBB');
    await settle();
    expect(next.result).toBe('BBBB');
    expect(events).toContainEqual({
      type: 'step-retried',
      service: 'HTTP@nn.example.com',
      reason: 'it was ended by SIGKILL',
    });
  });

  it('in the place of one that had been idle is not replaced once more', async () => {
    const { ask, workers } = await makeWorld();
    ask();
    await settle();
    workers.last.answer('AAAA');
    await settle();
    const next = ask();
    for (const reason of ['it was ended by SIGKILL', 'it was ended by SIGSEGV']) {
      await settle();
      workers.last.end(reason);
    }
    await settle();
    expectError(next, 'process', 'SIGSEGV');
    expect(workers.started).toHaveLength(2);
  });

  it('again and again is started ever more slowly, and at full speed once it has answered', async () => {
    const { ask, workers, clock } = await makeWorld();
    const crash = async (): Promise<void> => {
      ask();
      await settle();
      workers.last.end('it exited with code 1');
      await settle();
    };
    await crash();
    await crash();
    ask();
    await clock.advance(249);
    expect(workers.started).toHaveLength(2);
    await clock.advance(1);
    expect(workers.started).toHaveLength(3);
    workers.last.end('it exited with code 1');
    const fourth = ask();
    await clock.advance(499);
    expect(workers.started).toHaveLength(3);
    await clock.advance(1);
    expect(workers.started).toHaveLength(4);
    workers.last.answer('AAAA');
    await settle();
    expect(fourth.result).toBe('AAAA');
    const fifth = ask();
    await settle();
    workers.last.end('it exited with code 1');
    await settle();
    expect(workers.started).toHaveLength(5);
    workers.last.answer('BBBB');
    await settle();
    expect(fifth.result).toBe('BBBB');
  });
});
