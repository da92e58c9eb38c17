import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { everythingIn } from '../../../test/fakes/everything-in.ts';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeNameNode, replyOfRow } from '../../../test/fakes/fake-namenode.ts';
import { FakeSpnegoInitiator, makeFakeSpnegoToken } from '../../../test/fakes/fake-spnego-initiator.ts';
import { readErrorTable } from '../../../test/fixtures/hadoop-replies/error-row.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { SpnegoError } from '../spnego.ts';
import type { SpnegoFailure } from '../spnego.ts';
import { HadoopHttpClient } from './hadoop-http-client.ts';
import { SpnegoSession } from './spnego-session.ts';
import type { SessionRequest } from './spnego-session.ts';
import { SpnegoSessions } from './spnego-sessions.ts';

const rows = await readErrorTable();
const rowReply = (id: string) => {
  const row = rows.find((candidate) => candidate.id === id);
  if (row === undefined) throw new Error(id);
  return replyOfRow(row);
};

const login = { path: '/webhdfs/v1/', query: { op: 'GETHOMEDIRECTORY' } };
const issue: SessionRequest = {
  method: 'GET',
  path: '/webhdfs/v1/',
  query: { op: 'GETDELEGATIONTOKEN', doas: 'alice', renewer: 'kerbridge' },
  operation: 'GETDELEGATIONTOKEN',
};

let clock: FakeClock;
let nameNode: FakeNameNode;
let spnego: FakeSpnegoInitiator;
let http: HadoopHttpClient;
let discarded: number;
let session: SpnegoSession;

const open = (): SpnegoSession =>
  new SpnegoSession({
    endpoint: { origin: nameNode.origin, spnHost: 'localhost', login },
    http,
    spnego,
    clock,
    random: () => 0,
    negotiateTimeoutMs: 5000,
    discardTickets: () => {
      discarded += 1;
    },
  });

beforeEach(async () => {
  clock = new FakeClock();
  nameNode = await FakeNameNode.start({ clock });
  spnego = new FakeSpnegoInitiator();
  http = new HadoopHttpClient({ clock, allowPlainHttp: true });
  discarded = 0;
  session = open();
});

afterEach(async () => {
  http.close();
  await nameNode[Symbol.asyncDispose]();
});

const operationsSeen = () => nameNode.requests.map(({ op }) => op);
const authenticationSeen = () =>
  nameNode.requests.map(({ headers }) => [
    headers.authorization?.split(' ')[0],
    headers.cookie?.slice(0, 12),
  ]);

