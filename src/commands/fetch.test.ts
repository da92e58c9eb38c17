import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentialsFile } from '../../test/fakes/credentials-file.ts';

const MAIN = join(import.meta.dirname, '../main.ts');
const EMPTY_CREDENTIALS_FILE = Buffer.from('48445453000000', 'hex');
const CREDENTIALS_FILE = credentialsFile();
const SERVICE_ACCOUNT_TOKEN = 'aaa.bbb.never-shown';

describe('kerbridge fetch', () => {
  let folder: string;
  let output: string;
  let serviceAccountTokenFile: string;
  let server: Server | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerbridge-fetch-'));
    output = join(folder, 'hadoop.token');
    serviceAccountTokenFile = join(folder, 'sa');
    await writeFile(serviceAccountTokenFile, SERVICE_ACCOUNT_TOKEN);
  });

  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  async function serve(listener: RequestListener): Promise<string> {
    server = createServer(listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function fetch(args: readonly string[], env: Record<string, string> = {}) {
    return new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [MAIN, 'fetch', ...args],
        { env: { PATH: process.env['PATH'], ...env } },
        (_error, stdout, stderr) => resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
      );
    });
  }

  const all = (url: string) => [
    '--url',
    url,
    '--output',
    output,
    '--service-account-token-file',
    serviceAccountTokenFile,
  ];

  it('takes its settings from the environment, writes the file and exits 0', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(CREDENTIALS_FILE);
    });
    const run = await fetch([], {
      KERBRIDGE_URL: url,
      HADOOP_TOKEN_FILE_LOCATION: output,
      KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE: serviceAccountTokenFile,
    });
    expect(run).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await readFile(output)).toEqual(CREDENTIALS_FILE);
  });

  it('exits 3 when it is refused, with the code and the request id, and leaves the old file', async () => {
    await writeFile(output, 'old');
    const url = await serve((_request, response) => {
      response
        .writeHead(403, { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r-7' })
        .end(JSON.stringify({ code: 'user-denied', title: 'Refused' }));
    });
    const run = await fetch(all(url));
    expect(run.exitCode).toBe(3);
    expect(run.stderr).toBe('kerbridge fetch: refused: 403 user-denied: Refused (request r-7)\n');
    expect(await readFile(output, 'utf8')).toBe('old');
  });

  it('exits 4 for an answer without a token, and leaves the old file', async () => {
    await writeFile(output, 'old');
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(EMPTY_CREDENTIALS_FILE);
    });
    const run = await fetch(all(url));
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toBe('kerbridge fetch: no delegation token in the answer\n');
    expect(await readFile(output, 'utf8')).toBe('old');
  });

  it('exits 4 when nobody answers, without showing the service-account token', async () => {
    const url = await serve(() => undefined);
    server?.close();
    const run = await fetch(all(url));
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toMatch(/cannot reach 127\.0\.0\.1:\d+: ECONNREFUSED/);
    expect(run.stderr).not.toContain('never-shown');
  });

  it('exits 5 when the file cannot be written', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(CREDENTIALS_FILE);
    });
    const run = await fetch([...all(url), '--output', join(folder, 'missing', 'file')]);
    expect(run.exitCode).toBe(5);
    expect(run.stderr).toContain('ENOENT: the folder does not exist');
  });

  it.each([
    ['no URL', ['--output', '/tmp/x'], /--url/],
    ['no output', ['--url', 'http://localhost'], /--output/],
    ['another scheme', ['--url', 'ftp://localhost', '--output', '/tmp/x'], /want http\(s\):\/\/host/],
    [
      'a password in the URL',
      ['--url', 'http://u:never-shown@h', '--output', '/tmp/x'],
      /no user or password/,
    ],
    ['an odd format', ['--url', 'http://h', '--output', '/x', '--format', 'v2'], /writable, protobuf/],
    ['an odd time-out', ['--url', 'http://h', '--output', '/x', '--timeout', '0'], /number of seconds/],
    ['an unknown option', ['--url', 'http://h', '--output', '/x', '--frobnicate'], /unknown option/],
    [
      'a missing service-account token',
      ['--url', 'http://h', '--output', '/x', '--service-account-token-file', '/nonexistent'],
      /mount a projected serviceAccountToken volume/,
    ],
  ])('exits 2 for %s', async (_name, args, message) => {
    const run = await fetch(args);
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toMatch(message);
    expect(await readdir(folder)).toEqual(['sa']);
  });
});
