import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type ChildProcess, execFile } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentialsFile, hdfsCredentialsFile } from '../../test/fakes/credentials-file.ts';
import { HttpServers } from '../../test/fakes/http-servers.ts';

const MAIN = join(import.meta.dirname, '../main.ts');
const EMPTY_CREDENTIALS_FILE = Buffer.from('48445453000000', 'hex');
const CREDENTIALS_FILE = credentialsFile();
const SERVICE_ACCOUNT_TOKEN = 'aaa.bbb.never-shown';

// Each starts a process or more.
jest.setTimeout(30_000);

const servers = new HttpServers();
let folder: string;
let output: string;
let serviceAccountTokenFile: string;
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-fetch-'));
  output = join(folder, 'hadoop.token');
  serviceAccountTokenFile = join(folder, 'sa');
  await writeFile(serviceAccountTokenFile, SERVICE_ACCOUNT_TOKEN);
  children = [];
});

afterEach(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  servers.close();
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], env: Record<string, string> = {}) {
  let child: ChildProcess | undefined;
  const ended = new Promise<Run>((resolve) => {
    const started = execFile(
      process.execPath,
      [MAIN, 'fetch', ...args],
      { env: { PATH: process.env['PATH'], ...env } },
      (_error, stdout, stderr) => resolve({ exitCode: started.exitCode, stdout, stderr }),
    );
    child = started;
  });
  if (child === undefined) throw new Error('not started');
  children.push(child);
  let said = '';
  const heard = new EventEmitter();
  child.stderr?.on('data', (chunk: string) => {
    said += chunk;
    heard.emit('more');
  });
  const hear = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(said)) await once(heard, 'more');
  };
  return { child, ended, hear };
}

const fetch = (args: readonly string[], env: Record<string, string> = {}) => start(args, env).ended;

const all = (url: URL) => [
  ...['--url', url.href, '--output', output, '--service-account-token-file', serviceAccountTokenFile],
];

const file =
  (body: Buffer = CREDENTIALS_FILE, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', ...headers }).end(body);
  };

