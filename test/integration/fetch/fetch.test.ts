import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { decodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { describeCredentials } from '../../../src/fetch-client/describe-credentials.ts';
import { HttpServers } from '../../fakes/http-servers.ts';
import { hdfsControl, runHadoopFs } from '../../stack/stack.ts';
import { type ServeProcess, waitFor } from '../serve-process.ts';
import { ServeWorld } from '../serve/serve-world.ts';
import { endAllFetches, startFetch } from './fetch-process.ts';

const TLS = join(import.meta.dirname, '../../fixtures/tls');

let world: ServeWorld;
/** The one that is up now. */
let serve: ServeProcess;
const servers = new HttpServers();

beforeAll(async () => {
  world = await ServeWorld.create();
  await hdfsControl(world.stack.hdfs).reset();
  serve = await world.serve();
});

afterAll(async () => {
  await endAllFetches();
  servers.close();
  await world[Symbol.asyncDispose]();
});

/** A pod of alice's, with its mounted token. */
async function podArgs(name: string, url = serve.url): Promise<{ output: string; args: string[] }> {
  const { serviceAccountToken } = await world.pod({ user: 'alice' });
  const tokenFile = join(world.folder, `${name}.sa`);
  await writeFile(tokenFile, serviceAccountToken);
  const output = join(world.folder, `${name}.token`);
  return { output, args: ['--url', url, '--output', output, '--service-account-token-file', tokenFile] };
}

async function expectAlicesFile(output: string): Promise<void> {
  const listed = await runHadoopFs(world.stack, {
    confDir: world.stack.hdfs.confDir,
    tokenFile: output,
    args: ['-ls', '/user/alice', '/user/bob'],
  });
  expect(listed.stdout).toContain('/user/alice/');
  expect(listed.stderr).toContain('Permission denied: user=alice');
}

const statusOf = async (output: string) =>
  Object.fromEntries(
    (await readFile(`${output}.status`, 'utf8').catch(() => ''))
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );

/** In front of whichever serve is up now, a server that has its watchers come back every second. */
async function impatientFront(): Promise<string> {
  const url = await servers.http((asked, response) => {
    const forwarded = request(
      new URL(asked.url ?? '', serve.url),
      { method: asked.method, headers: asked.headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 0, { ...answer.headers, 'kerbridge-refresh-after': '1' });
        answer.pipe(response);
      },
    );
    forwarded.on('error', () => response.destroy());
    asked.pipe(forwarded);
  });
  return url.href;
}

describe('kerbridge fetch on the real servers', () => {
  it('writes a file that the Java client uses, and copies of it', async () => {
    const { output, args } = await podArgs('once');
    const copy = join(world.folder, 'once.copy');
    const run = await startFetch([...args, '--mode', '0640', '--copy', copy]).ended;
    expect(run.exitCode).toBe(0);
    expect((await stat(output)).mode & 0o777).toBe(0o640);
    expect(await readFile(copy)).toEqual(await readFile(output));
    await expectAlicesFile(output);
  });

  it('says that it is refused, with the request id by which the audit has it', async () => {
    const { args } = await podArgs('refused');
    const run = await startFetch([...args, '--do-as', 'hdfs']).ended;
    expect(run.exitCode).toBe(3);
    const [, requestId] =
      /^kerbridge fetch: refused: 403 not-allowed: .* \(request (\S+)\); no next try\n$/.exec(run.stderr) ??
      [];
    expect(await serve.auditLineOf(requestId)).toMatchObject({ doAs: 'hdfs' });
  });

  it.each([
    ['with the CA file', ['--ca-file', join(TLS, 'localhost.crt')], 0],
    ['not without it', [], 4],
  ])('over TLS, %s', async (_name, more, exitCode) => {
    const secure = await world.serve({
      listen: { tls: { certFile: join(TLS, 'localhost.crt'), keyFile: join(TLS, 'localhost.key') } },
    });
    const { output, args } = await podArgs(`tls-${exitCode}`, secure.url.replace('127.0.0.1', 'localhost'));
    const run = await startFetch([...args, '--deadline', '0', ...more]).ended;
    expect(run.exitCode).toBe(exitCode);
    if (exitCode === 0) await expectAlicesFile(output);
    else expect(run.stderr).toMatch(/not trusted: DEPTH_ZERO_SELF_SIGNED_CERT; name its CA with --ca-file/);
    await secure.stop();
  });

  it('--watch: keeps the file through a restart of serve, which knows the same token afterwards', async () => {
    const { output, args } = await podArgs('watched', await impatientFront());
    const watcher = startFetch([...args, '--watch']);
    await watcher.hear(/written to/);
    await waitFor(async () => (await statusOf(output))['state'] === 'ok');
    const first = await readFile(output);
    const described = describeCredentials(first);
    const status = await statusOf(output);
    expect(status['sequenceNumbers']).toBe(described.sequenceNumbers.join(','));
    expect(Math.abs(Number(status['validUntil']) - (described.validUntil ?? 0) / 1000)).toBeLessThan(5);
    await expectAlicesFile(output);

    // What any reader sees meanwhile.
    const seen = new Set<string>();
    const reading = new AbortController();
    const reader = (async () => {
      while (!reading.signal.aborted) {
        const bytes = await readFile(output);
        expect(decodeCredentials(bytes).credentials.tokens.length).toBeGreaterThan(0);
        seen.add(bytes.toString('hex'));
      }
    })();
    const { ino } = await stat(output);
    await serve.stop();
    await watcher.hear(/(?:cannot reach|broke off).*next try in/);
    await waitFor(async () => (await statusOf(output))['state'] === 'waiting');
    expect((await stat(output)).ino).toBe(ino);
    expect((await startFetch(['--healthy', '--output', output]).ended).exitCode).toBe(0);

    serve = await world.serve();
    await waitFor(async () => (await statusOf(output))['state'] === 'ok', 90_000);
    reading.abort();
    await reader;
    expect((await readFile(output)).equals(first)).toBe(true);
    expect(seen.size).toBe(1);
    await expectAlicesFile(output);
    expect(await watcher.stop()).toMatchObject({ exitCode: 0 });
    expect(watcher.stderr()).not.toMatch(/eyJ/);
  });

  it('--watch: a marker has the token reported, and the file fetched anew', async () => {
    const { output, args } = await podArgs('marked');
    const watcher = startFetch([...args, '--watch']);
    await watcher.hear(/written to/);
    await writeFile(`${output}.rejected`, '');
    await watcher.hear(/token -?\d+ reported as refused by Hadoop/);
    await waitFor(async () => (await statusOf(output))['state'] === 'ok');
    await expect(stat(`${output}.rejected`)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await watcher.stop()).toMatchObject({ exitCode: 0 });
    await expectAlicesFile(output);
  });
});
