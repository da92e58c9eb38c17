import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { everythingIn } from '../../../test/fakes/everything-in.ts';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeNameNode } from '../../../test/fakes/fake-namenode.ts';
import { FakeSpnegoInitiator } from '../../../test/fakes/fake-spnego-initiator.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { CALLS_IN_FLIGHT_PER_NAME_NODE, CALLS_WAITING_PER_NAME_NODE } from '../call-limits.ts';
import { HadoopHttpClient } from './hadoop-http-client.ts';
import type { SessionRequest, SpnegoSession } from './spnego-session.ts';
import { SpnegoSessions } from './spnego-sessions.ts';

const CALL_TIMEOUT_MS = 5_000;
const QUEUE_TIMEOUT_MS = 7_000;

const login = { path: '/webhdfs/v1/', query: { op: 'GETHOMEDIRECTORY' } };
const issue: SessionRequest = {
  method: 'GET',
  path: '/webhdfs/v1/',
  query: { op: 'GETDELEGATIONTOKEN', doas: 'alice', renewer: 'kerbridge' },
  operation: 'GETDELEGATIONTOKEN',
  isRepeatable: false,
};

let clock: FakeClock;
let nameNode: FakeNameNode;
let spnego: FakeSpnegoInitiator;
let http: HadoopHttpClient;
let sessions: SpnegoSessions;
let session: SpnegoSession;

beforeEach(async () => {
  clock = new FakeClock();
  nameNode = await FakeNameNode.start({ clock });
  spnego = new FakeSpnegoInitiator();
  http = new HadoopHttpClient({ clock, timeoutMs: CALL_TIMEOUT_MS, allowPlainHttp: true });
  sessions = new SpnegoSessions({ http, spnego, clock, queueTimeoutMs: QUEUE_TIMEOUT_MS });
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

/** As many calls as may be in flight, which the NameNode has and does not answer. */
async function occupy(): Promise<readonly Promise<unknown>[]> {
  await session.send({ ...issue, query: { op: 'GETHOMEDIRECTORY' }, operation: 'GETHOMEDIRECTORY' });
  for (let call = 0; call < CALLS_IN_FLIGHT_PER_NAME_NODE; call += 1) nameNode.faults.push({ fault: 'hang' });
  const calls = send(CALLS_IN_FLIGHT_PER_NAME_NODE);
  await until(() => nameNode.tokenRequests.length === CALLS_IN_FLIGHT_PER_NAME_NODE);
  return calls;
}

function expectOverloaded(error: unknown, message: string): void {
  if (!(error instanceof TokenServiceError)) throw error;
  expect(error).toMatchObject({
    failure: 'overloaded',
    message: `GETDELEGATIONTOKEN at ${nameNode.origin} was not sent: ${message}`,
    endpoint: nameNode.origin,
    mayHaveActed: false,
  });
  expect(error.cause).toBeUndefined();
  expect(everythingIn(error)).not.toMatch(/u=kerbridge|hadoop\.auth=/u);
}

describe('a NameNode that is slow', () => {
  it('gets 8 calls at once, and 2,000 wait; one more is refused at once', async () => {
    const running = await occupy();
    const callers = new AbortController();
    const waiting = send(2_000, { ...issue, signal: callers.signal });
    await until(() => session.load.waiting === 2_000);
    const [late] = await Promise.all(send(1));
    expectOverloaded(late, '8 calls run and 2000 wait');
    expect(sessions.loads).toEqual([{ origin: nameNode.origin, running: 8, waiting: 2_000 }]);
    expect([CALLS_IN_FLIGHT_PER_NAME_NODE, CALLS_WAITING_PER_NAME_NODE]).toEqual([8, 2_000]);
    expect(nameNode.tokenRequests).toHaveLength(8);
    callers.abort('gone');
    await Promise.all(waiting);
    await clock.advance(CALL_TIMEOUT_MS);
    await Promise.all(running);
    expect(session.load).toEqual({ running: 0, waiting: 0 });
  });

  it('gets the next call when one has ended', async () => {
    const running = await occupy();
    const waiting = send(3);
    await settle();
    expect(session.load).toEqual({ running: 8, waiting: 3 });
    await clock.advance(CALL_TIMEOUT_MS);
    for (const outcome of await Promise.all(running))
      expect(outcome).toMatchObject({ failure: 'unreachable' });
    for (const outcome of await Promise.all(waiting)) expect(outcome).toMatchObject({ status: 200 });
    expect(session.load).toEqual({ running: 0, waiting: 0 });
  });

  it('does not get a call that waited too long', async () => {
    const running = await occupy();
    for (let call = 0; call < 8; call += 1) nameNode.faults.push({ fault: 'hang' });
    const next = send(8);
    const late = send(1);
    await clock.advance(CALL_TIMEOUT_MS);
    await until(() => nameNode.tokenRequests.length === 16);
    await clock.advance(QUEUE_TIMEOUT_MS - CALL_TIMEOUT_MS);
    expectOverloaded(await late[0], 'no turn within 7000 ms');
    await clock.advance(CALL_TIMEOUT_MS);
    await Promise.all([...running, ...next]);
    expect(nameNode.tokenRequests).toHaveLength(16);
  });

  it('does not get a call whose caller has left the queue', async () => {
    const running = await occupy();
    const caller = new AbortController();
    const [gone] = send(1, { ...issue, signal: caller.signal });
    await settle();
    expect(session.load.waiting).toBe(1);
    caller.abort('gone');
    expect(await gone).toBe('gone');
    expect(session.load).toEqual({ running: 8, waiting: 0 });
    await clock.advance(CALL_TIMEOUT_MS);
    await Promise.all(running);
    expect(nameNode.tokenRequests).toHaveLength(8);
  });

  it('can still be asked by a readiness check, beside the queue', async () => {
    const running = await occupy();
    const reply = await http.send({
      ...issue,
      origin: nameNode.origin,
      query: {},
      operation: 'Readiness check',
    });
    expect(reply.status).toBe(401);
    await clock.advance(CALL_TIMEOUT_MS);
    await Promise.all(running);
  });

  it('and gives no cookie has the same limit', async () => {
    nameNode.givesCookie = false;
    const running = await occupy();
    const waiting = send(1);
    await until(() => session.load.waiting === 1);
    expect(session.load).toEqual({ running: 8, waiting: 1 });
    await clock.advance(CALL_TIMEOUT_MS);
    await Promise.all(running);
    expect(await waiting[0]).toMatchObject({ status: 200 });
  });
});

it('a KDC that is slow takes up no place before the NameNode', async () => {
  spnego.gate = new Promise(() => {});
  const calls = send(20);
  await settle();
  expect([spnego.hosts.length, session.load]).toEqual([1, { running: 0, waiting: 0 }]);
  await clock.advance(60_000);
  await Promise.all(calls);
});