const problem =
  (status: number, code: string, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response
      .writeHead(status, { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r-7', ...headers })
      .end(JSON.stringify({ code, title: 'Refused' }));
  };

/** Each for one request, the last one for all that follow. */
const inTurn = (...listeners: readonly RequestListener[]): RequestListener => {
  let count = 0;
  return (request, response) => {
    (listeners[count] ?? listeners.at(-1))?.(request, response);
    count += 1;
  };
};

const files = async () => (await readdir(folder)).filter((name) => name !== 'sa');

describe('kerbridge fetch', () => {
  it('takes its settings from the environment, writes the file and exits 0', async () => {
    const url = await servers.http(file());
    const run = await fetch([], {
      KERBRIDGE_URL: url.href,
      HADOOP_TOKEN_FILE_LOCATION: output,
      KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE: serviceAccountTokenFile,
      KERBRIDGE_MODE: '0440',
      KERBRIDGE_COPIES: join(folder, 'copy'),
    });
    expect(run).toMatchObject({ exitCode: 0, stdout: '' });
    expect(run.stderr).toBe(`kerbridge fetch: 1 delegation token(s) written to ${output}\n`);
    for (const path of [output, join(folder, 'copy')]) {
      expect(await readFile(path)).toEqual(CREDENTIALS_FILE);
      expect((await stat(path)).mode & 0o777).toBe(0o440);
    }
  });

  it('exits 3 when it is refused, with the code and the request id, and leaves the old file', async () => {
    await writeFile(output, 'old');
    const run = await fetch(all(await servers.http(problem(403, 'user-denied'))));
    expect(run.exitCode).toBe(3);
    expect(run.stderr).toBe(
      'kerbridge fetch: refused: 403 user-denied: Refused (request r-7); no next try\n',
    );
    expect(await readFile(output, 'utf8')).toBe('old');
  });

  it('waits for a server that is not there yet, and says when it tries again', async () => {
    const run = await fetch(all(await servers.http(inTurn(problem(503, 'overloaded'), file()))));
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toMatch(
      /^kerbridge fetch: HTTP 503 overloaded: Refused \(request r-7\); next try in [01]\.\d s\nkerbridge fetch: 1 /,
    );
  });

  it('takes the token that the file has after a 401, also with no time for a second try', async () => {
    const url = await servers.http((request, response) => {
      if (request.headers.authorization === 'Bearer aaa.bbb.new') return file()(request, response);
      // As kubelet does: the name is that of another file all at once.
      void writeFile(`${serviceAccountTokenFile}.new`, 'aaa.bbb.new')
        .then(async () => await rename(`${serviceAccountTokenFile}.new`, serviceAccountTokenFile))
        .then(() => problem(401, 'not-authenticated')(request, response));
    });
    const run = await fetch([...all(url), '--deadline', '0']);
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/401 .*next try at once\n/) });
    expect(run.stderr).not.toMatch(/never-shown|bbb/);
  });

  it('exits 4 for an answer without a token, and leaves the old file', async () => {
    await writeFile(output, 'old');
    const run = await fetch([...all(await servers.http(file(EMPTY_CREDENTIALS_FILE))), '--deadline=0']);
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toBe(
      'kerbridge fetch: no delegation token in the answer; no next try before the deadline\n',
    );
    expect(await readFile(output, 'utf8')).toBe('old');
  });

  it('exits 4 when nobody answers, without showing the service-account token', async () => {
    const url = await servers.http(() => undefined);
    servers.close();
    const run = await fetch([...all(url), '--deadline', '0']);
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toMatch(/cannot reach 127\.0\.0\.1:\d+: ECONNREFUSED/);
    expect(run.stderr).not.toContain('never-shown');
  });

  it('goes by no proxy of the environment', async () => {
    let proxied = 0;
    const proxy = (await servers.http(() => (proxied += 1))).href;
    const env = { HTTP_PROXY: proxy, http_proxy: proxy, ALL_PROXY: proxy, NODE_USE_ENV_PROXY: '1' };
    const run = await fetch(all(await servers.http(file())), env);
    expect([run.exitCode, proxied]).toEqual([0, 0]);
  });

  it('exits 5 when the file cannot be written', async () => {
    const url = await servers.http(file());
    const run = await fetch([...all(url), '--output', join(folder, 'missing', 'file')]);
    expect(run.exitCode).toBe(5);
    expect(run.stderr).toContain('ENOENT: the folder does not exist');
  });

  it.each([
    ['what its options are', ['--output', '/tmp/x', '--mode', '0777'], [/--url /, /--mode /, /fetch --help/]],
    ['an unknown option', ['--url', 'http://h', '--output', '/x', '--frobnicate'], [/unknown option/]],
    [
      'a missing service-account token',
      ['--url', 'http://h', '--output', '/x', '--service-account-token-file', '/nonexistent'],
      [/mount a projected serviceAccountToken volume/],
    ],
    [
      'a missing CA file',
      ['--url', 'http://h', '--output', '/x', '--ca-file', '/nonexistent'],
      [/cannot read --ca-file \/nonexistent: ENOENT/],
    ],
  ])('exits 2 for %s', async (_name, args, messages) => {
    const run = await fetch(args);
    expect(run.exitCode).toBe(2);
    for (const message of messages) expect(run.stderr).toMatch(message);
    expect(await files()).toEqual([]);
  });
});

describe('kerbridge fetch over TLS', () => {
  const certificate = join(import.meta.dirname, '../../test/fixtures/tls/localhost.crt');

  it.each<[string, string[], Record<string, string>, number]>([
    ['trusts --ca-file', ['--ca-file', certificate], {}, 0],
    ['trusts what the system trusts', [], { SSL_CERT_FILE: certificate }, 0],
    ['trusts nobody else', [], {}, 4],
    ['trusts nobody else whatever Node is told', [], { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 4],
    [
      'trusts --ca-file instead of the system',
      ['--ca-file', join(certificate, '../renewed.crt')],
      { SSL_CERT_FILE: certificate, NODE_EXTRA_CA_CERTS: certificate },
      4,
    ],
  ])('%s', async (_name, args, env, exitCode) => {
    let reached = 0;
    const url = await servers.https('localhost', (request, response) => {
      reached += 1;
      file()(request, response);
    });
    const run = await fetch([...all(url), '--deadline', '0', ...args], env);
    expect([run.exitCode, reached]).toEqual([exitCode, exitCode === 0 ? 1 : 0]);
    if (exitCode !== 0) expect(run.stderr).toMatch(/is not trusted: .*name its CA with --ca-file/);
  });
});

describe('kerbridge fetch that is told to end', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('by %s while it waits for the answer: %d', async (signal, exitCode) => {
    await writeFile(output, 'old');
    const url = await servers.http(() => child.kill(signal));
    const { child, ended } = start(all(url));
    expect(await ended).toMatchObject({
      exitCode,
      stderr: expect.stringMatching(/before the file was there/),
    });
    expect(await readFile(output, 'utf8')).toBe('old');
    expect(await files()).toEqual(['hadoop.token']);
  });

  it('while it waits for the next try', async () => {
    const url = await servers.http(problem(503, 'overloaded', { 'Retry-After': '200' }));
    const { child, ended, hear } = start([...all(url), '--watch']);
    await hear(/next try in/);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ exitCode: 143 });
    expect(await files()).toEqual([]);
  });
});

