import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { Secret } from '../observability/secret.ts';
import { credentialsFile } from '../../test/fakes/credentials-file.ts';
import { requestCredentials } from './request-credentials.ts';

const EMPTY_CREDENTIALS_FILE = Buffer.from('48445453000000', 'hex');
const CREDENTIALS_FILE = credentialsFile();
const SERVICE_ACCOUNT_TOKEN = 'header.payload.signature-never-shown';

const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const ask = (url: URL, more: Partial<Parameters<typeof requestCredentials>[0]> = {}) =>
  requestCredentials({
    url,
    serviceAccountToken: new Secret(SERVICE_ACCOUNT_TOKEN),
    timeoutMs: 10_000,
    ...more,
  });

const answer =
  (status: number, headers: Record<string, string>, body: string | Buffer): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };

const problem = (status: number, code: string) =>
  answer(
    status,
    { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r-1' },
    JSON.stringify({ status, code, title: 'a title' }),
  );

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('requestCredentials', () => {
  it('asks with the bearer token and hands on the bytes as they came', async () => {
    let seen: IncomingMessage | undefined;
    const url = await serve((request, response) => {
      seen = request;
      response
        .writeHead(200, { 'Content-Type': 'application/octet-stream', 'X-Request-Id': 'r-1' })
        .end(CREDENTIALS_FILE);
    });
    url.pathname = '/prefix/';
    const reply = await ask(url, {
      cluster: 'prod',
      kinds: ['HDFS_DELEGATION_TOKEN', 'kms-dt'],
      optionalKinds: ['RM_DELEGATION_TOKEN'],
      doAs: 'etl',
      format: 'protobuf',
    });
    expect(reply).toMatchObject({ outcome: 'received', tokenCount: 1, requestId: 'r-1' });
    expect(reply.outcome === 'received' && Buffer.from(reply.file.reveal())).toEqual(CREDENTIALS_FILE);
    expect(seen?.headers.authorization).toBe(`Bearer ${SERVICE_ACCOUNT_TOKEN}`);
    expect(seen?.headers.accept).toBe('application/octet-stream');
    expect(seen?.url).toBe(
      '/prefix/v1/credentials?cluster=prod&kind=HDFS_DELEGATION_TOKEN&kind=kms-dt' +
        '&optional=RM_DELEGATION_TOKEN&doAs=etl&format=protobuf',
    );
  });

  it.each([
    [400, 'invalid-parameter'],
    [401, 'not-authenticated'],
    [403, 'no-stamp'],
    [404, 'unknown-cluster'],
  ])('tells a refusal %i apart', async (status, code) => {
    const reply = await ask(await serve(problem(status, code)));
    expect(reply).toEqual({ outcome: 'refused', status, code, title: 'a title', requestId: 'r-1' });
  });

  it.each([
    [429, 'too-many-requests'],
    [500, 'internal'],
    [502, 'hadoop-refused'],
    [503, 'not-available'],
  ])('takes %i as "not now"', async (status, code) => {
    const reply = await ask(await serve(problem(status, code)));
    expect(reply).toEqual({
      outcome: 'not-reached',
      reason: `HTTP ${status} ${code}: a title`,
      requestId: 'r-1',
    });
  });

  it.each([
    ['an HTML page', answer(200, { 'Content-Type': 'text/html' }, '<html>'), /not an answer of Kerbridge/],
    ['a 401 of some proxy', answer(401, { 'Content-Type': 'text/html' }, ''), /not an answer of Kerbridge/],
    ['no content type', answer(200, {}, CREDENTIALS_FILE), /content type none/],
    [
      'a file without a token',
      answer(200, { 'Content-Type': 'application/octet-stream' }, EMPTY_CREDENTIALS_FILE),
      /^no delegation token in the answer$/,
    ],
    [
      'half a file',
      answer(200, { 'Content-Type': 'application/octet-stream' }, CREDENTIALS_FILE.subarray(0, 6)),
      /not a credentials file: truncated/,
    ],
    [
      'a body that stops early',
      ((_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': '100' });
        response.write(CREDENTIALS_FILE, () => response.destroy());
      }) satisfies RequestListener,
      /cannot reach/,
    ],
    [
      'a body without end',
      answer(200, { 'Content-Type': 'application/octet-stream' }, Buffer.alloc(5 * 1024 * 1024)),
      /cannot reach/,
    ],
    [
      'control bytes in a problem',
      answer(503, { 'Content-Type': 'application/problem+json' }, JSON.stringify({ code: 'a\u001b[31mb\n' })),
      /^HTTP 503 a\?\[31mb\?: $/,
    ],
  ])('does not take %s for credentials', async (_name, listener, reason) => {
    const reply = await ask(await serve(listener));
    expect(reply).toMatchObject({ outcome: 'not-reached', reason: expect.stringMatching(reason) });
  });

  it('follows no redirect: the bearer token goes nowhere else', async () => {
    let reached = 0;
    const other = await serve((_request, response) => {
      reached += 1;
      response.end();
    });
    const reply = await ask(await serve(answer(307, { Location: `${other.href}v1/credentials` }, '')));
    expect(reply).toMatchObject({ outcome: 'not-reached', reason: expect.stringMatching(/^HTTP 307/) });
    expect(reached).toBe(0);
  });

  it('ends a request that is not answered in time', async () => {
    const url = await serve(() => undefined);
    const reply = await ask(url, { timeoutMs: 50 });
    expect(reply).toMatchObject({ reason: `no answer from ${url.host} within 50 ms` });
  });

  it('ends when it is told to', async () => {
    const controller = new AbortController();
    const url = await serve(() => controller.abort());
    expect(await ask(url, { signal: controller.signal })).toMatchObject({ reason: 'stopped' });
  });

  it('shows no service-account token when it fails', async () => {
    const url = await serve(answer(200, {}, ''));
    servers.splice(0).forEach((server) => server.close());
    const reply = await ask(url);
    expect(reply).toMatchObject({ outcome: 'not-reached', reason: expect.stringMatching(/ECONNREFUSED/) });
    expect(inspect(reply, { depth: null, showHidden: true })).not.toContain('never-shown');
  });
});
