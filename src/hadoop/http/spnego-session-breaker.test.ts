import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { everythingIn } from '../../../test/fakes/everything-in.ts';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeNameNode, replyOfRow } from '../../../test/fakes/fake-namenode.ts';
import { FakeSpnegoInitiator } from '../../../test/fakes/fake-spnego-initiator.ts';
import { readErrorTable } from '../../../test/fixtures/hadoop-replies/error-row.ts';
import { BreakerOpenError } from '../../concurrency/breaker.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { SpnegoError } from '../spnego.ts';
import { HadoopHttpClient } from './hadoop-http-client.ts';
import type { SessionRequest, SpnegoSession } from './spnego-session.ts';
import { SpnegoSessions } from './spnego-sessions.ts';

const CALL_TIMEOUT_MS = 5_000;
const rows = await readErrorTable();
/** As of a proxy that finds nobody behind it. */
const BAD_GATEWAY = { status: 502, statusMessage: 'Bad Gateway', headers: {}, body: '' };

const login = { path: '/webhdfs/v1/', query: { op: 'GETHOMEDIRECTORY' } };
const issue: SessionRequest = {
  method: 'GET',
  path: '/webhdfs/v1/',
  query: { op: 'GETDELEGATIONTOKEN', doas: 'alice', renewer: 'kerbridge' },
  operation: 'GETDELEGATIONTOKEN',
  isRepeatable: false,
};
const read: SessionRequest = { method: 'GET', ...login, operation: 'GETHOMEDIRECTORY' };

let clock: FakeClock;
let nameNode: FakeNameNode;
let spnego: FakeSpnegoInitiator;
let http: HadoopHttpClient;
let session: SpnegoSession;

beforeEach(async () => {
  clock = new FakeClock();
  nameNode = await FakeNameNode.start({ clock });
  spnego = new FakeSpnegoInitiator();
  http = new HadoopHttpClient({ clock, timeoutMs: CALL_TIMEOUT_MS, allowPlainHttp: true });
  const sessions = new SpnegoSessions({ http, spnego, clock, random: () => 0 });
  session = sessions.at({ origin: nameNode.origin, spnHost: 'localhost', login });
});

afterEach(async () => {
  http.close();
  await nameNode[Symbol.asyncDispose]();
});

const outcomeOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

const send = (count: number, request = issue) =>
  Array.from({ length: count }, () => outcomeOf(session.send(request)));

/** The network is real: lets it do what it is about to. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await settle();
}

/** One after the other. */
async function ask(count: number, request = issue): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  for (let call = 0; call < count; call += 1) outcomes.push(await outcomeOf(session.send(request)));
  return outcomes;
}

const operations = () => nameNode.requests.splice(0).map(({ op }) => op);

function expectHeldBack(outcome: unknown): TokenServiceError {
  if (!(outcome instanceof TokenServiceError)) throw outcome;
  expect(outcome).toMatchObject({ failure: 'unreachable', endpoint: session.origin, mayHaveActed: false });
  expect(outcome.cause).toBeInstanceOf(BreakerOpenError);
  expect(everythingIn(outcome)).not.toMatch(/u=kerbridge|hadoop\.auth=|Negotiate /u);
  return outcome;
}

/** Opens the breaker, with a cookie at hand. */
async function open(): Promise<void> {
  await session.send(read);
  nameNode.answerAll = BAD_GATEWAY;
  await ask(3);
  expect(session.breaker).toBe('open');
  operations();
}

describe('a daemon that cannot be reached', () => {
  it('is not asked after three refused connections, and neither is the KDC', async () => {
    await nameNode[Symbol.asyncDispose]();
    const since = new Date(clock.now()).toISOString();
    for (const outcome of await ask(3)) {
      expect(outcome).toMatchObject({ failure: 'unreachable', message: expect.stringMatching(/refused/u) });
      expect((outcome as TokenServiceError).cause).not.toBeInstanceOf(BreakerOpenError);
      await clock.advance(100);
    }
    const asked = spnego.hosts.length;
    const [fourth] = await ask(1);
    const { message, fix } = expectHeldBack(fourth);
    expect(message).toBe(
      `GETDELEGATIONTOKEN at ${session.origin} was not sent: no answer since ${since}, the last time login at ${session.origin}: connection refused (ECONNREFUSED); no try for 700 ms more`,
    );
    expect(fix).toContain('Check that the daemon runs');
    expect(spnego.hosts).toHaveLength(asked);
    nameNode = await FakeNameNode.start({ clock });
  });

  it('and is silent costs few their time, and nobody of the many that wait', async () => {
    await session.send(read);
    for (let call = 0; call < 500; call += 1) nameNode.faults.push({ fault: 'hang' });
    const running = send(8);
    await until(() => nameNode.tokenRequests.length === 8);
    const waiting = send(500);
    await settle();
    expect(session.load).toMatchObject({ running: 8, waiting: { issue: 500 } });
    await clock.advance(CALL_TIMEOUT_MS);
    // Two came in the places of the first two, before the third had failed.
    await until(() => nameNode.tokenRequests.length === 10);
    expect(session.load).toMatchObject({ running: 2, waiting: { issue: 0 } });
    const heldBack = await Promise.all(waiting.slice(2));
    for (const outcome of heldBack) expectHeldBack(outcome);
    await clock.advance(CALL_TIMEOUT_MS);
    for (const outcome of await Promise.all([...running, ...waiting.slice(0, 2)])) {
      expect(outcome).toMatchObject({
        mayHaveActed: true,
        message: expect.stringContaining('no complete answer'),
      });
    }
    expect(nameNode.tokenRequests).toHaveLength(10);
  });

  it('can still be asked by a readiness check, beside the gate', async () => {
    await open();
    nameNode.answerAll = undefined;
    const reply = await http.send({ ...read, origin: nameNode.origin });
    expect([reply.status, session.breaker]).toEqual([401, 'open']);
  });

  it('does so as often as something before it answers for it', async () => {
    await session.send(read);
    nameNode.answerAll = BAD_GATEWAY;
    expect(await ask(3)).toMatchObject([{ status: 502 }, { status: 502 }, { status: 502 }]);
    const [fourth] = await ask(1);
    expect(expectHeldBack(fourth).message).toContain('Bad Gateway');
  });
});

