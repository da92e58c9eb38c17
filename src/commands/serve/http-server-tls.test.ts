import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { Agent, get } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import type { ServerLimits } from '../../http-api/limits.ts';
import { HttpServer } from './http-server.ts';
import { parseTlsPair } from './tls-certificate.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url), 'utf8');

const first = fixture('localhost.crt');
const second = fixture('renewed.crt');
const FIRST = parseTlsPair(first, fixture('localhost.key'));
const SECOND = parseTlsPair(second, fixture('renewed.key'));

/** Of 512 bytes. */
const START_OF_CLIENT_HELLO = Buffer.from('1603010200010001fc0303', 'hex');

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface StartOptions {
  readonly limits?: Partial<ServerLimits>;
  readonly handshakeTimeoutMs?: number;
  readonly listener?: RequestListener;
}

async function start({ limits = {}, handshakeTimeoutMs = 10_000, listener }: StartOptions = {}) {
  const seen = observedRefusals();
  const server = new HttpServer({
    listener: listener ?? ((_request, response) => response.end('done')),
    refusals: seen.refusals,
    limits,
    tls: { pair: FIRST, handshakeTimeoutMs },
  });
  const { port } = await server.listen({ address: '127.0.0.1', port: 0 });
  ends.push(() => server.stop(0, new FakeClock()));
  return { ...seen, server, port };
}

function open(port: number): { socket: Socket; ended: Promise<string> } {
  return watch(connect(port, '127.0.0.1'));
}

function openTls(
  port: number,
  options: ConnectionOptions = {},
): { socket: TLSSocket; ended: Promise<string> } {
  return watch(
    connectTls({ host: '127.0.0.1', port, servername: 'localhost', ca: [first, second], ...options }),
  );
}

/** Everything that comes back until the connection ends, or the code of the error that ends it. */
function watch<S extends Socket>(socket: S): { socket: S; ended: Promise<string> } {
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => (answer += error.code));
  ends.push(() => socket.destroy());
  return { socket, ended: new Promise((resolve) => socket.once('close', () => resolve(answer))) };
}

/** Somebody on the way, who can add bytes to what a client sends. */
async function relay(port: number): Promise<{ port: number; inject: (text: string) => void }> {
  const onward = connect(port, '127.0.0.1');
  const server = createServer((client) => client.pipe(onward).pipe(client));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(
    () => server.close(),
    () => onward.destroy(),
  );
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, inject: (text) => onward.write(text) };
}

function ask(port: number, agent?: Agent): Promise<{ status: number; certificate: string }> {
  const options = { host: 'localhost', port, ca: [first, second], family: 4, agent: agent ?? false };
  return new Promise((resolve, reject) => {
    get(options, (response) => {
      // At once: a socket that is closed has none.
      const certificate = (response.socket as TLSSocket).getPeerCertificate().fingerprint256;
      response.resume().once('end', () => resolve({ status: response.statusCode ?? 0, certificate }));
    }).once('error', reject);
  });
}

/** Gives up by turns of the event loop, not by time: a test that fails must also end. */
async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await check()) return;
    await settle();
  }
  throw new Error('that never came');
}

