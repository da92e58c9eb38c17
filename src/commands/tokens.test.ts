import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createProgram, runProgram } from './run-program.ts';
import { tokensCommand } from './tokens.ts';

const BEARER = 'aaa.hunter2.ccc';
const TLS = join(import.meta.dirname, '../../test/fixtures/tls');
const TOKEN = {
  cluster: 'prod',
  source: 'ns1',
  kind: 'HDFS_DELEGATION_TOKEN',
  owner: 'alice',
  stampedUser: 'alice',
  namespace: 'team-a',
  scope: 'namespace',
  podUid: null,
  renewer: 'kerbridge',
  services: ['ha-hdfs:ns1'],
  sequenceNumber: 12,
  issuedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-02T00:00:00.000Z',
  maxDate: '2026-01-08T00:00:00.000Z',
  state: 'current',
  handedOutUntil: '2026-01-01T10:48:00.000Z',
  retiredAt: null,
  tombstonedAt: null,
  provenAt: null,
  holders: 2,
  failures: 0,
};
const listOf = (replica: string, ...held: object[]) => ({ replica, tokens: held, truncated: false });

let folder: string;
let tokenFile: string;
let servers: http.Server[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-tokens-'));
  tokenFile = join(folder, 'token');
  await writeFile(tokenFile, `${BEARER}\n`);
  servers = [];
});

afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