async function failureOf(call: Promise<unknown>): Promise<TokenServiceError> {
  const error = await call.then(
    () => new Error('did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TokenServiceError)) throw error;
  const all = everythingIn(error);
  const sent = nameNode.requests.flatMap(({ headers }) => [headers.cookie, headers.authorization]);
  for (const secret of sent) {
    // The value, and any piece of it that still is one.
    for (const part of (secret ?? '').split(/["&\s]/u)) if (part.length > 16) expect(all).not.toContain(part);
  }
  expect(all).not.toMatch(/u=kerbridge|hadoop\.auth=[^[]/u);
  return error;
}

describe('a session', () => {
  it('authenticates once, unasked, and goes on with the cookie', async () => {
    for (let call = 0; call < 3; call += 1) expect((await session.send(issue)).status).toBe(200);
    expect(operationsSeen()).toEqual([
      'GETHOMEDIRECTORY',
      ...Array.from({ length: 3 }, () => 'GETDELEGATIONTOKEN'),
    ]);
    expect(authenticationSeen()).toEqual([
      ['Negotiate', undefined],
      [undefined, 'hadoop.auth='],
      [undefined, 'hadoop.auth='],
      [undefined, 'hadoop.auth='],
    ]);
    expect([nameNode.handshakes, spnego.hosts]).toEqual([1, ['localhost']]);
  });

  it('sends the cookie verbatim, quotes included', async () => {
    await session.send(issue);
    expect(nameNode.requests[1]?.headers.cookie).toMatch(
      /^hadoop\.auth="u=kerbridge&p=kerbridge@KERBRIDGE\.TEST&t=kerberos&e=\d+&s=[^"]+"$/u,
    );
  });

  it('shares one handshake among concurrent first requests', async () => {
    const gate = Promise.withResolvers<void>();
    spnego.gate = gate.promise;
    const calls = Array.from({ length: 10 }, () => session.send(issue));
    await settle();
    gate.resolve();
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(
      Array.from({ length: 10 }, () => 200),
    );
    expect([nameNode.handshakes, spnego.hosts.length]).toEqual([1, 1]);
  });

  it('lets a caller go without ending the handshake of the others', async () => {
    const gate = Promise.withResolvers<void>();
    spnego.gate = gate.promise;
    const caller = new AbortController();
    const leaver = session.send({ ...issue, signal: caller.signal });
    const stayer = session.send(issue);
    await settle();
    caller.abort(new Error('gone'));
    await expect(leaver).rejects.toThrow('gone');
    gate.resolve();
    expect((await stayer).status).toBe(200);
    expect([nameNode.handshakes, nameNode.tokenRequests.length]).toEqual([1, 1]);
  });

  it('authenticates anew before the cookie expires', async () => {
    nameNode.cookieLifetimeMs = 3_600_000;
    await session.send(issue);
    await clock.advance(3_600_000 - 60_001);
    await session.send(issue);
    expect(nameNode.handshakes).toBe(1);
    await clock.advance(1);
    await session.send(issue);
    expect(nameNode.handshakes).toBe(2);
    expect(
      nameNode.requests.some(
        ({ headers }) => headers.cookie !== undefined && headers.authorization !== undefined,
      ),
    ).toBe(false);
  });

  it('uses a short-lived cookie too', async () => {
    nameNode.cookieLifetimeMs = 10_000;
    await session.send(issue);
    await clock.advance(8000);
    await session.send(issue);
    expect(nameNode.handshakes).toBe(1);
  });
});

describe('a 401', () => {
  it('to a cookie leads to exactly one new handshake', async () => {
    await session.send(issue);
    nameNode.forgetCookies();
    nameNode.requests.length = 0;
    expect((await session.send(issue)).status).toBe(200);
    expect(operationsSeen()).toEqual(['GETDELEGATIONTOKEN', 'GETHOMEDIRECTORY', 'GETDELEGATIONTOKEN']);
    expect(nameNode.handshakes).toBe(2);
    expect(nameNode.ledger.issued).toHaveLength(2);
  });

  it('to many at once leads to one new handshake', async () => {
    await session.send(issue);
    nameNode.forgetCookies();
    const replies = await Promise.all(Array.from({ length: 8 }, () => session.send(issue)));
    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect(nameNode.handshakes).toBe(2);
  });

  it('that comes again is a failure, not a loop', async () => {
    for (let fault = 0; fault < 5; fault += 1)
      nameNode.faults.push({ fault: 'reply', ...rowReply('cookie-signature') });
    const error = await failureOf(session.send(issue));
    expect(error.failure).toBe('authentication');
    expect(error.message).toContain('Invalid signature');
    expect(error.fix).toContain('signature.secret.file');
    expect([nameNode.tokenRequests.length, nameNode.handshakes]).toEqual([2, 2]);
  });

  it('to the handshake is a failure at once', async () => {
    nameNode.answerAll = rowReply('not-authenticated');
    const error = await failureOf(session.send(issue));
    expect([error.failure, error.fix]).toEqual([
      'authentication',
      expect.stringContaining('hadoop.http.authentication.type'),
    ]);
    expect(nameNode.requests).toHaveLength(1);
  });
});

describe('a 403 of the authentication filter', () => {
  it('for a repeated token leads to one more try with another', async () => {
    const used = makeFakeSpnegoToken('kerbridge@KERBRIDGE.TEST', 'localhost');
    spnego.next.push(used, used);
    await session.send(issue);
    nameNode.forgetCookies();
    nameNode.requests.length = 0;
    expect((await session.send(issue)).status).toBe(200);
    expect(operationsSeen()).toEqual([
      'GETDELEGATIONTOKEN',
      'GETHOMEDIRECTORY',
      'GETHOMEDIRECTORY',
      'GETDELEGATIONTOKEN',
    ]);
    expect(nameNode.handshakes).toBe(2);
  });

  it('for a repeated token twice is a failure', async () => {
    const used = makeFakeSpnegoToken('kerbridge@KERBRIDGE.TEST', 'localhost');
    spnego.next.push(used, used, used, used);
    await session.send(issue);
    nameNode.forgetCookies();
    nameNode.requests.length = 0;
    const error = await failureOf(session.send(issue));
    expect([error.failure, error.message]).toEqual([
      'authentication',
      expect.stringContaining('Request is a replay'),
    ]);
    expect(operationsSeen()).toEqual(['GETDELEGATIONTOKEN', 'GETHOMEDIRECTORY', 'GETHOMEDIRECTORY']);
  });

  it('for a changed key leads to new tickets and one more try', async () => {
    nameNode.keyVersion = 2;
    const sessionWithNewTickets = new SpnegoSession({
      endpoint: { origin: nameNode.origin, spnHost: 'localhost', login },
      http,
      spnego,
      clock,
      random: () => 0,
      discardTickets: () => {
        spnego.keyVersion = 2;
      },
    });
    expect((await sessionWithNewTickets.send(issue)).status).toBe(200);
    expect(spnego.hosts).toHaveLength(2);
  });

  it('for a stale keytab of the server is a failure, and new tickets are got once a minute at most', async () => {
    nameNode.keyVersion = 0;
    const error = await failureOf(session.send(issue));
    expect([error.failure, error.fix]).toEqual(['authentication', expect.stringContaining('keytab')]);
    expect(discarded).toBe(1);
    await clock.advance(59_999);
    await failureOf(session.send(issue));
    expect([discarded, spnego.hosts.length]).toEqual([1, 3]);
    await clock.advance(1);
    await failureOf(session.send(issue));
    expect(discarded).toBe(2);
  });

  it.each(['negotiate-garbage', 'clock-skew', 'negotiate-garbage-put'])(
    '%s is a failure without another try',
    async (id) => {
      nameNode.answerAll = rowReply(id);
      expect((await failureOf(session.send(issue))).failure).toBe('authentication');
      expect(nameNode.requests).toHaveLength(1);
    },
  );
});

describe('an answer of the service', () => {
  it.each(['impersonation-not-allowed', 'standby', 'cancel-unknown', 'doas-empty'])(
    '%s is handed on',
    async (id) => {
      const reply = rowReply(id);
      nameNode.faults.push({ fault: 'reply', ...reply });
      expect(await session.send(issue)).toMatchObject({ status: reply.status });
      expect(nameNode.tokenRequests).toHaveLength(1);
    },
  );

  it('to the login that is not about authentication does not matter', async () => {
    nameNode.role = 'starting';
    expect((await session.send(issue)).status).toBe(403);
    expect(nameNode.handshakes).toBe(1);
  });
});

describe('a server that gives no cookie', () => {
  beforeEach(() => {
    nameNode.givesCookie = false;
  });

  it('gets a new SPNEGO token with every request', async () => {
    await session.send(issue);
    await session.send(issue);
    expect(operationsSeen()).toEqual(['GETHOMEDIRECTORY', 'GETDELEGATIONTOKEN', 'GETDELEGATIONTOKEN']);
    const sent = nameNode.requests.map(({ headers }) => headers.authorization);
    expect(new Set(sent).size).toBe(3);
  });

  it('is taken at its word when it gives one after all', async () => {
    await session.send(issue);
    nameNode.givesCookie = true;
    await session.send(issue);
    await session.send(issue);
    expect(authenticationSeen().at(-1)).toEqual([undefined, 'hadoop.auth=']);
  });
});

describe('the cookie', () => {
  it('is dropped when a reply clears it', async () => {
    await session.send(issue);
    nameNode.faults.push({
      fault: 'reply',
      status: 200,
      headers: { 'Set-Cookie': 'hadoop.auth=; Path=/' },
      body: '',
    });
    await session.send(issue);
    await session.send(issue);
    expect(nameNode.handshakes).toBe(2);
  });

  it('is not sent to another port', async () => {
    const other = await FakeNameNode.start({ clock });
    try {
      const sessions = new SpnegoSessions({ http, spnego, clock, random: () => 0 });
      const at = (origin: string) => sessions.at({ origin, spnHost: 'localhost', login });
      await at(nameNode.origin).send(issue);
      other.answerAll = { status: 200, body: '' };
      await at(other.origin).send(issue);
      expect(other.requests.length).toBeGreaterThan(0);
      expect(other.requests.map(({ headers }) => headers.cookie)).toEqual(
        other.requests.map(() => undefined),
      );
      // And the one of the first is still its own.
      expect(at(`${nameNode.origin}/`)).toBe(at(nameNode.origin));
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it('does not follow a redirect', async () => {
    const other = await FakeNameNode.start({ clock });
    try {
      await session.send(issue);
      nameNode.faults.push({
        fault: 'reply',
        status: 307,
        headers: { Location: `${other.origin}/webhdfs/v1/` },
        body: '',
      });
      expect(await session.send(issue)).toMatchObject({ status: 307, redirectOrigin: other.origin });
      expect(other.requests).toEqual([]);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it('of one principal is not used for another', async () => {
    await session.send(issue);
    const bob = new FakeSpnegoInitiator('bob@KERBRIDGE.TEST');
    const sessions = new SpnegoSessions({ http, spnego: bob, clock, random: () => 0 });
    await sessions.at({ origin: nameNode.origin, spnHost: 'localhost', login }).send(issue);
    expect(nameNode.requests.at(-1)?.headers.cookie).toContain('u=bob&');
  });
});

describe('without a ticket', () => {
  const cases: readonly (readonly [SpnegoFailure, string, string])[] = [
    ['kdc-unreachable', 'unreachable', 'the KDC of kerbridge@KERBRIDGE.TEST does not answer: GSS says so'],
    ['process', 'unreachable', 'no ticket for kerbridge@KERBRIDGE.TEST: GSS says so'],
    ['credentials', 'authentication', 'no ticket for kerbridge@KERBRIDGE.TEST: GSS says so'],
    ['unknown-service', 'authentication', 'no ticket for kerbridge@KERBRIDGE.TEST: GSS says so'],
    ['configuration', 'authentication', 'no ticket for kerbridge@KERBRIDGE.TEST: GSS says so'],
    ['gss', 'authentication', 'no ticket for kerbridge@KERBRIDGE.TEST: GSS says so'],
  ];

  it.each(cases)('because of %s the call fails as %s', async (cause, failure, message) => {
    spnego.failure = new SpnegoError(cause, 'GSS says so', { fix: 'do this' });
    const error = await failureOf(session.send(issue));
    expect(error).toMatchObject({
      failure,
      message,
      fix: 'do this',
      dependency: 'kerberos',
      cause: spnego.failure,
    });
    expect(nameNode.requests).toEqual([]);
  });

  it('the next call tries again', async () => {
    spnego.failure = new SpnegoError('kdc-unreachable', 'x');
    await failureOf(session.send(issue));
    spnego.failure = undefined;
    expect((await session.send(issue)).status).toBe(200);
  });

  it('that never comes the call fails in time', async () => {
    spnego.gate = new Promise(() => {});
    const failed = failureOf(session.send(issue));
    await clock.advance(5000);
    expect(await failed).toMatchObject({
      failure: 'unreachable',
      message: expect.stringContaining('within 5000 ms'),
    });
    expect(spnego.signals[0]?.aborted).toBe(true);
  });

  it('because of a bug the call fails all the same, and keeps nothing of the error', async () => {
    spnego.failure = new TypeError('Authorization: Negotiate YIIC');
    const error = await failureOf(session.send(issue));
    expect([error.failure, error.dependency, error.cause]).toEqual(['unreachable', 'kerberos', undefined]);
    expect(everythingIn(error)).not.toContain('YIIC');
  });
});

it('a server out of reach is out of reach, not unauthenticated', async () => {
  nameNode.answerAll = { status: 503, statusMessage: 'Service Unavailable', body: '' };
  expect((await failureOf(session.send(issue))).failure).toBe('unreachable');
});
