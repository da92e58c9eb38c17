import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as TcpServer } from 'node:net';

import { afterEach, describe, expect, it } from '@jest/globals';

import { everythingIn } from '../../../test/fakes/everything-in.ts';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { Secret } from '../../observability/secret.ts';
import { HadoopHttpClient } from './hadoop-http-client.ts';
import type { HadoopHttpClientOptions, HadoopHttpRequest } from './hadoop-http-client.ts';

const cleanUps: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function listen(server: Server | TcpServer): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanUps.push(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `localhost:${(server.address() as AddressInfo).port}`;
}

const serve = async (listener: RequestListener): Promise<string> =>
  `http://${await listen(createServer(listener))}`;

function client(options: Partial<HadoopHttpClientOptions> = {}): HadoopHttpClient {
  const made = new HadoopHttpClient({ clock: new FakeClock(), allowPlainHttp: true, ...options });
  cleanUps.push(() => {
    made.close();
  });
  return made;
}

const TOKEN = 'JAAFYWxpY2UJa2VyYnJpZGdlAIoBogSLfHuKAaIomABrji3';
const COOKIE = 'hadoop.auth="u=svc&s=c29tZXNpZ25hdHVyZQ=="';
const SPNEGO = 'Negotiate YIICspnegotoken';

const request = (origin: string, fields: Partial<HadoopHttpRequest> = {}): HadoopHttpRequest => ({
  method: 'PUT',
  origin,
  path: '/webhdfs/v1/',
  query: { op: 'RENEWDELEGATIONTOKEN', token: new Secret(TOKEN) },
  headers: { Cookie: new Secret(COOKIE), Authorization: new Secret(SPNEGO) },
  operation: 'RENEWDELEGATIONTOKEN',
  ...fields,
});

