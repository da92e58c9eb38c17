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
  sessions = new SpnegoSessions({ http, spnego, clock, random: () => 0, queueTimeoutMs: QUEUE_TIMEOUT_MS });
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

interface Occupants {
  readonly calls: readonly Promise<unknown>[];
  readonly callers: readonly AbortController[];
  /** Their callers give up: no word on the NameNode. */
  readonly leave: () => Promise<void>;
}

/** As many calls as may be in flight, which the NameNode has and does not answer. */
async function occupy(): Promise<Occupants> {
  await session.send({ ...issue, query: { op: 'GETHOMEDIRECTORY' }, operation: 'GETHOMEDIRECTORY' });
  return await fill(CALLS_IN_FLIGHT_PER_NAME_NODE);
}

async function fill(count: number): Promise<Occupants> {
  const seen = nameNode.tokenRequests.length;
  for (let call = 0; call < count; call += 1) nameNode.faults.push({ fault: 'hang' });
  const callers = Array.from({ length: count }, () => new AbortController());
  const calls = callers.flatMap(({ signal }) => send(1, { ...issue, signal }));
  await until(() => nameNode.tokenRequests.length === seen + count);
  const leave = async () => {
    for (const caller of callers) caller.abort('gone');
    await Promise.all(calls);
  };
  return { calls, callers, leave };
}

const load = () => {
  const { running, waiting } = session.load;
  return { running, waiting: Object.values(waiting).reduce((total, count) => total + count, 0) };
};

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
    await until(() => load().waiting === 2_000);
    const [late] = await Promise.all(send(1));
    expectOverloaded(late, '8 calls run and 2000 wait');
    expect(sessions.loads).toEqual([
      {
        origin: nameNode.origin,
        breaker: 'closed',
        running: 8,
        waiting: { renewal: 0, issue: 2_000, cancel: 0 },
      },
    ]);
    expect([CALLS_IN_FLIGHT_PER_NAME_NODE, CALLS_WAITING_PER_NAME_NODE]).toEqual([8, 2_000]);
    expect(nameNode.tokenRequests).toHaveLength(8);
    callers.abort('gone');
    await Promise.all(waiting);
    await running.leave();
    expect(load()).toEqual({ running: 0, waiting: 0 });
  });

  it('gets the next call when one has ended', async () => {
    const running = await occupy();
    const waiting = send(3);
    await settle();
    expect(load()).toEqual({ running: 8, waiting: 3 });
    await running.leave();
    for (const outcome of await Promise.all(waiting)) expect(outcome).toMatchObject({ status: 200 });
    expect(load()).toEqual({ running: 0, waiting: 0 });
  });

  it('does not get a call that waited too long', async () => {
    const first = await occupy();
    const filled = fill(8);
    const [late] = send(1);
    await clock.advance(4_000);
    await first.leave();
    const next = await filled;
    await clock.advance(QUEUE_TIMEOUT_MS - 4_000);
    expectOverloaded(await late, 'no turn within 7000 ms');
    await next.leave();
    expect(nameNode.tokenRequests).toHaveLength(16);
  });

  it('does not get a call whose caller has left the queue', async () => {
    const running = await occupy();
    const caller = new AbortController();
    const [gone] = send(1, { ...issue, signal: caller.signal });
    await settle();
    expect(load().waiting).toBe(1);
    caller.abort('gone');
    expect(await gone).toBe('gone');
    expect(load()).toEqual({ running: 8, waiting: 0 });
    await running.leave();
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
    await running.leave();
  });

  it('and gives no cookie has the same limit', async () => {
    nameNode.givesCookie = false;
    const running = await occupy();
    const waiting = send(1);
    await until(() => load().waiting === 1);
    expect(load()).toEqual({ running: 8, waiting: 1 });
    await running.leave();
    expect(await waiting[0]).toMatchObject({ status: 200 });
  });
});

describe('urgency', () => {
  const renew: SessionRequest = {
    method: 'PUT',
    path: '/webhdfs/v1/',
    query: { op: 'RENEWDELEGATIONTOKEN', token: 'x' },
    operation: 'RENEWDELEGATIONTOKEN',
    urgency: 'renewal',
  };
  const cancel: SessionRequest = {
    ...renew,
    query: { op: 'CANCELDELEGATIONTOKEN', token: 'x' },
    urgency: 'cancel',
  };

  it('decides who goes first: renewals, then issues, then cancels', async () => {
    const running = await occupy();
    const calls = [...send(2, cancel), ...send(2), ...send(2, renew)];
    await settle();
    expect(session.load.waiting).toEqual({ renewal: 2, issue: 2, cancel: 2 });
    // One place is free at a time, so that they come to the NameNode one by one.
    const begun = nameNode.tokenRequests.length;
    const [, ...others] = running.callers;
    running.callers[0]?.abort('gone');
    await Promise.all(calls);
    expect(nameNode.tokenRequests.slice(begun).map(({ op }) => op)).toEqual([
      'RENEWDELEGATIONTOKEN',
      'RENEWDELEGATIONTOKEN',
      'GETDELEGATIONTOKEN',
      'GETDELEGATIONTOKEN',
      'CANCELDELEGATIONTOKEN',
      'CANCELDELEGATIONTOKEN',
    ]);
    for (const caller of others) caller.abort('gone');
    await Promise.all(running.calls);
  });

  it('keeps a renewal and a login through a flood of issues', async () => {
    nameNode.cookieLifetimeMs = 2_000;
    const running = await occupy();
    const callers = new AbortController();
    const flood = send(2_000, { ...issue, signal: callers.signal });
    await until(() => session.load.waiting.issue === 2_000);
    const [renewal] = send(1, renew);
    await until(() => session.load.waiting.renewal === 1);
    expectOverloaded(await flood[1_999], '8 calls run and 2000 wait, and a more urgent one came');
    // The cookie has expired: who comes now needs a login first, for which others will wait too.
    await clock.advance(1_900);
    const [afterLogin] = send(1, renew);
    await until(() => session.load.waiting.renewal === 2);
    expect(session.load.waiting).toEqual({ renewal: 2, issue: 1_998, cancel: 0 });
    callers.abort('gone');
    await Promise.all(flood);
    await running.leave();
    for (const outcome of [await renewal, await afterLogin])
      expect(outcome).toMatchObject({ status: expect.any(Number) });
  });
});

it('a KDC that is slow takes up no place before the NameNode', async () => {
  spnego.gate = new Promise(() => {});
  const calls = send(20);
  await settle();
  expect([spnego.hosts.length, load()]).toEqual([1, { running: 0, waiting: 0 }]);
  await clock.advance(60_000);
  await Promise.all(calls);
});
