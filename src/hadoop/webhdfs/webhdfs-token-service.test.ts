import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { everythingIn } from '../../../test/fakes/everything-in.ts';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeNameNode, replyOfRow } from '../../../test/fakes/fake-namenode.ts';
import type { Fault } from '../../../test/fakes/fake-namenode.ts';
import { FakeSpnegoInitiator } from '../../../test/fakes/fake-spnego-initiator.ts';
import { FakeTokenLedger } from '../../../test/fakes/fake-token-ledger.ts';
import { readErrorTable } from '../../../test/fixtures/hadoop-replies/error-row.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type { DelegationToken } from '../../delegation-tokens/token-service.ts';
import { Secret } from '../../observability/secret.ts';
import { HadoopHttpClient } from '../http/hadoop-http-client.ts';
import { SpnegoSessions } from '../http/spnego-sessions.ts';
import { SpnegoError } from '../spnego.ts';
import { WebHdfsTokenService } from './webhdfs-token-service.ts';
import type { WebHdfsTokenServiceOptions } from './webhdfs-token-service.ts';

const rows = await readErrorTable();
const unknownException: Fault = {
  fault: 'reply',
  status: 403,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ RemoteException: { exception: 'StrangeException', message: 'x' } }),
};
const alice = { owner: 'alice', renewer: 'kerbridge' };

let clock: FakeClock;
let ledger: FakeTokenLedger;
let nn1: FakeNameNode;
let nn2: FakeNameNode;
let http: HadoopHttpClient;
let spnego: FakeSpnegoInitiator;
let service: WebHdfsTokenService;

const open = (options: Partial<WebHdfsTokenServiceOptions> = {}): WebHdfsTokenService =>
  new WebHdfsTokenService({
    nameNodes: [
      { id: 'nn1', origin: nn1.origin, spnHost: 'localhost' },
      { id: 'nn2', origin: nn2.origin, spnHost: 'localhost' },
    ],
    sessions: new SpnegoSessions({ http, spnego, clock, random: () => 0 }),
    proxyUser: 'kerbridge',
    service: 'ha-hdfs:prod',
    clock,
    random: () => 0,
    ...options,
  });

beforeEach(async () => {
  clock = new FakeClock();
  ledger = new FakeTokenLedger();
  nn1 = await FakeNameNode.start({ clock, ledger });
  nn2 = await FakeNameNode.start({ clock, ledger });
  nn2.role = 'standby';
  http = new HadoopHttpClient({ clock, allowPlainHttp: true, timeoutMs: 20_000 });
  spnego = new FakeSpnegoInitiator();
  service = open();
});

afterEach(async () => {
  http.close();
  await Promise.all([nn1[Symbol.asyncDispose](), nn2[Symbol.asyncDispose]()]);
});