async function failureOf(call: Promise<unknown>): Promise<TokenServiceError> {
  const error = await call.then(
    () => new Error('did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TokenServiceError)) throw error;
  const all = everythingIn(error);
  for (const secret of [TOKEN, COOKIE, 'c29tZXNpZ25hdHVyZQ', SPNEGO, 'YIICspnegotoken', 'token=']) {
    expect(all).not.toContain(secret);
  }
  expect(error.cause).toBeUndefined();
  return error;
}

describe('a reply', () => {
  it('is what the server said, of any status', async () => {
    const origin = await serve((_, response) => {
      response.writeHead(403, 'Because of that', {
        'Content-Type': 'application/json',
        'Set-Cookie': ['a=1', 'b=2'],
      });
      response.end('{"ü":1}');
    });
    const reply = await client().send(request(origin));
    expect(reply).toMatchObject({
      status: 403,
      statusMessage: 'Because of that',
      contentType: 'application/json',
    });
    expect(reply.body.reveal()).toBe('{"ü":1}');
    expect(reply.setCookies.reveal()).toEqual(['a=1', 'b=2']);
  });

  it('shows neither body nor cookies nor what was sent', async () => {
    const origin = await serve((_, response) =>
      response.setHeader('Set-Cookie', 'secretcookie=1').end('secretbody'),
    );
    const all = everythingIn(await client().send(request(origin)));
    for (const secret of ['secretbody', 'secretcookie', TOKEN, COOKIE, 'YIIC'])
      expect(all).not.toContain(secret);
  });

  it('is asked for as it should be', async () => {
    let seen: Parameters<RequestListener>[0] | undefined;
    const origin = await serve((incoming, response) => {
      seen = incoming;
      response.end();
    });
    await client().send(
      request(origin, { query: { op: 'X', kind: 'WEBHDFS delegation', service: 'a:1&b=c' } }),
    );
    expect(seen?.method).toBe('PUT');
    expect(seen?.url).toBe('/webhdfs/v1/?op=X&kind=WEBHDFS%20delegation&service=a%3A1%26b%3Dc');
    expect(seen?.headers).toMatchObject({
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'kerbridge',
      cookie: COOKIE,
      authorization: SPNEGO,
    });
    expect(seen?.headers).not.toHaveProperty('content-type');
  });

  it('can be asked for with a body', async () => {
    let received = '';
    const origin = await serve((incoming, response) => {
      incoming.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
      incoming.on('end', () => response.end(incoming.headers['content-type']));
    });
    const reply = await client().send(request(origin, { method: 'POST', json: '{"renewer":"svc"}' }));
    expect([received, reply.body.reveal()]).toEqual(['{"renewer":"svc"}', 'application/json']);
  });

  it('uses one connection again and again', async () => {
    const ports = new Set<number | undefined>();
    const origin = await serve((incoming, response) => {
      ports.add(incoming.socket.remotePort);
      response.end();
    });
    const one = client();
    for (let call = 0; call < 3; call += 1) await one.send(request(origin));
    expect(ports.size).toBe(1);
  });

  it.each([
    ['https://portal.test/login?token=abc', 'https://portal.test'],
    ['/other?token=abc', undefined],
  ])('to %s is not followed', async (location, redirectOrigin) => {
    let requests = 0;
    const origin = await serve((_, response) => {
      requests += 1;
      response.writeHead(302, { Location: location }).end();
    });
    const reply = await client().send(request(origin));
    expect([requests, reply.status, reply.redirectOrigin]).toEqual([1, 302, redirectOrigin]);
    expect(everythingIn(reply)).not.toContain('abc');
  });

  it('is not unpacked: no bomb', async () => {
    const origin = await serve((_, response) =>
      response.setHeader('Content-Encoding', 'gzip').end('not gzip'),
    );
    expect((await client().send(request(origin))).body.reveal()).toBe('not gzip');
  });
});

describe('the proxy of the environment', () => {
  const names = ['http_proxy', 'HTTP_PROXY', 'all_proxy'] as const;

  it('is not used', async () => {
    const before = names.map((name) => process.env[name]);
    let proxied = 0;
    const proxy = await serve((_, response) => {
      proxied += 1;
      response.end();
    });
    const origin = await serve((_, response) => response.end('direct'));
    try {
      for (const name of names) process.env[name] = proxy;
      expect((await client().send(request(origin))).body.reveal()).toBe('direct');
    } finally {
      names.forEach((name, index) => {
        const value = before[index];
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      });
    }
    expect(proxied).toBe(0);
  });
});

describe('a failure', () => {
  it('says that the connection was refused', async () => {
    const server = createServer();
    const address = await listen(server);
    await cleanUps.pop()?.();
    const error = await failureOf(client().send(request(`http://${address}`)));
    expect(error.failure).toBe('unreachable');
    expect(error.endpoint).toBe(`http://${address}`);
    expect(error.message).toBe(
      `RENEWDELEGATIONTOKEN at http://${address}: connection refused (ECONNREFUSED)`,
    );
    expect(error.fix).toContain('Check that the daemon runs');
  });

  it('says that the name does not resolve', async () => {
    const error = await failureOf(client().send(request('http://no-such-host.invalid:1')));
    expect(error.failure).toBe('unreachable');
    expect(error.message).toMatch(/does not resolve|DNS does not answer/u);
  });

  it.each([
    ['hangs up', (socket: { destroy(): void }) => socket.destroy()],
    [
      'breaks off',
      (socket: { end(text: string): void }) => {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
      },
    ],
    [
      'does not speak HTTP',
      (socket: { end(text: string): void }) => {
        socket.end('220 mail.test ESMTP\r\n');
      },
    ],
    [
      'sends headers without end',
      (socket: { end(text: string): void }) => {
        socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`);
      },
    ],
  ])('is told when the server %s', async (_, behave) => {
    const address = await listen(
      createTcpServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => {
          behave(socket);
        });
      }),
    );
    expect((await failureOf(client().send(request(`http://${address}`)))).failure).toBe('unreachable');
  });

  it('is told when the reply is too large, with and without a length', async () => {
    for (const headers of [{}, { 'Content-Length': '2000' }]) {
      const origin = await serve((_, response) => response.writeHead(200, headers).end('x'.repeat(2000)));
      const error = await failureOf(client({ maxReplyBytes: 1999 }).send(request(origin)));
      expect([error.failure, error.message]).toEqual(['unreachable', expect.stringContaining('too large')]);
      await expect(client({ maxReplyBytes: 2000 }).send(request(origin))).resolves.toMatchObject({
        status: 200,
      });
    }
  });

  it.each([
    ['never answers', () => {}],
    ['never finishes', (_: unknown, response: { write(text: string): void }) => response.write('half')],
  ])('is told in time when the server %s', async (_, listener) => {
    const arrived = Promise.withResolvers<void>();
    const origin = await serve((incoming, response) => {
      listener(incoming, response);
      arrived.resolve();
    });
    const clock = new FakeClock();
    const failed = failureOf(client({ clock, timeoutMs: 5000 }).send(request(origin)));
    await arrived.promise;
    await clock.advance(5000);
    const error = await failed;
    expect([error.failure, error.message]).toEqual([
      'unreachable',
      expect.stringContaining('within 5000 ms'),
    ]);
    expect(clock.sleeping).toBe(0);
  });

  it.each([
    [true, false],
    [false, true],
  ])('says what may have been done: repeatable %p, may have acted %p', async (isRepeatable, mayHaveActed) => {
    const origin = await serve((incoming) => incoming.socket.destroy());
    const error = await failureOf(client().send(request(origin, { isRepeatable })));
    expect(error.mayHaveActed).toBe(mayHaveActed);
  });

  it('knows that nothing was done when there was no connection', async () => {
    const address = await listen(createServer());
    await cleanUps.pop()?.();
    const error = await failureOf(client().send(request(`http://${address}`, { isRepeatable: false })));
    expect([error.message, error.mayHaveActed]).toEqual([expect.stringContaining('refused'), false]);
  });

  it('is told with the network as the thing to check when no connection comes about in time', async () => {
    // A TLS server that never says its half of the handshake: the request can't have gone out.
    const arrived = Promise.withResolvers<void>();
    const address = await listen(
      createTcpServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => {
          arrived.resolve();
        });
      }),
    );
    const clock = new FakeClock();
    const failed = failureOf(
      client({ clock, timeoutMs: 5000 }).send(request(`https://${address}`, { isRepeatable: false })),
    );
    await arrived.promise;
    await clock.advance(5000);
    expect(await failed).toMatchObject({
      message: `RENEWDELEGATIONTOKEN at https://${address}: could not connect within 5000 ms`,
      fix: expect.stringContaining('network policies'),
      mayHaveActed: false,
    });
  });

  it('is the reason of the caller when the caller gave up, and closes the connection', async () => {
    const arrived = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const origin = await serve((incoming) => {
      incoming.socket.once('close', () => {
        closed.resolve();
      });
      arrived.resolve();
    });
    const caller = new AbortController();
    const call = client().send(request(origin, { signal: caller.signal }));
    await arrived.promise;
    const reason = new Error('gave up');
    caller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await closed.promise;
  });

  it.each(['ftp://h:1', 'http://h:1/path', 'http://h:1?token=x', `http://user:${TOKEN}@h:1`, 'h:1', ''])(
    'is told for the address %j before anything is sent',
    async (origin) => {
      const error = await failureOf(client().send(request(origin)));
      expect(error.failure).toBe('bad-request');
    },
  );

  it('is told for plain HTTP unless that is allowed', async () => {
    let requests = 0;
    const origin = await serve((_, response) => {
      requests += 1;
      response.end();
    });
    const error = await failureOf(new HadoopHttpClient({ clock: new FakeClock() }).send(request(origin)));
    await settle();
    expect([error.failure, error.fix, requests]).toEqual([
      'bad-request',
      expect.stringContaining('allowPlainHttp'),
      0,
    ]);
  });
});

describe('TLS', () => {
  const fixture = (name: string) =>
    readFile(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url), 'utf8');
  const start = async () => {
    const [key, cert] = await Promise.all([fixture('localhost.key'), fixture('localhost.crt')]);
    const address = await listen(createTlsServer({ key, cert }, (_, response) => response.end('hello')));
    return { address, cert };
  };

  it('trusts the authority it is given', async () => {
    const { address, cert } = await start();
    const reply = await client({ ca: cert, allowPlainHttp: false }).send(request(`https://${address}`));
    expect(reply.body.reveal()).toBe('hello');
  });

  it.each([
    ['an unknown authority', (address: string) => address, {}, /DEPTH_ZERO_SELF_SIGNED_CERT/u],
    [
      'another host name',
      (address: string) => address.replace('localhost', '127.0.0.1'),
      { trusted: true },
      /for another host name/u,
    ],
  ])('refuses %s', async (_, addressOf, { trusted = false }: { trusted?: boolean }, message) => {
    const { address, cert } = await start();
    const error = await failureOf(
      client(trusted ? { ca: cert } : {}).send(request(`https://${addressOf(address)}`)),
    );
    expect([error.failure, error.message]).toEqual(['unreachable', expect.stringMatching(message)]);
    expect(error.fix).toBeDefined();
  });

  it('is expected where https is said', async () => {
    const origin = await serve((_, response) => response.end());
    const error = await failureOf(client().send(request(origin.replace('http:', 'https:'))));
    expect([error.failure, error.fix]).toEqual(['unreachable', 'Check that the port speaks HTTPS.']);
  });
});