async function listen(server: http.Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const serve = async (listener: RequestListener) =>
  `http://127.0.0.1:${await listen(http.createServer(listener))}`;
const answering = (status: number, contentType: string, body: unknown) =>
  serve((_request, response) => {
    response.writeHead(status, { 'Content-Type': contentType });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
const problem = (status: number, code: string) =>
  answering(status, 'application/problem+json', { code, title: 'The title', requestId: 'r-7' });

async function tokens(...args: readonly string[]) {
  const seen = { out: '', error: '', code: -1 };
  const command = tokensCommand({
    out: (text) => {
      seen.out += text;
    },
    error: (text) => {
      seen.error += text;
    },
    exitWith: (code) => {
      seen.code = code;
    },
  });
  await command.parseAsync([...args, '--token-file', tokenFile], { from: 'user' });
  expect(seen.out + seen.error).not.toContain('hunter2');
  return seen;
}

describe('kerbridge tokens', () => {
  it.each<[string, string[], RegExp]>([
    ['no URL', ['--token-file', 'x'], /--url/],
    ['no account', ['--url', 'https://h'], /name --service-account or --token-file/],
    [
      'two accounts',
      ['--url', 'https://h', '--token-file', 'x', '--service-account', 'a/b'],
      /cannot be used with/,
    ],
    ['plain HTTP', ['--url', 'http://kerbridge', '--token-file', 'x'], /for loopback only/],
    ['plain HTTP to a look-alike', ['--url', 'http://127.0.0.1.evil', '--token-file', 'x'], /loopback only/],
    ['a password', ['--url', 'https://u:p@h', '--token-file', 'x'], /no user or password/],
    ['another scheme', ['--url', 'ftp://h', '--token-file', 'x'], /want https/],
    ['an odd account', ['--url', 'https://h', '--service-account', 'kerbridge'], /want namespace\/name/],
  ])('explains %s and ends with 2', async (_name, args, message) => {
    const written: string[] = [];
    const program = createProgram();
    for (const command of [program, ...program.commands]) {
      const write = (text: string) => written.push(text);
      command.configureOutput({ writeOut: write, writeErr: write });
    }
    expect(await runProgram(program, ['tokens', ...args])).toBe(2);
    expect(written.join('')).toMatch(message);
  });

  it.each<[string, string[], RegExp]>([
    ['an unreadable CA file', ['--ca-file', '/nonexistent'], /cannot read --ca-file \/nonexistent: ENOENT/],
  ])('ends with 2 for %s', async (_name, args, message) => {
    const { code, error } = await tokens('--url', 'https://127.0.0.1:1', ...args);
    expect([code, error]).toEqual([2, expect.stringMatching(message)]);
  });

  it('ends with 2 for a file without a service-account token', async () => {
    await writeFile(tokenFile, 'hunter2');
    const { code, error } = await tokens('--url', 'https://127.0.0.1:1');
    expect([code, error]).toEqual([2, expect.stringMatching(/holds no service-account token/)]);
  });

  it.each([
    [401, 'not-authenticated', 3, /HTTP 401 not-authenticated: The title \(request r-7\); is --audience/],
    [403, 'not-allowed', 3, /grant the service account `list` on `tokens` of `kerbridge\.dev`/],
    [400, 'invalid-request', 1, /HTTP 400/],
    [503, 'authentication-unavailable', 4, /HTTP 503/],
    [500, 'internal', 4, /HTTP 500/],
  ])('%d is told, and ends with its code', async (status, word, exitCode, message) => {
    const { code, out, error } = await tokens('--url', await problem(status, word));
    expect([code, out, error]).toEqual([exitCode, '', expect.stringMatching(message)]);
  });

  it.each<[string, number, string, unknown]>([
    ['a web page', 200, 'text/html', '<html>'],
    ['a redirect', 302, 'text/html', ''],
    ['no JSON', 200, 'application/json', '{'],
    ['another document', 200, 'application/json', { tokens: [] }],
    ['a malformed token', 200, 'application/json', listOf('a', { ...TOKEN, expiresAt: 'tomorrow' })],
  ])('takes %s for no answer and ends with 1', async (_name, status, contentType, body) => {
    const { code, out, error } = await tokens('--url', await answering(status, contentType, body));
    expect([code, out]).toEqual([1, '']);
    expect(error).toMatch(/not an answer of kerbridge serve|not a list of tokens/);
  });

  it('ends with 4 where nobody listens', async () => {
    const { code, error } = await tokens('--url', 'http://127.0.0.1:1');
    expect([code, error]).toEqual([4, expect.stringMatching(/cannot reach 127\.0\.0\.1:1: ECONNREFUSED/)]);
  });

  it('ends with 4 for a reply that is too long', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end('x'.repeat(9 * 1024 * 1024));
    });
    const { code, error } = await tokens('--url', url);
    expect([code, error]).toEqual([4, expect.stringMatching(/too long/)]);
  });

  it('trusts no unknown certificate, nor one for another name, but by --server-name', async () => {
    const [cert, key] = await Promise.all(
      ['localhost.crt', 'localhost.key'].map((name) => readFile(join(TLS, name))),
    );
    const port = await listen(
      https.createServer({ ...(cert && { cert }), ...(key && { key }) }, (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify(listOf('kerbridge-0')));
      }),
    );
    const url = `https://localhost:${port}`;
    const caFile = ['--ca-file', join(TLS, 'localhost.crt')];
    const unknown = await tokens('--url', url);
    expect([unknown.code, unknown.error]).toEqual([4, expect.stringMatching(/not trusted: .*--ca-file/)]);
    const otherName = await tokens('--url', url, ...caFile, '--server-name', 'kerbridge.example');
    expect([otherName.code, otherName.error]).toEqual([4, expect.stringMatching(/ALTNAME.*--server-name/)]);
    expect(await tokens('--url', url, ...caFile)).toMatchObject({ code: 0, error: '' });
  });

  it('asks with the token, and for what is asked', async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers.authorization]);
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(listOf('kerbridge-0')));
    });
    const { out } = await tokens('--url', `${url}/prefix/`, '--user', 'a&b', '--namespace', 'team-a');
    expect(seen).toEqual([['GET', '/prefix/v1/tokens?user=a%26b&namespace=team-a', `Bearer ${BEARER}`]]);
    expect(out).toBe('replica kerbridge-0: 0 token(s)\n');
  });

  it('prints a table for each replica, and fails if one of them does', async () => {
    const odd = { ...TOKEN, owner: 'b\u001b[2Job', namespace: null, expiresAt: null };
    const urls = [
      await answering(200, 'application/json', listOf('kerbridge-0', TOKEN, odd)),
      await problem(403, 'not-allowed'),
      await answering(200, 'application/json; charset=utf-8', { ...listOf('kerbridge-1'), truncated: true }),
      await answering(200, 'application/json', listOf('kerbridge-0', TOKEN)),
    ];
    const { code, out, error } = await tokens(...urls.flatMap((url) => ['--url', url]));
    expect(code).toBe(3);
    expect(out.split('\n')).toEqual([
      'replica kerbridge-0: 2 token(s)',
      expect.stringMatching(
        /^USER {2,}NAMESPACE {2,}CLUSTER {2,}KIND {2,}SEQUENCE {2,}STATE {2,}PODS {2,}EXPIRES {2,}MAX DATE$/,
      ),
      'alice              team-a     prod     HDFS_DELEGATION_TOKEN  12        current  2     2026-01-02T00:00:00.000Z  2026-01-08T00:00:00.000Z',
      expect.stringMatching(/^b\?\[2Job for alice {2,}\(all\) .* not known yet {2,}2026/),
      '',
      'replica kerbridge-1: 0 token(s)',
      'There are more: ask for one --user or --namespace.',
      '',
    ]);
    expect(error).toMatch(/replica kerbridge-0 has answered already/);
    expect(error).toMatch(/HTTP 403/);
  });

  it('prints JSON', async () => {
    const url = await answering(200, 'application/json', { ...listOf('kerbridge-0', TOKEN), later: 1 });
    const { code, out } = await tokens('--url', url, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ replicas: [listOf('kerbridge-0', TOKEN)] });
  });
});
