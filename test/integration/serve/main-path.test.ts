import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { encodeTokenUrlString } from '../../../src/hadoop/codec/token.ts';
import { decodeTokenIdentifier } from '../../../src/hadoop/codec/token-identifier.ts';
import { hdfsControl, runHadoopFs } from '../../stack/stack.ts';
import type { HdfsControl } from '../../stack/stack.ts';
import type { ServeProcess } from '../serve-process.ts';
import { askCredentials, ServeWorld } from './serve-world.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');

describe('kerbridge serve and fetch on the real servers', () => {
  let world: ServeWorld;
  let serve: ServeProcess;
  let control: HdfsControl;

  beforeAll(async () => {
    world = await ServeWorld.create();
    control = hdfsControl(world.stack.hdfs);
    await control.reset();
    serve = await world.serve();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it('hands a stamped pod the token of its user, in JSON and as the file itself', async () => {
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const json = await askCredentials(serve, serviceAccountToken);
    expect(json.status).toBe(200);
    expect(json.headers.get('cache-control')).toBe('no-store');
    expect(json.json).toMatchObject({
      owner: 'alice',
      tokens: expect.arrayContaining([
        expect.objectContaining({
          cluster: 'stack',
          kind: 'HDFS_DELEGATION_TOKEN',
          service: `127.0.0.1:${world.stack.hdfs.nameNodes[0]?.rpcPort}`,
          owner: 'alice',
          renewer: 'kerbridge',
        }),
      ]),
    });

    const file = await askCredentials(serve, serviceAccountToken, { accept: 'application/octet-stream' });
    expect(file.status).toBe(200);
    expect(file.headers.get('content-type')).toBe('application/octet-stream');
    expect(file.bytes.toString('base64')).toBe(json.json['credentials']);

    const protobuf = await askCredentials(serve, serviceAccountToken, {
      accept: 'application/octet-stream',
      query: '?format=protobuf',
    });
    expect(decodeCredentials(protobuf.bytes)).toEqual({
      format: 'protobuf',
      credentials: decodeCredentials(file.bytes).credentials,
    });
  });

  it('tells the true expiry: the date that the NameNode has', async () => {
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const { json, bytes } = await askCredentials(serve, serviceAccountToken);
    expect(bytes.length).toBeGreaterThan(0);
    const [listed] = json['tokens'] as { sequenceNumber: number; expiresAt: string; maxDate: string }[];
    const known = (await control.tokens()).find((each) => each.sequenceNumber === listed?.sequenceNumber);
    expect(new Date(listed?.expiresAt ?? '').getTime()).toBe(known?.renewDate);
    expect(new Date(listed?.maxDate ?? '').getTime()).toBe(known?.maxDate);
  });

  it('answers 304 to its own ETag', async () => {
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const first = await askCredentials(serve, serviceAccountToken);
    const etag = first.headers.get('etag') ?? '';
    const second = await askCredentials(serve, serviceAccountToken, { headers: { 'If-None-Match': etag } });
    expect(second.status).toBe(304);
    expect(second.bytes.length).toBe(0);
  });

  it('asks the NameNode once for all pods of a user in a namespace, and again for another namespace', async () => {
    const namespace = await world.anotherNamespace();
    const pods = await Promise.all([1, 2, 3, 4].map(() => world.pod({ user: 'bob' }, { namespace })));
    const before = (await control.tokens()).length;
    const answers = await Promise.all(
      [...pods, ...pods, ...pods].map(({ serviceAccountToken }) =>
        askCredentials(serve, serviceAccountToken),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(({ json }) => json['credentials'])).size).toBe(1);
    expect(await control.tokens()).toHaveLength(before + 1);

    const elsewhere = await world.pod({ user: 'bob' }, { namespace: await world.anotherNamespace() });
    const other = await askCredentials(serve, elsewhere.serviceAccountToken);
    expect(other.json['credentials']).not.toBe(answers[0]?.json['credentials']);
    expect(await control.tokens()).toHaveLength(before + 2);
  });

  it('fetch writes a file that the Java client uses, and curl is a complete client too', async () => {
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const serviceAccountTokenFile = join(world.folder, 'service-account-token');
    await writeFile(serviceAccountTokenFile, serviceAccountToken);
    const tokenFile = join(world.folder, 'fetched.token');
    const run = promisify(execFile);
    await run(process.execPath, [
      MAIN,
      'fetch',
      ...['--url', serve.url, '--service-account-token-file', serviceAccountTokenFile, '--output', tokenFile],
    ]);
    expect((await stat(tokenFile)).mode & 0o777).toBe(0o600);
    const list = (file: string) =>
      runHadoopFs(world.stack, {
        confDir: world.stack.hdfs.confDir,
        tokenFile: file,
        args: ['-ls', '/user/alice', '/user/bob'],
      });
    const listed = await list(tokenFile);
    expect(listed.stdout).toContain('/user/alice/');
    expect(listed.stderr).toContain('Permission denied: user=alice');

    const curled = join(world.folder, 'curled.token');
    await run('curl', [
      '-fsS',
      ...['-H', `Authorization: Bearer ${serviceAccountToken}`, '-H', 'Accept: application/octet-stream'],
      ...['-o', curled, `${serve.url}/v1/credentials`],
    ]);
    expect(await readFile(curled)).toEqual(await readFile(tokenFile));
  });

  it('has printed no service-account token, delegation token, cookie or Negotiate header, at debug level', async () => {
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const { bytes } = await askCredentials(serve, serviceAccountToken, {
      accept: 'application/octet-stream',
    });
    const output = serve.output();
    expect(serve.logLines().length).toBeGreaterThan(5);
    for (const shown of world.shown) {
      expect(output).not.toContain(shown);
      expect(output).not.toContain(shown.split('.')[2]);
    }
    const { tokens } = decodeCredentials(bytes).credentials;
    expect(tokens.length).toBeGreaterThan(0);
    for (const { token } of tokens) {
      expect(decodeTokenIdentifier(token.kind, token.identifier).owner).toBe('alice');
      for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) {
        expect(output).not.toContain(Buffer.from(token.password).toString(encoding));
      }
      expect(output).not.toContain(encodeTokenUrlString(token));
    }
    expect(output).not.toMatch(/hadoop\.auth|Negotiate [A-Za-z0-9+/]|Bearer [A-Za-z0-9]/);
  });

  it('shows its metrics and dependencies on the admin port only', async () => {
    const metrics = await (await fetch(`${serve.adminUrl}/metrics`)).text();
    expect(metrics).toMatch(/^kerbridge_/m);
    expect(metrics).not.toMatch(/alice|bob|team-/);
    for (const path of ['/metrics', '/livez', '/readyz']) {
      expect((await fetch(`${serve.url}${path}`)).status).toBe(404);
    }
  });
});