describe('HttpServer with TLS refuses', () => {
  it.each<[string, ConnectionOptions]>([
    ['TLS 1.1', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['a client that wants only HTTP/2', { ALPNProtocols: ['h2'] }],
    ['TLS without certificates', { maxVersion: 'TLSv1.2', ciphers: 'aNULL@SECLEVEL=0' }],
  ])('%s, counts and goes on', async (_name, options) => {
    const { port, counts } = await start();
    expect(await openTls(port, options).ended).toMatch(/^ERR_SSL|^ECONNRESET/);
    await until(async () => (await counts())['tls-handshake'] === 1);
    expect((await ask(port)).status).toBe(200);
  });

  it.each([
    ['plain HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['what is no TLS', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['a record that is too long', Buffer.from('160301ffff', 'hex')],
    ['a ClientHello of garbage', Buffer.from(`1603010020${'ff'.repeat(32)}`, 'hex')],
  ])('%s without an answer in HTTP, in a summary', async (_name, bytes) => {
    const { port, counts, log } = await start();
    for (let attempt = 1; attempt <= 20; attempt += 1) {
      const { socket, ended } = open(port);
      socket.write(bytes);
      expect(await ended).not.toContain('HTTP/1.1');
      await until(async () => (await counts())['tls-handshake'] === attempt);
    }
    expect(log()).toMatchObject([{ level: 'warn', reason: 'tls-handshake', requests: 1 }]);
    expect((await ask(port)).status).toBe(200);
  });

  it('renegotiation', async () => {
    const { port, counts } = await start();
    const { socket, ended } = openTls(port, { maxVersion: 'TLSv1.2' });
    await once(socket, 'secureConnect');
    socket.renegotiate({ rejectUnauthorized: true }, () => undefined);
    expect(await ended).toBe('ERR_SSL_NO_RENEGOTIATION');
    await until(async () => (await counts())['malformed'] === 1);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'to resume a session of %s: it makes a new one',
    async (version) => {
      const { port } = await start();
      let session: Buffer | undefined;
      for (const connection of ['first', 'second']) {
        const { socket, ended } = openTls(port, {
          minVersion: version,
          maxVersion: version,
          ...(session === undefined ? {} : { session }),
        });
        socket.on('session', (each: Buffer) => (session = each));
        await once(socket, 'secureConnect');
        expect([connection, socket.isSessionReused()]).toEqual([connection, false]);
        socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        expect(await ended).toContain('200 OK');
      }
      expect(session).toBeDefined();
    },
  );

  it('further connections at the limit, whether or not they have begun a handshake', async () => {
    const { port, counts } = await start({ limits: { connections: 2 } });
    const silent = [open(port), open(port)];
    await Promise.all(silent.map(({ socket }) => once(socket, 'connect')));
    await openTls(port).ended;
    await until(async () => (await counts())['too-many-connections'] === 1);
  });

  it('but does not count those who come and go: so load balancers see whether a port is open', async () => {
    const { port, counts } = await start();
    for (let probe = 0; probe < 5; probe += 1) {
      const { socket, ended } = open(port);
      await once(socket, 'connect');
      socket.end();
      await ended;
    }
    expect((await ask(port)).status).toBe(200);
    expect(await counts()).toEqual({});
  });
});

describe('HttpServer with TLS ends with a time-out', () => {
  it.each([
    ['a client that says nothing', ''],
    ['a client that stops within a record', START_OF_CLIENT_HELLO],
  ])('%s', async (_name, bytes) => {
    const { port, counts } = await start({ handshakeTimeoutMs: 50 });
    const { socket, ended } = open(port);
    if (bytes.length > 0) socket.write(bytes);
    expect(await ended).toBe('');
    expect(await counts()).toEqual({ 'tls-handshake': 1 });
  });

  it('a client that sends a byte of its handshake now and then', async () => {
    const { port, counts } = await start({ handshakeTimeoutMs: 50 });
    const { socket, ended } = open(port);
    socket.write(START_OF_CLIENT_HELLO);
    const drip = setInterval(() => socket.write(Buffer.of(0)), 5);
    ends.push(() => clearInterval(drip));
    await ended;
    expect(await counts()).toEqual({ 'tls-handshake': 1 });
  });

  it('a client that asks nothing after its handshake', async () => {
    const { port, counts } = await start({ limits: { headersTimeoutMs: 50 } });
    expect(await openTls(port).ended).toMatch(/^HTTP\/1\.1 408 /);
    expect(await counts()).toEqual({ 'too-slow': 1 });
  });

  it('a client that sends its headers byte by byte', async () => {
    const { port, counts } = await start({ limits: { headersTimeoutMs: 50 } });
    const { socket, ended } = openTls(port);
    await once(socket, 'secureConnect');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nX: ');
    const drip = setInterval(() => socket.write('a'), 5);
    ends.push(() => clearInterval(drip));
    await ended;
    expect(await counts()).toMatchObject({ 'too-slow': 1 });
  });
});

describe('HttpServer with TLS', () => {
  it('takes no more connections of one peer than it may have, handshake or not', async () => {
    const { port, counts } = await start({ limits: { connectionsPerPeer: 2 } });
    const silent = open(port);
    const shaken = openTls(port);
    await once(shaken.socket, 'secureConnect');
    expect(await openTls(port).ended).toMatch(/^(?:ECONNRESET|EPIPE)?$/);
    expect(await open(port).ended).toMatch(/^(?:ECONNRESET|EPIPE)?$/);
    expect(await counts()).toEqual({ 'too-many-connections': 2 });
    silent.socket.destroy();
    await until(async () => (await ask(port).catch(() => ({ status: 0 }))).status === 200);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('answers in %s, as HTTP/1.1', async (version) => {
    const { port } = await start();
    const { socket, ended } = openTls(port, {
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    await once(socket, 'secureConnect');
    expect([socket.getProtocol(), socket.alpnProtocol, socket.authorized]).toEqual([
      version,
      'http/1.1',
      true,
    ]);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await ended).toContain('200 OK');
  });

  it('explains what is no request within TLS, as without it', async () => {
    const { port, counts } = await start();
    const { socket, ended } = openTls(port);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`);
    expect(await ended).toContain('"code":"headers-too-large"');
    expect(await counts()).toEqual({ 'headers-too-large': 1 });
  });

  it('survives bytes after the handshake that are no TLS', async () => {
    const { port, counts } = await start();
    const between = await relay(port);
    const { socket, ended } = openTls(between.port);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data'); // now the handshake is over on the server's side too
    between.inject('GET / HTTP/1.1\r\n\r\n');
    expect(await ended).toContain('ERR_SSL');
    await until(async () => (await counts())['malformed'] === 1);
    expect((await ask(port)).status).toBe(200);
  });

  it('shows a new certificate to new connections; those that are kept go on with the old one', async () => {
    const { port, server } = await start();
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    ends.push(() => kept.destroy());
    const before = await ask(port, kept);
    server.useCertificate(SECOND);
    const after = await ask(port);
    expect(after).toMatchObject({ status: 200 });
    expect(after.certificate).not.toBe(before.certificate);
    expect(await ask(port, kept)).toEqual(before);
    expect(await ask(port)).toEqual(after);
  });

  it('keeps its rules with a new certificate', async () => {
    const { port, server, counts } = await start();
    server.useCertificate(SECOND);
    await openTls(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }).ended;
    await openTls(port, { ALPNProtocols: ['h2'] }).ended;
    await until(async () => (await counts())['tls-handshake'] === 2);
  });

  it('loses no request while the certificate changes again and again', async () => {
    const answers: (() => void)[] = [];
    const { port, server } = await start({
      listener: (_request, response) => answers.push(() => response.end('done')),
    });
    const kept = new Agent({ keepAlive: true, maxSockets: 4 });
    ends.push(() => kept.destroy());
    const seen = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const asked = Array.from({ length: 8 }, (_each, index) => ask(port, index < 4 ? kept : undefined));
      // In the middle of the handshakes of these, and before their answers.
      server.useCertificate(round % 2 === 0 ? SECOND : FIRST);
      await until(() => answers.length === 8);
      server.useCertificate(round % 3 === 0 ? SECOND : FIRST);
      for (const answer of answers.splice(0)) answer();
      for (const { status, certificate } of await Promise.all(asked)) {
        expect(status).toBe(200);
        seen.add(certificate);
      }
    }
    expect(seen.size).toBe(2);
  });

  it('has no certificate to change in plain HTTP', () => {
    const plain = new HttpServer({ listener: () => undefined, refusals: observedRefusals().refusals });
    expect(() => plain.useCertificate(SECOND)).toThrow('plain HTTP');
  });
});