describe('kerbridge fetch --rejected', () => {
  it('says which tokens Hadoop refused, and fetches anew', async () => {
    const old = hdfsCredentialsFile([{ maxDate: 1n, sequenceNumber: 41 }]);
    await writeFile(output, old);
    const seen: string[] = [];
    const url = await servers.http((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        seen.push(`${request.method} ${request.url} ${request.headers['if-none-match'] ?? '-'} ${body}`);
        if (request.method === 'POST') response.writeHead(404).end();
        else file()(request, response);
      });
    });
    expect(await fetch([...all(url), '--rejected'])).toMatchObject({ exitCode: 0 });
    expect(seen).toEqual([
      'POST /v1/credentials/rejected - {"sequenceNumber":41}',
      'GET /v1/credentials?format=writable - ',
    ]);
    expect(await readFile(output)).toEqual(CREDENTIALS_FILE);
  });

  it('fetches anew when the file has no number to report', async () => {
    const run = await fetch([...all(await servers.http(file())), '--rejected']);
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/nothing to report/) });
  });
});

describe('kerbridge fetch --watch', () => {
  const healthy = () => fetch(['--healthy', '-o', output]);

  it('keeps the file fresh, is healthy, and ends by a signal with 0', async () => {
    const second = hdfsCredentialsFile([{ maxDate: 9_223_372_036_854_775_807n, sequenceNumber: 42 }]);
    const url = await servers.http(
      inTurn(file(CREDENTIALS_FILE, { 'Kerbridge-Refresh-After': '1' }), problem(503, 'x'), file(second)),
    );
    expect(await healthy()).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/is not there/) });
    const { child, ended, hear } = start([...all(url), '--watch']);
    await hear(/503[^]*written/);
    expect(await readFile(output)).toEqual(second);
    expect(await healthy()).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect((await readFile(`${output}.status`, 'utf8')).split('\n')).toEqual(
      expect.arrayContaining(['state=ok', 'sequenceNumbers=42', 'validUntil=', 'reason=']),
    );
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ exitCode: 0 });
    expect(await files()).toEqual(['hadoop.token', 'hadoop.token.status']);
  });

  it('that is started again goes on with the file that is there', async () => {
    const url = await servers.http(inTurn(file(), problem(403, 'not-allowed')));
    const first = start([...all(url), '--watch']);
    await first.hear(/written/);
    while (!(await files()).includes('hadoop.token.status')) await new Promise(setImmediate);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = start([...all(url), '--watch', '--deadline', '0']);
    await second.hear(/going on from there[^]*refused: 403/);
    expect(await healthy()).toMatchObject({ exitCode: 0 });
    second.child.kill('SIGINT');
    expect(await second.ended).toMatchObject({ exitCode: 0 });
    expect(await readFile(output)).toEqual(CREDENTIALS_FILE);
  });

  it.each([
    ['refused', problem(403, 'not-allowed'), 3],
    ['not reached', problem(503, 'overloaded'), 4],
    ['nowhere to write', file(), 5],
  ])('ends as without it before there is a file: %s', async (_name, listener, exitCode) => {
    const args = [...all(await servers.http(listener)), '--watch', '--deadline', '0'];
    if (exitCode === 5) await symlink('/proc/none', join(folder, 'gone'));
    const run = await fetch(exitCode === 5 ? [...args, '--copy', join(folder, 'gone', 'file')] : args);
    expect(run.exitCode).toBe(exitCode);
    expect((await files()).filter((name) => name !== 'gone')).toEqual([]);
  });
});

it('loads nothing of serve', async () => {
  const url = new URL('./fetch/run-fetch.ts', import.meta.url).href;
  const code = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { console.log(url); return next(url, context); } });
    await import(${JSON.stringify(url)});`;
  const stdout = await new Promise<string>((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', code], (_error, out) => resolve(out));
  });
  const loaded = stdout
    .trim()
    .split('\n')
    .filter((each) => !each.startsWith('node:'));
  expect(loaded.length).toBeGreaterThan(10);
  expect(
    loaded.filter(
      (each) =>
        !/\/src\/(?:commands\/fetch|fetch-client|hadoop\/codec|time|concurrency|observability)\//.test(each),
    ),
  ).toEqual([]);
});