/** Everything secret that has gone over the wire, both ways. */
function secrets(): string[] {
  const requests = [...nn1.requests, ...nn2.requests];
  const sent = requests.flatMap(({ headers, query }) => [
    headers.cookie,
    headers.authorization,
    query['token'],
  ]);
  const passwords = ledger.issued.flatMap(({ password }) => [
    Buffer.from(password).toString('hex'),
    Buffer.from(password).toString('base64url').slice(0, 12),
    [...password].join(', '),
  ]);
  return [
    ...sent.flatMap((text) => (text ?? '').split(/["&\s]/u)).filter((part) => part.length > 16),
    ...passwords,
  ];
}

/** Waits out the pauses between rounds. */
async function errorOf(call: Promise<unknown>): Promise<TokenServiceError> {
  const ended: unknown[] = [];
  const done = call.then(
    () => ended.push(new Error('did not fail')),
    (error: unknown) => ended.push(error),
  );
  while (ended.length === 0) {
    await Promise.race([done, settle()]);
    // Only pauses between rounds are this short: a time-out stays out of reach.
    if (clock.sleeping > 0 && ended.length === 0) await clock.advance(50);
  }
  const [outcome] = ended;
  if (!(outcome instanceof TokenServiceError)) throw outcome;
  const all = everythingIn(outcome);
  for (const secret of secrets()) expect(all).not.toContain(secret);
  return outcome;
}

describe('issue', () => {
  it('asks for what it was asked for, and hands it out', async () => {
    const delegationToken = await service.issue(alice);
    expect(nn1.tokenRequests.map(({ method, query }) => [method, query])).toEqual([
      [
        'GET',
        {
          op: 'GETDELEGATIONTOKEN',
          doas: 'alice',
          renewer: 'kerbridge',
          service: 'ha-hdfs:prod',
          kind: 'HDFS_DELEGATION_TOKEN',
        },
      ],
    ]);
    const [issued] = ledger.issued;
    expect(delegationToken).toMatchObject({
      kind: 'HDFS_DELEGATION_TOKEN',
      service: 'ha-hdfs:prod',
      owner: 'alice',
      renewer: 'kerbridge',
      realUser: '',
      issueDate: BigInt(clock.now()),
      maxDate: BigInt(clock.now()) + 604_800_000n,
      sequenceNumber: 1,
    });
    expect(delegationToken.password.reveal()).toEqual(new Uint8Array(issued?.password ?? []));
    expect(everythingIn(delegationToken)).not.toContain(
      Buffer.from(issued?.password ?? [])
        .toString('hex')
        .slice(0, 8),
    );
  });

  it('can ask for another kind', async () => {
    const delegationToken = await open({ kind: 'WEBHDFS delegation', service: 'ha-webhdfs:prod' }).issue(
      alice,
    );
    expect([delegationToken.kind, delegationToken.service]).toEqual([
      'WEBHDFS delegation',
      'ha-webhdfs:prod',
    ]);
  });

  it('accepts our own name as realUser, as older NameNodes set it', async () => {
    nn1.faults.push({ fault: 'issue-as', realUser: 'kerbridge' });
    expect((await service.issue(alice)).realUser).toBe('kerbridge');
  });

  it.each([
    ['owner', { owner: 'kerbridge' }, 'owner is "kerbridge", not "alice"'],
    ['owner', { owner: 'Alice' }, 'owner is "Alice", not "alice"'],
    ['owner', { owner: '' }, 'owner is "", not "alice"'],
    ['renewer', { renewer: 'alice' }, 'renewer is "alice", not "kerbridge"'],
    ['kind', { kind: 'WEBHDFS delegation' }, 'kind is "WEBHDFS delegation", not "HDFS_DELEGATION_TOKEN"'],
    ['realUser', { realUser: 'bob' }, 'realUser is "bob", not "kerbridge"'],
  ])('refuses a token with another %s, without asking elsewhere', async (_, fields, difference) => {
    nn1.faults.push({ fault: 'issue-as', ...fields });
    const error = await errorOf(service.issue(alice));
    expect([error.failure, error.endpoint]).toEqual(['wrong-token', nn1.origin]);
    expect(error.message).toContain(difference);
    expect([nn1.tokenRequests.length, nn2.requests.length]).toEqual([1, 0]);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'hello'],
    ['a page', '<html><title>Welcome</title></html>'],
    ['another answer', '{"Path":"/user/alice"}'],
    ['null', '{"Token":null}'],
    ['no string', '{"Token":{"urlString":1}}'],
    ['an empty token', '{"Token":{"urlString":""}}'],
    ['no token', '{"Token":{"urlString":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}}'],
    ['half a token', '{"Token":{"urlString":"JAAFYWxpY2UJa2VyYnJpZGdlAIoBogSLfHuKAaIomABrji3-AhQoMGpY"}}'],
    ['cut-off JSON', '{"Token":{"urlString":"JAAFYWxpY2UJa2VyYnJpZGdl'],
  ])('refuses %s', async (_, body) => {
    nn1.faults.push({ fault: 'reply', status: 200, headers: { 'Content-Type': 'application/json' }, body });
    const error = await errorOf(service.issue(alice));
    expect([error.failure, error.endpoint]).toEqual(['wrong-token', nn1.origin]);
    expect(everythingIn(error)).not.toMatch(/c2VjcmV0|JAAFYWxpY2U|secretsecret/u);
  });

  it('says that a NameNode without security gives no tokens', async () => {
    nn1.faults.push({ fault: 'reply', status: 200, body: '{"Token":null}' });
    expect((await errorOf(service.issue(alice))).fix).toContain('hadoop.security.authentication=kerberos');
  });

  it.each([
    ['owner', ''],
    ['owner', 'alice@REALM'],
    ['owner', 'alice/host'],
    ['owner', 'alice&doas=hdfs'],
    ['owner', ' alice'],
    ['owner', 'alice\n'],
    ['owner', 'älice'],
    ['owner', '1alice'],
    ['owner', '..'],
    ['owner', 'al$ice'],
    ['owner', 'a'.repeat(257)],
    ['renewer', ''],
    ['renewer', 'kerbridge/host@REALM'],
  ])('sends nothing for %s %j', async (field, name) => {
    const error = await errorOf(service.issue({ ...alice, [field]: name }));
    expect(error.failure).toBe('bad-request');
    expect(error.message).toContain(`${field} "`);
    expect(error.message).not.toContain('\n');
    expect([nn1.requests, nn2.requests, spnego.hosts]).toEqual([[], [], []]);
  });

  it.each(['alice', '_a', 'a.b-c_d', 'machine$'])('sends %s', async (owner) => {
    nn1.proxiedUsers.add(owner);
    expect((await service.issue({ ...alice, owner })).owner).toBe(owner);
  });

  it('names the proxy-user property when we may not', async () => {
    const error = await errorOf(service.issue({ ...alice, owner: 'mallory' }));
    expect(error).toMatchObject({
      failure: 'denied',
      exception: 'AuthorizationException',
      message: `GETDELEGATIONTOKEN at ${nn1.origin}: AuthorizationException: User: kerbridge is not allowed to impersonate mallory`,
      fix: expect.stringContaining('hadoop.proxyuser.kerbridge.users'),
    });
    expect(nn2.requests).toEqual([]);
  });

  it.each([
    ['hangs up after it', { fault: 'lose-reply' }],
    ['hangs up', { fault: 'drop' }],
    ['breaks off', { fault: 'break-off' }],
    ['answers 503', { fault: 'reply', status: 503, body: '' }],
    ['answers with an unknown exception', unknownException],
  ] as const)('is not repeated, here or elsewhere, when the server %s', async (_, fault) => {
    await service.issue(alice);
    nn2.role = 'active';
    nn1.faults.push(fault);
    expect(await errorOf(service.issue(alice))).toMatchObject({
      failure: 'unreachable',
      endpoint: nn1.origin,
      mayHaveActed: true,
    });
    expect([nn1.tokenRequests.length, nn2.requests.length]).toEqual([2, 0]);
    // Who fails without a word is not asked first again.
    await service.issue(alice);
    expect([nn1.tokenRequests.length, nn2.tokenRequests.length]).toEqual([2, 1]);
  });

  it('is not repeated when the server does not answer in time', async () => {
    await service.issue(alice);
    nn1.faults.push({ fault: 'hang' });
    nn2.role = 'active';
    const outcome = service.issue(alice).catch((error: unknown) => error);
    while (nn1.tokenRequests.length < 2) await settle();
    await clock.advance(20_000);
    expect(await outcome).toMatchObject({
      failure: 'unreachable',
      message: `GETDELEGATIONTOKEN at ${nn1.origin}: no complete answer within 20000 ms`,
      fix: expect.stringContaining('limits.hadoopCallTimeout'),
    });
    expect([ledger.issued.length, nn2.requests.length]).toEqual([2, 0]);
  });

  it('goes to the other NameNode when the connection is refused', async () => {
    await service.issue(alice);
    await nn1[Symbol.asyncDispose]();
    nn2.role = 'active';
    // The pooled connection is closed before the next request, as after a restart.
    await settle();
    expect((await service.issue(alice)).sequenceNumber).toBe(2);
  });
});

describe('renew', () => {
  let delegationToken: DelegationToken;

  beforeEach(async () => {
    delegationToken = await service.issue(alice);
    nn1.requests.length = 0;
  });

  it('returns the new expiry', async () => {
    expect(await service.renew(delegationToken)).toEqual({ expiresAt: BigInt(clock.now()) + 86_400_000n });
    expect(nn1.tokenRequests[0]).toMatchObject({ method: 'PUT', query: { op: 'RENEWDELEGATIONTOKEN' } });
  });

  it('does not lose a digit', async () => {
    nn1.faults.push({ fault: 'reply', status: 200, body: '{"long":9007199254740993}' });
    const eternal = { ...delegationToken, maxDate: 9_223_372_036_854_775_807n };
    expect(await service.renew(eternal)).toEqual({ expiresAt: 9_007_199_254_740_993n });
  });

  it('does not believe in a life beyond maxDate', async () => {
    nn1.faults.push({ fault: 'reply', status: 200, body: '{"long":9223372036854775807}' });
    expect(await service.renew(delegationToken)).toEqual({ expiresAt: delegationToken.maxDate });
  });

  it.each([
    '{"long":0}',
    '{"long":-1}',
    '{"long":"5"}',
    '{"long":1.5}',
    '{"long":null}',
    '{}',
    '',
    'x',
    '{"long":5',
  ])('refuses %j', async (body) => {
    nn1.faults.push({ fault: 'reply', status: 200, body });
    expect((await errorOf(service.renew(delegationToken))).failure).toBe('wrong-token');
  });

  it('works at the other NameNode after a failover', async () => {
    nn1.role = 'standby';
    nn2.role = 'active';
    expect(await service.renew(delegationToken)).toEqual({ expiresAt: BigInt(clock.now()) + 86_400_000n });
  });

  it('of a token with a wrong password fails as invalid', async () => {
    const forged = { ...delegationToken, password: new Secret(new Uint8Array(20)) };
    expect((await errorOf(service.renew(forged))).failure).toBe('invalid-token');
  });

  it('of a cancelled token fails as invalid', async () => {
    await service.cancel(delegationToken);
    expect(await errorOf(service.renew(delegationToken))).toMatchObject({
      failure: 'invalid-token',
      exception: 'InvalidToken',
    });
  });

  it('of a token with another renewer is denied', async () => {
    ledger.issue({
      owner: 'alice',
      renewer: 'yarn',
      kind: 'HDFS_DELEGATION_TOKEN',
      service: 'x',
      now: clock.now(),
    });
    nn1.faults.push({ fault: 'issue-as', renewer: 'yarn' });
    const yarns = await service.issue({ owner: 'alice', renewer: 'yarn' });
    expect((await errorOf(service.renew(yarns))).failure).toBe('denied');
  });

  it('of what cannot be written sends nothing', async () => {
    const odd = { ...delegationToken, service: 'half\uD800' };
    expect((await errorOf(service.renew(odd))).failure).toBe('bad-request');
    expect(nn1.requests).toEqual([]);
  });
});

describe('cancel', () => {
  let delegationToken: DelegationToken;

  beforeEach(async () => {
    delegationToken = await service.issue(alice);
  });

  it('cancels', async () => {
    await service.cancel(delegationToken);
    expect(ledger.live.size).toBe(0);
    expect(nn1.tokenRequests.at(-1)).toMatchObject({ method: 'PUT', query: { op: 'CANCELDELEGATIONTOKEN' } });
  });

  it('is content when the token is gone already', async () => {
    await service.cancel(delegationToken);
    await expect(service.cancel(delegationToken)).resolves.toBeUndefined();
  });

  it('is content when the reply to a first try was lost', async () => {
    nn1.faults.push({ fault: 'lose-reply' });
    const call = service.cancel(delegationToken);
    const pause = (async () => {
      while (nn1.tokenRequests.length < 3) {
        await settle();
        if (nn2.tokenRequests.length > 0) await clock.advance(50);
      }
    })();
    await Promise.all([call, pause]);
    expect(ledger.live.size).toBe(0);
  });

  it('is not content with another InvalidToken', async () => {
    const body = JSON.stringify({
      RemoteException: { exception: 'InvalidToken', message: 'The token is odd' },
    });
    nn1.faults.push({ fault: 'reply', status: 403, headers: { 'Content-Type': 'application/json' }, body });
    expect((await errorOf(service.cancel(delegationToken))).failure).toBe('invalid-token');
  });

  it('of somebody else’s token is denied', async () => {
    nn1.faults.push({ fault: 'issue-as', renewer: 'yarn' });
    const yarns = await service.issue({ owner: 'alice', renewer: 'yarn' });
    expect((await errorOf(service.cancel(yarns))).failure).toBe('denied');
    expect(ledger.live.size).toBe(2);
  });

  it('at a standby alone is not done', async () => {
    nn1.role = 'standby';
    expect((await errorOf(service.cancel(delegationToken))).failure).toBe('not-active');
    expect(ledger.live.size).toBe(1);
  });
});

describe('which NameNode', () => {
  it('is found when the first is standby, and kept', async () => {
    nn1.role = 'standby';
    nn2.role = 'active';
    await service.issue(alice);
    await service.issue(alice);
    expect([nn1.tokenRequests.length, nn2.tokenRequests.length]).toEqual([1, 2]);
  });

  it.each([
    ['hangs up', { fault: 'drop' }],
    ['loses its reply', { fault: 'lose-reply' }],
    ['breaks off', { fault: 'break-off' }],
    ['answers 503', { fault: 'reply', status: 503, body: '' }],
    ['answers with an unknown exception', unknownException],
  ] as const)('is the other one for a renewal when the first %s', async (_, fault) => {
    const delegationToken = await service.issue(alice);
    nn1.faults.push(fault);
    nn2.role = 'active';
    await service.renew(delegationToken);
    expect(nn2.tokenRequests).toHaveLength(1);
  });

  it('is the other one for a renewal when the first does not answer in time', async () => {
    const delegationToken = await service.issue(alice);
    nn1.faults.push({ fault: 'hang' });
    nn2.role = 'active';
    const call = service.renew(delegationToken);
    while (nn1.tokenRequests.length < 2) await settle();
    await clock.advance(20_000);
    await call;
    expect(nn2.tokenRequests).toHaveLength(1);
  });

  it('is none in safe mode', async () => {
    nn1.role = 'safe-mode';
    expect(await errorOf(service.issue(alice))).toMatchObject({
      failure: 'safe-mode',
      exception: 'SafeModeException',
    });
    expect([nn1.tokenRequests.length, nn2.requests.length]).toEqual([1, 0]);
  });

  it('is the other one when the keytab of the first is stale', async () => {
    nn1.keyVersion = 2;
    nn2.role = 'active';
    await service.issue(alice);
    expect(nn2.tokenRequests).toHaveLength(1);
  });

  it('is none when our own keytab is bad', async () => {
    spnego.failure = new SpnegoError('credentials', 'Preauthentication failed');
    expect((await errorOf(service.issue(alice))).failure).toBe('authentication');
    expect(spnego.hosts).toHaveLength(1);
  });

  it('is told to be out of reach when the KDC is', async () => {
    spnego.failure = new SpnegoError('kdc-unreachable', 'Cannot contact any KDC');
    const error = await errorOf(service.issue(alice));
    expect([error.failure, error.message]).toEqual([
      'unreachable',
      expect.stringContaining('the KDC of kerbridge@'),
    ]);
    expect(spnego.hosts).toHaveLength(1);
  });

  it('is one that still knows us by cookie when the KDC is out of reach', async () => {
    await service.issue(alice);
    nn1.role = 'standby';
    nn2.role = 'active';
    await service.issue(alice);
    nn2.forgetCookies();
    spnego.failure = new SpnegoError('kdc-unreachable', 'Cannot contact any KDC');
    nn1.role = 'active';
    // nn2 wants a new ticket, which is not to be had; nn1 takes the cookie.
    expect((await service.issue(alice)).sequenceNumber).toBe(3);
  });

  it('is the one that answered with a final no, before one that hangs', async () => {
    nn1.role = 'standby';
    nn2.role = 'active';
    const delegationToken = await service.issue(alice);
    nn1.role = 'active';
    nn2.role = 'standby';
    await service.cancel(await service.issue(alice));
    nn1.role = 'standby';
    nn2.role = 'active';
    await errorOf(service.renew({ ...delegationToken, password: new Secret(new Uint8Array(20)) }));
    nn1.requests.length = 0;
    await service.renew(delegationToken);
    expect(nn1.requests).toEqual([]);
  });
});

describe('no error tells a secret', () => {
  const faults: readonly (readonly [string, Fault])[] = [
    ['a dropped connection', { fault: 'drop' }],
    ['a lost reply', { fault: 'lose-reply' }],
    ['a body that breaks off', { fault: 'break-off' }],
    [
      'a redirect',
      { fault: 'reply', status: 302, headers: { Location: 'https://portal.test/?token=x' }, body: '' },
    ],
    ...rows
      .filter(({ status }) => status >= 300)
      .map((row) => [row.id, { fault: 'reply', ...replyOfRow(row) }] as const),
  ];

  it.each(faults)('%s', async (_, fault) => {
    const single = open({ nameNodes: [{ id: 'nn1', origin: nn1.origin, spnHost: 'localhost' }], rounds: 1 });
    const delegationToken = await single.issue(alice);
    const calls = [
      () => single.issue(alice),
      () => single.renew(delegationToken),
      () => single.cancel(delegationToken),
    ];
    for (const call of calls) {
      nn1.faults.push(fault, fault);
      const outcome = await call().then(
        () => undefined,
        (error: unknown) => error,
      );
      nn1.faults.length = 0;
      // CANCEL takes "Token not found" for success.
      if (outcome === undefined) continue;
      expect(outcome).toBeInstanceOf(TokenServiceError);
      const all = everythingIn(outcome);
      const found = secrets().filter((secret) => all.includes(secret));
      expect(found).toEqual([]);
      expect(all).not.toMatch(/token=(?!\[redacted\])/u);
    }
  });

  it('even when the server repeats the request', async () => {
    const delegationToken = await service.issue(alice);
    await service.renew(delegationToken);
    const { rawUrl, headers } = nn1.tokenRequests.at(-1) ?? { rawUrl: '', headers: {} };
    expect(rawUrl).toContain('token=');
    const message = `bad request ${rawUrl} with Cookie: ${headers.cookie}`;
    for (const reply of [
      {
        status: 400,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ RemoteException: { exception: 'ParamException', message } }),
      },
      { status: 400, headers: { 'Content-Type': 'text/html' }, body: `<title>Error 400 ${message}</title>` },
      { status: 400, body: message },
    ]) {
      nn1.faults.push({ fault: 'reply', ...reply });
      expect((await errorOf(service.renew(delegationToken))).failure).toBe('bad-request');
    }
  });
});

