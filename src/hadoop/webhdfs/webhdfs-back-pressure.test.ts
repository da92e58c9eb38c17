import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeNameNode } from '../../../test/fakes/fake-namenode.ts';
import { FakeSpnegoInitiator } from '../../../test/fakes/fake-spnego-initiator.ts';
import { FakeTokenLedger } from '../../../test/fakes/fake-token-ledger.ts';
import type { CallOptions, DelegationToken, Urgency } from '../../delegation-tokens/token-service.ts';
import { CALLS_IN_FLIGHT_PER_NAME_NODE } from '../call-limits.ts';
import { HadoopHttpClient } from '../http/hadoop-http-client.ts';
import { SpnegoSessions } from '../http/spnego-sessions.ts';
import { WebHdfsTokenService } from './webhdfs-token-service.ts';

const alice = { owner: 'alice', renewer: 'kerbridge' };

let clock: FakeClock;
let nn1: FakeNameNode;
let nn2: FakeNameNode;
let http: HadoopHttpClient;
let sessions: SpnegoSessions;
let service: WebHdfsTokenService;

beforeEach(async () => {
  clock = new FakeClock();
  const ledger = new FakeTokenLedger();
  nn1 = await FakeNameNode.start({ clock, ledger });
  nn2 = await FakeNameNode.start({ clock, ledger });
  nn2.role = 'standby';
  http = new HadoopHttpClient({ clock, allowPlainHttp: true, timeoutMs: 20_000 });
  const spnego = new FakeSpnegoInitiator();
  sessions = new SpnegoSessions({ http, spnego, clock, random: () => 0 });
  service = new WebHdfsTokenService({
    nameNodes: [
      { id: 'nn1', origin: nn1.origin, spnHost: 'localhost' },
      { id: 'nn2', origin: nn2.origin, spnHost: 'localhost' },
    ],
    sessions,
    proxyUser: 'kerbridge',
    service: 'ha-hdfs:prod',
    clock,
    random: () => 0,
  });
});

afterEach(async () => {
  http.close();
  await Promise.all([nn1[Symbol.asyncDispose](), nn2[Symbol.asyncDispose]()]);
});

const outcomeOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

const load = (nameNode: FakeNameNode) => sessions.loads.find(({ origin }) => origin === nameNode.origin);

type Ask = (token: DelegationToken, options: CallOptions) => Promise<unknown>;
const issue: Ask = (_, options) => service.issue(alice, options);
const renew: Ask = (token, options) => service.renew(token, options);
const cancel: Ask = (token, options) => service.cancel(token, options);

it.each<[string, Ask, Urgency | undefined, Urgency]>([
  ['an issue', issue, undefined, 'issue'],
  ['a renewal that proves a token before a hand-out', renew, undefined, 'issue'],
  ['a renewal that is due', renew, 'renewal', 'renewal'],
  ['a cancel', cancel, undefined, 'cancel'],
  ['a cancel that its caller calls urgent', cancel, 'renewal', 'renewal'],
])('%s waits in its lane', async (_, ask, urgency, lane) => {
  const token = await service.issue(alice);
  for (let call = 0; call < CALLS_IN_FLIGHT_PER_NAME_NODE; call += 1) nn1.faults.push({ fault: 'hang' });
  const callers = new AbortController();
  const options = { signal: callers.signal };
  const running = Array.from({ length: CALLS_IN_FLIGHT_PER_NAME_NODE }, () =>
    outcomeOf(service.issue(alice, options)),
  );
  while (load(nn1)?.running !== CALLS_IN_FLIGHT_PER_NAME_NODE) await settle();
  const waiting = outcomeOf(ask(token, urgency === undefined ? options : { ...options, urgency }));
  await settle();
  expect(load(nn1)?.waiting).toEqual({ renewal: 0, issue: 0, cancel: 0, [lane]: 1 });
  callers.abort('gone');
  await Promise.all([...running, waiting]);
});

/** Lets all pauses between rounds pass. */
async function settled(call: Promise<unknown>): Promise<unknown> {
  const outcomes: unknown[] = [];
  const ended = outcomeOf(call).then((outcome) => outcomes.push(outcome));
  while (outcomes.length === 0) {
    await Promise.race([ended, settle()]);
    if (clock.sleeping > 0 && outcomes.length === 0) await clock.advance(50);
  }
  return outcomes[0];
}

const BAD_GATEWAY = { status: 502, statusMessage: 'Bad Gateway', headers: {}, body: '' };
const seen = (nameNode: FakeNameNode) => nameNode.tokenRequests.length;

describe('of a pair of NameNodes', () => {
  let token: DelegationToken;

  /** Both are down, and nobody is asked. */
  beforeEach(async () => {
    token = await service.issue(alice);
    nn1.answerAll = BAD_GATEWAY;
    nn2.answerAll = BAD_GATEWAY;
    expect(await settled(service.renew(token))).toMatchObject({ failure: 'unreachable' });
    expect([load(nn1)?.breaker, load(nn2)?.breaker]).toEqual(['open', 'open']);
  });

  it('both that do not answer fail a call at once, without a pause', async () => {
    const before = [nn1.requests.length, nn2.requests.length];
    expect(await outcomeOf(service.issue(alice))).toMatchObject({
      failure: 'unreachable',
      mayHaveActed: false,
      message: expect.stringMatching(/^none of 2 answered; nn1 .* was not sent: .*; nn2 .* was not sent: /u),
    });
    expect([nn1.requests.length, nn2.requests.length]).toEqual(before);
    expect(clock.sleeping).toBe(0);
  });

  it('the one that does not answer costs nothing, and is used again when it does', async () => {
    await clock.advance(1_000);
    nn2.answerAll = undefined;
    nn2.role = 'active';
    // Each has its probe.
    expect(await outcomeOf(service.renew(token))).toMatchObject({ expiresAt: expect.any(BigInt) });
    expect([load(nn1)?.breaker, load(nn2)?.breaker]).toEqual(['open', 'closed']);

    const before = nn1.requests.length;
    nn2.role = 'standby';
    const failed = outcomeOf(service.renew(token, { deadline: clock.now() }));
    expect(await failed).toMatchObject({
      message: expect.stringMatching(/nn2 .*: not-active: .*nn1 .* was not sent/u),
    });
    expect(nn1.requests).toHaveLength(before);

    nn1.answerAll = undefined;
    nn1.role = 'active';
    await clock.advance(2_000);
    const tried = seen(nn1);
    expect(await outcomeOf(service.renew(token))).toMatchObject({ expiresAt: expect.any(BigInt) });
    expect([seen(nn1) - tried, load(nn1)?.breaker]).toEqual([1, 'closed']);
  });

  it('the one that does not answer does not keep an issue from the other', async () => {
    await clock.advance(1_000);
    nn2.answerAll = undefined;
    nn2.role = 'active';
    const tried = seen(nn1);
    expect(await outcomeOf(service.issue(alice))).toMatchObject({ owner: 'alice' });
    // What found out that nn1 is away was no issue, which might have been done.
    expect(seen(nn1)).toBe(tried);
  });
});
