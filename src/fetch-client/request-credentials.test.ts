import { afterEach, describe, expect, it } from '@jest/globals';
import type { IncomingMessage, RequestListener } from 'node:http';
import { inspect } from 'node:util';
import { Secret } from '../observability/secret.ts';
import { systemClock } from '../time/clock.ts';
import { credentialsFile } from '../../test/fakes/credentials-file.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { HttpServers } from '../../test/fakes/http-servers.ts';
import { requestCredentials } from './request-credentials.ts';

const EMPTY_CREDENTIALS_FILE = Buffer.from('48445453000000', 'hex');
const CREDENTIALS_FILE = credentialsFile();
const SERVICE_ACCOUNT_TOKEN = 'header.payload.signature-never-shown';

const servers = new HttpServers();
afterEach(() => servers.close());

const ask = (url: URL, more: Partial<Parameters<typeof requestCredentials>[0]> = {}) =>
  requestCredentials({
    url,
    serviceAccountToken: new Secret(SERVICE_ACCOUNT_TOKEN),
    clock: systemClock,
    timeoutMs: 10_000,
    ...more,
  });

const answer =
  (status: number, headers: Record<string, string>, body: string | Buffer): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };

const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  answer(
    status,
    { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r-1', ...headers },
    JSON.stringify({ status, code, title: 'a title' }),
  );

const file = (headers: Record<string, string> = {}) =>
  answer(200, { 'Content-Type': 'application/octet-stream', ...headers }, CREDENTIALS_FILE);

describe('requestCredentials', () => {
  it('asks with the bearer token and hands on the bytes as they came', async () => {
    let seen: IncomingMessage | undefined;
    const url = await servers.http((request, response) => {
      seen = request;
      file({ 'X-Request-Id': 'r-1' })(request, response);
    });
    url.pathname = '/prefix/';
    const reply = await ask(url, {
      cluster: 'prod',
      kinds: ['HDFS_DELEGATION_TOKEN', 'kms-dt'],
      optionalKinds: ['RM_DELEGATION_TOKEN'],
      doAs: 'etl',
      format: 'protobuf',
    });
    expect(reply).toMatchObject({ outcome: 'received', tokenCount: 1, facts: { requestId: 'r-1' } });
    expect(reply.outcome === 'received' && Buffer.from(reply.file.reveal())).toEqual(CREDENTIALS_FILE);
    expect(seen?.headers.authorization).toBe(`Bearer ${SERVICE_ACCOUNT_TOKEN}`);
    expect(seen?.headers.accept).toBe('application/octet-stream');
    expect(seen?.headers).not.toHaveProperty('if-none-match');
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
    [499, 'odd'],
  ])('tells a refusal %i apart', async (status, code) => {
    const reply = await ask(await servers.http(problem(status, code)));
    expect(reply).toEqual({
      outcome: 'refused',
      status,
      code,
      title: 'a title',
      requestId: 'r-1',
      retryAfterMs: 0,
    });
  });

  it.each([
    [408, 'request-timeout'],
    [429, 'too-many-requests'],
    [500, 'internal'],
    [502, 'hadoop-refused'],
    [503, 'not-available'],
  ])('takes %i as "not now"', async (status, code) => {
    const reply = await ask(await servers.http(problem(status, code)));
    expect(reply).toEqual({
      outcome: 'not-reached',
      reason: `HTTP ${status} ${code}: a title`,
      requestId: 'r-1',
      retryAfterMs: 0,
    });
  });

  it.each([
    ['7', 7000],
    ['0', 0],
    ['301', 300_000],
    ['1000000000000000', 0],
    ['1.5', 0],
    ['-1', 0],
    ['Wed, 21 Oct 2026 07:28:00 GMT', 0],
  ])('hears of Retry-After: %s', async (value, retryAfterMs) => {
    const url = await servers.http(problem(503, 'overloaded', { 'Retry-After': value }));
    expect(await ask(url)).toMatchObject({ outcome: 'not-reached', retryAfterMs });
  });

  it.each([
    ['an HTML page', answer(200, { 'Content-Type': 'text/html' }, '<html>'), /not an answer of Kerbridge/],
    ['a 401 of some proxy', answer(401, { 'Content-Type': 'text/html' }, ''), /not an answer of Kerbridge/],
    ['no content type', answer(200, {}, CREDENTIALS_FILE), /content type none/],
    ['a 304 that nobody asked for', answer(304, {}, ''), /HTTP 304.*not an answer of Kerbridge/],
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
      'a file with more behind it',
      answer(
        200,
        { 'Content-Type': 'application/octet-stream' },
        Buffer.concat([CREDENTIALS_FILE, Buffer.alloc(1)]),
      ),
      /not a credentials file: trailing/,
    ],
    [
      'a body that stops early',
      ((_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': '100' });
        response.write(CREDENTIALS_FILE, () => response.destroy());
      }) satisfies RequestListener,
      /broke off: ECONNRESET/,
    ],
    [
      'chunks that stop early, after a whole file',
      ((_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
        response.write(CREDENTIALS_FILE, () => response.destroy());
      }) satisfies RequestListener,
      /broke off: ECONNRESET/,
    ],
    [
      'a body without end',
      answer(200, { 'Content-Type': 'application/octet-stream' }, Buffer.alloc(5 * 1024 * 1024)),
      /more than 4194304 bytes/,
    ],
    [
      'control bytes in a problem',
      answer(503, { 'Content-Type': 'application/problem+json' }, JSON.stringify({ code: 'a\u001b[31mb\n' })),
      /^HTTP 503 a\?\[31mb\?: $/,
    ],
    [
      'a problem that says back what it was sent',
      answer(
        503,
        { 'Content-Type': 'application/problem+json' },
        JSON.stringify({
          code: 'x',
          title: `Bearer ${'a'.repeat(39)}.${'b_-9'.repeat(10)}.${'c'.repeat(342)} d`,
        }),
      ),
      /^HTTP 503 x: Bearer a{39}\.\[redacted\]\.\[redacted\] d$/,
    ],
    [
      'a problem that says back a short token',
      ((request, response) => {
        const sent = request.headers.authorization ?? '';
        response
          .writeHead(503, { 'Content-Type': 'application/problem+json' })
          .end(JSON.stringify({ code: 'x', title: `${sent} d` }));
      }) satisfies RequestListener,
      /^HTTP 503 x: Bearer \[redacted\] d$/,
    ],
    [
      'no JSON in a problem',
      answer(503, { 'Content-Type': 'application/problem+json' }, '<'),
      /503 unknown: $/,
    ],
  ])('does not take %s for credentials', async (_name, listener, reason) => {
    const reply = await ask(await servers.http(listener));
    expect(reply).toMatchObject({ outcome: 'not-reached', reason: expect.stringMatching(reason) });
  });

  it('asks with the ETag that it has, and hears that nothing changed', async () => {
    let seen: IncomingMessage | undefined;
    const url = await servers.http((request, response) => {
      seen = request;
      response.writeHead(304, { ETag: '"b"', 'Kerbridge-Refresh-After': '7' }).end();
    });
    expect(await ask(url, { etag: '"a"' })).toMatchObject({
      outcome: 'not-modified',
      facts: { etag: '"b"', refreshAfterMs: 7000 },
    });
    expect(seen?.headers['if-none-match']).toBe('"a"');
  });

  const NOW = new FakeClock().now();
  it.each<[string, Record<string, string>, object]>([
    ['no header', {}, { refreshAfterMs: 3_600_000, etag: '', sequenceNumbers: [] }],
    [
      'all of them',
      {
        ETag: 'W/"x-1"',
        'Kerbridge-Refresh-After': '60',
        'Kerbridge-Valid-For': '100',
        'Kerbridge-Sequence-Numbers': '12,-7',
      },
      { refreshAfterMs: 50_000, etag: 'W/"x-1"', validUntil: NOW + 100_000, sequenceNumbers: ['12', '-7'] },
    ],
    ['"at once"', { 'Kerbridge-Refresh-After': '0' }, { refreshAfterMs: 1000 }],
    ['a time just within a day', { 'Kerbridge-Refresh-After': '86400' }, { refreshAfterMs: 86_400_000 }],
    ['thirty years', { 'Kerbridge-Refresh-After': '999999999' }, { refreshAfterMs: 86_400_000 }],
    ['a time beyond sense', { 'Kerbridge-Refresh-After': '10000000000' }, { refreshAfterMs: 86_400_000 }],
    [
      'a time beyond the life of the tokens',
      { 'Kerbridge-Refresh-After': '999999999', 'Kerbridge-Valid-For': '601' },
      { refreshAfterMs: 300_000 },
    ],
    ['the life of the tokens alone', { 'Kerbridge-Valid-For': '600' }, { refreshAfterMs: 300_000 }],
    [
      'tokens that are past',
      { 'Kerbridge-Refresh-After': '60', 'Kerbridge-Valid-For': '0' },
      { refreshAfterMs: 1000 },
    ],
    ['words', { 'Kerbridge-Refresh-After': 'soon', ETag: 'x' }, { refreshAfterMs: 3_600_000, etag: '' }],
    ['odd numbers', { 'Kerbridge-Sequence-Numbers': '1,,2' }, { sequenceNumbers: [] }],
  ])('reads of the headers: %s', async (_name, headers, facts) => {
    const reply = await ask(await servers.http(file(headers)), { clock: new FakeClock() });
    expect(reply).toMatchObject({ outcome: 'received', facts });
  });

  it('follows no redirect: the bearer token goes nowhere else', async () => {
    let reached = 0;
    const other = await servers.http((_request, response) => {
      reached += 1;
      response.end();
    });
    const reply = await ask(await servers.http(answer(307, { Location: `${other.href}v1/credentials` }, '')));
    expect(reply).toMatchObject({ outcome: 'not-reached', reason: expect.stringMatching(/^HTTP 307/) });
    expect(reached).toBe(0);
  });

  it.each<[string, RequestListener]>([
    ['is not answered', () => undefined],
    [
      'has half an answer',
      (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
        response.write(CREDENTIALS_FILE.subarray(0, 10));
      },
    ],
  ])('ends a request that %s in time', async (_name, listener) => {
    const clock = new FakeClock();
    let asked = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const url = await servers.http((request, response) => {
      listener(request, response);
      asked();
    });
    const reply = ask(url, { clock, timeoutMs: 50_000 });
    await isAsked;
    await clock.advance(50_000);
    expect(await reply).toMatchObject({ reason: `no answer from ${url.host} within 50 s` });
    expect(clock.sleeping).toBe(0);
  });

  it('ends when it is told to', async () => {
    const controller = new AbortController();
    const url = await servers.http(() => controller.abort());
    expect(await ask(url, { signal: controller.signal })).toMatchObject({ reason: 'stopped' });
  });

  it('shows no service-account token when it fails', async () => {
    const url = await servers.http(answer(200, {}, ''));
    servers.close();
    const reply = await ask(url);
    expect(reply).toMatchObject({ outcome: 'not-reached', reason: expect.stringMatching(/ECONNREFUSED/) });
    expect(inspect(reply, { depth: null, showHidden: true })).not.toContain('never-shown');
  });
});

describe('requestCredentials over TLS', () => {
  it('takes the certificates that it is given for trusted', async () => {
    const url = await servers.https('localhost', file());
    expect(await ask(url, { ca: servers.certificate('localhost') })).toMatchObject({ outcome: 'received' });
  });

  it.each([
    [
      'nobody knows',
      'localhost',
      'localhost',
      undefined,
      /not trusted: DEPTH_ZERO_SELF_SIGNED_CERT.*--ca-file/,
    ],
    ['another CA signed', 'localhost', 'localhost', 'renewed', /not trusted: .*--ca-file/],
    ['has expired', 'expired', 'localhost', 'expired', /not trusted: CERT_HAS_EXPIRED; is the clock right/],
    ['is of the future', 'future', 'localhost', 'future', /not trusted: CERT_NOT_YET_VALID; is the clock/],
    [
      'has another name',
      'localhost',
      '127.0.0.1',
      'localhost',
      /ALTNAME_INVALID: it has another name; .*--url/,
    ],
  ])('shows the token to no server whose certificate %s', async (_name, served, host, trusted, reason) => {
    let reached = 0;
    const url = await servers.https(served, () => (reached += 1));
    url.hostname = host;
    const reply = await ask(url, trusted === undefined ? {} : { ca: servers.certificate(trusted) });
    expect(reply).toMatchObject({ outcome: 'not-reached', reason: expect.stringMatching(reason) });
    expect(reached).toBe(0);
  });
});