describe('when the deadline comes', () => {
  const timeUp = () => new TokenServiceError('unreachable', 'no token within 30000 ms');

  it('while the KDC is silent, the KDC is named', async () => {
    spnego.gate = new Promise(() => {});
    const deadline = new AbortController();
    const outcome = service.issue(alice, { signal: deadline.signal }).catch((error: unknown) => error);
    await settle();
    deadline.abort(timeUp());
    expect(await outcome).toMatchObject({
      failure: 'unreachable',
      message: expect.stringMatching(/^no token within 30000 ms; the KDC of kerbridge@.* does not answer/u),
      dependency: 'kerberos',
      endpoint: nn1.origin,
      fix: expect.stringContaining('krb5.conf'),
    });
  });

  it('no further round has been begun, and each NameNode is named with its last failure', async () => {
    nn1.answerAll = { status: 503, body: '' };
    nn2.answerAll = { status: 503, body: '' };
    const call = { signal: new AbortController().signal, deadline: clock.now() + 39_999 };
    const error = await errorOf(service.issue(alice, call));
    expect(error.message).toContain(`nn1 (${nn1.origin}): unreachable: `);
    expect(error.message).toContain(`nn2 (${nn2.origin}): unreachable: `);
    expect([nn1.requests.length, nn2.requests.length]).toEqual([1, 1]);
  });
});

describe('the signal', () => {
  it('ends a call', async () => {
    await service.issue(alice);
    nn1.faults.push({ fault: 'hang' });
    const caller = new AbortController();
    const call = service.issue(alice, { signal: caller.signal });
    while (nn1.tokenRequests.length < 2) await settle();
    const reason = new Error('deadline');
    caller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(nn2.requests).toEqual([]);
  });
});
