import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import type { AuthenticatePod } from '../../authentication/authentication-result.ts';
import { MAX_REQUESTS } from '../../config/serve-config-schema.ts';
import { createApi } from '../../http-api/create-api.ts';
import { SERVER_LIMITS, type ServerLimits } from '../../http-api/limits.ts';
import { HttpServer } from './http-server.ts';

const GARBAGE = 'GET /v1/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a.b.c\r\n\r\n';

/** Tells how many connections were made when all are, or one of them is not. */
const CONNECT = `
  const [port, most] = process.argv.slice(1).map(Number);
  let connected = 0;
  const end = () => { process.stdout.write(String(connected), () => process.exit()); };
  for (let each = 0; each < most; each += 1) {
    const socket = require('node:net').connect(port, '127.0.0.1', () => { if (++connected === most) end(); });
    socket.setTimeout(10_000, end).on('error', end);
  }
`;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function listen(
  listener: (seen: ReturnType<typeof observedRefusals>) => RequestListener,
  limits: Partial<ServerLimits> = {},
  trustedProxies: readonly string[] = [],
) {
  const seen = observedRefusals();
  const server = new HttpServer({
    listener: listener(seen),
    refusals: seen.refusals,
    // All callers of these tests have one address.
    limits: { connectionsPerPeer: 1_000, ...limits },
    trustedProxies,
    random: () => 0.5,
  });
  const { port } = await server.listen({ address: '127.0.0.1', port: 0 });
  ends.push(() => server.stop(0, new FakeClock()));
  return { ...seen, port };
}

/** The real API before an authenticator that answers when it is told to. */
async function serveApi(options: { limits?: Partial<ServerLimits>; maxAuthentications?: number } = {}) {
  const started: AbortSignal[] = [];
  const released = Promise.withResolvers<void>();
  const authenticatePod: AuthenticatePod = async (_authorization, { signal, admitCheck } = {}) => {
    if (admitCheck?.() === false) return { outcome: 'limited', limit: 'authentications' };
    started.push(signal ?? AbortSignal.abort());
    await released.promise;
    return { outcome: 'refused', reason: 'service-account-token-invalid' };
  };
  const nobody = () => {
    throw new Error('nobody is authenticated here');
  };
  const server = await listen(
    ({ metrics, logger, clock, refusals }) =>
      createApi({
        authenticatePod,
        identifyUser: nobody,
        getCredentials: nobody,
        encodeCredentials: nobody,
        sourceAddressOf: () => '127.0.0.1',
        writeAudit: () => Promise.resolve(),
        requestsPerNamespace: 1_000,
        tokensRoute: nobody,
        reportRejected: nobody,
        metrics,
        logger,
        clock,
        refusals,
        random: () => 0.5,
        ...(options.maxAuthentications === undefined
          ? {}
          : { maxAuthentications: options.maxAuthentications }),
      }),
    options.limits,
  );
  return { ...server, started, release: () => released.resolve() };
}

/** Everything that comes back until the connection ends. */
function say(port: number, text: string): { socket: Socket; ended: Promise<string> } {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('error', () => undefined); // a connection that is cut while we write
  socket.write(text);
  ends.push(() => socket.destroy());
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(answer)));
  return { socket, ended };
}

/** A connection that says nothing, from another of our addresses. */
function holdFrom(port: number, localAddress: string): () => void {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  return () => socket.destroy();
}

/** Gives up by turns of the event loop, not by time: a test that fails must also end. */
async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await check()) return;
    await settle();
  }
  throw new Error('that never came');
}

const statuses = (answer: string) =>
  [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, each) => sum + each, 0);

it('a namespace can be given no more requests than the server takes', () => {
  expect(MAX_REQUESTS).toBe(SERVER_LIMITS.requests);
});