describe('a daemon that answers', () => {
  /** Every refusal that a real NameNode was seen to give. */
  it.each(rows.filter(({ status }) => status >= 300).map((row) => [row.id, row] as const))(
    'is asked again, also after three times %s',
    async (_, row) => {
      await session.send(read);
      nameNode.answerAll = replyOfRow(row);
      await ask(3);
      expect(session.breaker).toBe('closed');
      nameNode.answerAll = undefined;
      expect(await ask(1)).toMatchObject([{ status: 200 }]);
    },
  );

  it.each(['standby', 'safe-mode', 'starting'] as const)('is asked again while it is %s', async (role) => {
    nameNode.role = role;
    await ask(5);
    expect(session.breaker).toBe('closed');
  });

  it('is asked again when the KDC did not answer', async () => {
    spnego.failure = new SpnegoError('kdc-unreachable', 'nobody');
    for (const outcome of await ask(5)) expect(outcome).toMatchObject({ dependency: 'kerberos' });
    expect(session.breaker).toBe('closed');
  });

  it('is asked again when its callers gave up, also by a deadline that says unreachable', async () => {
    await session.send(read);
    for (let call = 0; call < 5; call += 1) {
      const caller = new AbortController();
      const reason = new TokenServiceError('unreachable', 'no token in time');
      nameNode.faults.push({ fault: 'hang' });
      const [outcome] = send(1, { ...issue, signal: caller.signal });
      await until(() => nameNode.tokenRequests.length === call + 1);
      caller.abort(reason);
      expect(await outcome).toBe(reason);
    }
    expect(session.breaker).toBe('closed');
  });

  it('is asked again when three failures are not in a row', async () => {
    await session.send(read);
    for (let call = 0; call < 5; call += 1) {
      nameNode.faults.push({ fault: 'lose-reply' }, { fault: 'lose-reply' });
      const [first, second, third] = await ask(3);
      expect([first, second, third]).toMatchObject([
        { mayHaveActed: true },
        { mayHaveActed: true },
        { status: 200 },
      ]);
    }
    expect(session.breaker).toBe('closed');
  });
});

describe('when the time without a try is over', () => {
  it('a harmless request, in nobody’s name, goes before one that must not be done twice', async () => {
    await open();
    await clock.advance(1_000);
    expect(session.breaker).toBe('half-open');
    const [outcome] = await ask(1);
    expect(outcome).toMatchObject({ failure: 'unreachable', mayHaveActed: false });
    const [probe, ...others] = nameNode.requests;
    expect([probe?.op, probe?.headers.authorization, probe?.headers.cookie, others]).toEqual([
      'GETHOMEDIRECTORY',
      undefined,
      undefined,
      [],
    ]);
    expect(session.breaker).toBe('open');
  });

  it('one call is let through, and when it is answered all are', async () => {
    await open();
    nameNode.answerAll = undefined;
    await clock.advance(1_000);
    const [first, ...others] = send(5);
    for (const outcome of await Promise.all(others)) {
      expect(expectHeldBack(outcome).message).toContain('a call that tries is under way');
    }
    expect([await first, session.breaker]).toMatchObject([{ status: 200 }, 'closed']);
    expect(operations()).toEqual(['GETHOMEDIRECTORY', 'GETDELEGATIONTOKEN']);
    for (const outcome of await Promise.all(send(5))) expect(outcome).toMatchObject({ status: 200 });
  });

  it('a call that may be repeated is a probe itself', async () => {
    await open();
    nameNode.answerAll = undefined;
    await clock.advance(1_000);
    expect(await ask(1, read)).toMatchObject([{ status: 200 }]);
    expect([operations(), session.breaker]).toEqual([['GETHOMEDIRECTORY'], 'closed']);
  });

  it('a login is a probe itself', async () => {
    nameNode.answerAll = BAD_GATEWAY;
    await ask(3);
    nameNode.answerAll = undefined;
    operations();
    await clock.advance(1_000);
    expect(await ask(1)).toMatchObject([{ status: 200 }]);
    expect(operations()).toEqual(['GETHOMEDIRECTORY', 'GETDELEGATIONTOKEN']);
  });

  it('a probe whose caller leaves makes room for the next', async () => {
    await open();
    nameNode.answerAll = undefined;
    await clock.advance(1_000);
    const caller = new AbortController();
    nameNode.faults.push({ fault: 'hang' });
    const [leaver] = send(1, { ...issue, signal: caller.signal });
    await until(() => nameNode.tokenRequests.length === 1);
    caller.abort('gone');
    expect([await leaver, session.breaker]).toEqual(['gone', 'half-open']);
    expect(await ask(1)).toMatchObject([{ status: 200 }]);
  });
});