describe('a flood', () => {
  it('lets as many connect in one busy moment as the system allows, and resets none', async () => {
    const { port } = await listen(() => () => undefined, { connections: 2_000 });
    const some = Math.min(1_000, Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8')));
    // Nothing is accepted meanwhile: this process waits for the other one.
    const connected = execFileSync(process.execPath, ['-e', CONNECT, String(port), String(some)], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(connected).toBe(`${some}`);
  });

  it('of 2,000 pipelined requests starts 16 authentications, and the connection is cut', async () => {
    const { port, started, counts, log } = await serveApi();
    const { ended } = say(port, GARBAGE.repeat(2_000));
    expect(await ended).toBe('');
    await until(() => started.every(({ aborted }) => aborted));
    expect(started).toHaveLength(16);
    const { 'too-many-on-connection': refused, 'connection-cut': cut } = await counts();
    expect(refused).toBe(16);
    expect(cut).toBeGreaterThan(0);
    // 16 callers who went away, and a line for each of the two reasons.
    expect(log()).toHaveLength(18);
  });

  it('of that kind leaves nothing behind: all of it is forgotten, and a decent caller is served', async () => {
    const { port, started, release } = await serveApi({ limits: { requests: 17 } });
    for (let flood = 0; flood < 5; flood += 1) {
      await say(port, GARBAGE.repeat(2_000)).ended;
      await until(() => started.length === 16 * (flood + 1) && started.every(({ aborted }) => aborted));
    }
    release();
    const { socket, ended } = say(port, GARBAGE);
    await once(socket, 'data');
    socket.end();
    expect(statuses(await ended)).toEqual([401]);
  });

  it('gets a 503 in its turn for what little is too many on a connection', async () => {
    const { port, started, release } = await serveApi();
    const last = GARBAGE.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    const { ended } = say(port, GARBAGE.repeat(19) + last);
    await until(() => started.length === 16);
    release();
    const answer = await ended;
    expect(statuses(answer)).toEqual([...Array<number>(16).fill(401), ...Array<number>(4).fill(503)]);
    expect(answer.match(/"code":"overloaded"/g)).toHaveLength(4);
    expect(answer.match(/Retry-After: 6/g)).toHaveLength(4);
    expect(answer.match(/application\/problem\+json/g)).toHaveLength(20);
    expect(started).toHaveLength(16);
  });

  it.each([
    ['requests', { limits: { requests: 50 } }, 'too-many-requests'],
    ['authentications', { maxAuthentications: 50 }, 'too-many-authentications'],
  ] as const)(
    'on many connections gets no more than the limit of %s, and 503 at once',
    async (_name, options, reason) => {
      const { port, started, counts, log } = await serveApi(options);
      const callers = Array.from({ length: 200 }, () => say(port, GARBAGE));
      const answers: string[] = [];
      for (const { socket } of callers)
        socket.once('data', (chunk: Buffer) => answers.push(chunk.toString()));
      await until(() => answers.length === 150);
      expect(started).toHaveLength(50);
      expect(answers.every((answer) => /^HTTP\/1\.1 503 [^]*"code":"overloaded"/.test(answer))).toBe(true);
      expect(await counts()).toEqual({ [reason]: 150 });
      expect(log()).toHaveLength(1);
      // A slot that becomes free is taken again.
      callers.forEach(({ socket }) => socket.destroy());
      await until(() => started.every(({ aborted }) => aborted));
    },
  );

  it('of connections ends at their limit', async () => {
    const { port, counts } = await serveApi({ limits: { connections: 3 } });
    const callers = Array.from({ length: 10 }, () => say(port, ''));
    await until(async () => total(await counts()) === 7);
    expect(await counts()).toEqual({ 'too-many-connections': 7 });
    await until(() => callers.filter(({ socket }) => socket.destroyed).length === 7);
  });
});

describe('connections of one peer', () => {
  const done: RequestListener = (_request, response) => response.end('done');
  const ask = (port: number, from: string) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    const ended = new Promise<string>((resolve) => {
      let answer = '';
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      socket.on('error', () => undefined);
      socket.once('close', () => resolve(answer));
    });
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    return ended;
  };

  it('end at their limit, and leave the port open to others', async () => {
    const { port, counts, log } = await listen(() => done, { connections: 10, connectionsPerPeer: 3 });
    const silent = Array.from({ length: 20 }, () => say(port, ''));
    await until(async () => total(await counts()) === 17);
    expect(await counts()).toEqual({ 'too-many-connections': 17 });
    expect(log()).toHaveLength(1);
    await until(() => silent.filter(({ socket }) => socket.destroyed).length === 17);
    expect(await ask(port, '127.0.0.1')).toBe('');
    expect(await ask(port, '127.0.0.2')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('are taken again when others have ended', async () => {
    const { port, counts } = await listen(() => done, { connectionsPerPeer: 2 });
    for (let round = 0; round < 5; round += 1) {
      const both = [say(port, ''), say(port, '')];
      await until(async () => (await ask(port, '127.0.0.1')) === '');
      for (const { socket } of both) socket.destroy();
      await until(async () => (await ask(port, '127.0.0.1')) !== '');
    }
    expect(Object.keys(await counts())).toEqual(['too-many-connections']);
  });

  it.each([
    ['its address', '127.0.0.1'],
    ['its range', '127.0.0.0/30'],
  ])('have no limit for a trusted proxy, by %s', async (_name, trusted) => {
    const { port, counts } = await listen(() => done, { connectionsPerPeer: 2 }, [trusted]);
    for (let n = 0; n < 10; n += 1) say(port, '');
    expect(await ask(port, '127.0.0.1')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await counts()).toEqual({});
    // For whoever is none there is one.
    for (let n = 0; n < 2; n += 1) ends.push(holdFrom(port, '127.0.0.9'));
    await until(async () => (await ask(port, '127.0.0.9')) === '');
  });

  it('are 100 by themselves', async () => {
    expect(SERVER_LIMITS.connectionsPerPeer).toBe(100);
    const seen = observedRefusals();
    const server = new HttpServer({ listener: done, refusals: seen.refusals });
    const { port } = await server.listen({ address: '127.0.0.1', port: 0 });
    ends.push(() => server.stop(0, new FakeClock()));
    for (let n = 0; n < 120; n += 1) say(port, '');
    await until(async () => total(await seen.counts()) === 20);
    expect(await ask(port, '127.0.0.2')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('that say nothing at all are closed as too slow', async () => {
    const { port, counts } = await listen(() => done, { headersTimeoutMs: 50 });
    expect(statuses(await say(port, '').ended)).toEqual([408]);
    expect(await counts()).toEqual({ 'too-slow': 1 });
  });
});

describe('what Node would answer without a trace', () => {
  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400, 'invalid-request', 'malformed'],
    [
      'a header with a control byte',
      'GET / HTTP/1.1\r\nHost: x\r\nX: a\x01b\r\n\r\n',
      400,
      'invalid-request',
      'malformed',
    ],
    [
      'a long header',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers-too-large',
      'headers-too-large',
    ],
    [
      'an expectation',
      'GET / HTTP/1.1\r\nHost: x\r\nExpect: the unexpected\r\nConnection: close\r\n\r\n',
      417,
      'expectation-failed',
      'expectation',
    ],
    ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'method-not-allowed', 'connect'],
  ])('%s is a problem, counted and logged', async (_name, text, status, code, reason) => {
    const { port, started, counts, log } = await serveApi();
    const answer = await say(port, text).ended;
    expect(statuses(answer)).toEqual([status]);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toContain('Content-Type: application/problem+json');
    expect(head).toContain(`Content-Length: ${body.length}`);
    const problem = JSON.parse(body) as Record<string, unknown>;
    expect(problem).toMatchObject({ status, code });
    expect(head).toContain(`X-Request-Id: ${String(problem['requestId'])}`);
    expect(await counts()).toEqual({ [reason]: 1 });
    expect(log()).toMatchObject([{ level: 'warn', reason, requests: 1 }]);
    expect(started).toEqual([]);
  });

  it.each([
    ['garbage', 'garbage\r\n\r\n', 'malformed'],
    ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n', 'connect'],
  ])(
    '%s behind a request that waits gets no answer that could be taken for its own',
    async (_name, text, reason) => {
      const { port, started, counts } = await serveApi();
      expect(await say(port, GARBAGE + text).ended).toBe('');
      await until(() => started.every(({ aborted }) => aborted));
      expect(started).toHaveLength(1);
      expect(await counts()).toEqual({ [reason]: 1 });
    },
  );

  it('a caller who goes away in the middle of a header is not asked back', async () => {
    const { port, started } = await serveApi();
    const { socket, ended } = say(port, 'GET / HTTP/1.1\r\nHost');
    await once(socket, 'connect');
    socket.resetAndDestroy();
    expect(await ended).toBe('');
    expect(started).toEqual([]);
  });
});
