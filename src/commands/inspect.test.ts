import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { readHexVector, credentialsVector } from '../../test/fixtures/hadoop-codec/vectors.ts';
import { encodeCredentials } from '../hadoop/codec/credentials.ts';
import { runInspect } from './inspect/run-inspect.ts';
import { createProgram, runProgram } from './run-program.ts';

/** Between issue and max date of the vectors' tokens. */
const ALIVE = Date.parse('2026-11-23T00:00:00Z');
const PAST = Date.parse('2026-11-29T18:16:27.365Z');
const V0 = readHexVector('credentials-v0.hex');

describe('kerbridge inspect', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerbridge-inspect-'));
    path = join(folder, 'hadoop.token');
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function inspect({ bytes, mode = 0o600, now = ALIVE, json = false, at = path }: Partial<Given>) {
    if (bytes !== undefined) {
      await writeFile(path, bytes);
      await chmod(path, mode);
    }
    let out = '';
    let error = '';
    const terminal = {
      out: (text: string) => (out += text),
      error: (text: string) => (error += text),
      exitWith: () => undefined,
    };
    const code = await runInspect({ path: at, json }, terminal, new FakeClock(now));
    return { code, out, error };
  }

  interface Given {
    readonly bytes: Uint8Array;
    readonly mode: number;
    readonly now: number;
    readonly json: boolean;
    readonly at: string;
  }

  const withToken = (change: object, alias = 'service') => {
    const token = {
      identifier: Buffer.from('identifier'),
      password: Buffer.from('password'),
      kind: 'HBASE_AUTH_TOKEN',
      service: 'service',
      ...change,
    };
    return encodeCredentials({ tokens: [{ alias, token }], secrets: [] }, 'writable');
  };

  it.each([
    ['credentials-v0.hex', 'format writable (version 0)'],
    ['credentials-v1.hex', 'format protobuf (version 1)'],
  ])('says what is in %s, as Hadoop wrote it', async (vector, format) => {
    const { code, out, error } = await inspect({ bytes: readHexVector(vector) });
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toContain(`${path}: Hadoop token file, ${format}, `);
    expect(out).toContain(', mode 0600\n');
    expect(out).toContain(
      [
        'token 1 of 2',
        '  kind            HDFS_DELEGATION_TOKEN',
        '  service         127.0.0.1:19000',
        '  owner           alice',
        '  real user       (empty)',
        '  renewer         kerbridge',
        '  issued          2026-11-22T18:16:27.365Z',
        '  max date        2026-11-29T18:16:27.365Z',
        '  sequence number 604',
        '  master key      2',
        '  password        20 bytes, not shown',
        'token 2 of 2',
        '',
      ].join('\n'),
    );
    expect(out).toContain('  alias           kms-alias\n');
    expect(out).toContain('secret my.secret: 6 bytes, not shown\n');
    expect(out).not.toContain('warning');
  });

  it.each([false, true])('shows no password and no secret (json: %s)', async (json) => {
    const { out } = await inspect({ bytes: V0, json });
    const hidden = [
      ...credentialsVector.tokens.map(({ token }) => token.passwordHex),
      ...credentialsVector.secrets.map(({ valueHex }) => valueHex),
    ].map((hex) => Buffer.from(hex, 'hex'));
    for (const bytes of hidden) {
      for (const encoding of ['hex', 'base64', 'base64url', 'latin1', 'utf8'] as const) {
        expect(out).not.toContain(bytes.toString(encoding));
      }
    }
    expect(hidden).toHaveLength(3);
  });

  it('prints JSON for a script', async () => {
    const { code, out } = await inspect({ bytes: V0, json: true, mode: 0o640 });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      format: 'writable',
      bytes: V0.length,
      mode: '0640',
      tokens: [
        {
          alias: '127.0.0.1:19000',
          kind: 'HDFS_DELEGATION_TOKEN',
          service: '127.0.0.1:19000',
          identifierBytes: 36,
          passwordBytes: 20,
          identifier: {
            owner: 'alice',
            realUser: '',
            renewer: 'kerbridge',
            issuedAt: '2026-11-22T18:16:27.365Z',
            maxDate: '2026-11-29T18:16:27.365Z',
            sequenceNumber: 604,
            masterKeyId: 2,
            expired: false,
          },
          identifierProblem: null,
        },
        { alias: 'kms-alias', kind: 'kms-dt' },
      ],
      secrets: [{ alias: 'my.secret', bytes: 6 }],
      warnings: [],
    });
  });

  it('tells the tokens whose max date has come', async () => {
    expect((await inspect({ bytes: V0, now: PAST - 1 })).out).not.toContain('max date:');
    const { code, out } = await inspect({ bytes: V0, now: PAST });
    expect(code).toBe(0);
    expect(out).toContain('  state           past its max date\n');
    expect(out).toContain(
      'warning: 2 of 2 tokens past the max date: every server refuses them; fetch anew\n',
    );
  });

  it('warns of a file without a token', async () => {
    const { code, out } = await inspect({
      bytes: encodeCredentials({ tokens: [], secrets: [] }, 'protobuf'),
    });
    expect(code).toBe(0);
    expect(out).toContain('warning: there is no token in it');
  });

  it.each([0o604, 0o602, 0o601])('warns of a file that others can open (mode %o)', async (mode) => {
    expect((await inspect({ bytes: V0, mode })).out).toContain('chmod o-rwx');
  });

  it('does not guess at an identifier whose layout it does not know', async () => {
    const { code, out } = await inspect({ bytes: withToken({}) });
    expect(code).toBe(0);
    expect(out).toContain(
      '  identifier      10 bytes, not read: token identifier: not a kind whose layout is known',
    );
    expect(out).not.toContain('owner  ');
  });

  it('says so of an identifier that does not fit its kind', async () => {
    const { code, out } = await inspect({ bytes: withToken({ kind: 'HDFS_DELEGATION_TOKEN' }) });
    expect(code).toBe(0);
    expect(out).toMatch(/ {2}identifier {6}10 bytes, not read: token identifier: version 105, known is 0/);
  });

  it('leaves control characters of a label to nobody’s terminal', async () => {
    const { out } = await inspect({ bytes: withToken({ service: 'a\u001b[2Jb\nc' }, '\u0007') });
    expect(out).toContain('  service         a?[2Jb?c\n  alias           ?\n');
  });

  it.each<[string, (file: string) => Promise<unknown>, RegExp]>([
    [
      'nothing',
      () => Promise.resolve(),
      /cannot read .*: there is no such file; has the fetcher written it\?/,
    ],
    ['an empty file', (file) => writeFile(file, ''), /is no whole Hadoop token file: .*\(offset 0\)/],
    ['something else', (file) => writeFile(file, 'never-shown'), /it does not begin with HDTS/],
    ['half a file', (file) => writeFile(file, V0.subarray(0, 100)), /is no whole Hadoop token file/],
    ['a longer file', (file) => writeFile(file, Buffer.concat([V0, V0])), /is no whole Hadoop token file/],
    ['another version', (file) => writeFile(file, Buffer.from('HDTS\x02')), /format 2, known are 0 and 1/],
    ['a pipe', (file) => Promise.resolve(execFileSync('mkfifo', [file])), /not a regular file; use - for/],
    [
      'a huge file',
      async (file) => {
        await writeFile(file, '');
        await truncate(file, 2 ** 40);
      },
      /more than 4194304 bytes/,
    ],
  ])('ends with 1 for %s', async (_name, make, message) => {
    await make(path);
    const { code, out, error } = await inspect({});
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(error).toMatch(message);
    expect(error).toMatch(/^kerbridge inspect: [^\n]*\n$/);
    expect(error).not.toContain('never-shown');
  });

  it('ends with 1 for a folder', async () => {
    expect(await inspect({ at: folder })).toMatchObject({
      code: 1,
      error: expect.stringContaining('regular'),
    });
  });

  describe('the command line', () => {
    const MAIN = join(import.meta.dirname, '../main.ts');
    const inspectProcess = (args: readonly string[], input: Uint8Array, env: Record<string, string> = {}) =>
      execFileSync(process.execPath, [MAIN, 'inspect', ...args], {
        input,
        env: { PATH: process.env['PATH'], ...env },
      }).toString();

    it('reads standard input', () => {
      const out = inspectProcess(['-'], V0);
      expect(out).toContain('standard input: Hadoop token file, format writable (version 0), 243 bytes\n');
    });

    it('takes the file of HADOOP_TOKEN_FILE_LOCATION', async () => {
      await writeFile(path, V0);
      const out = inspectProcess(['--json'], Buffer.of(), { HADOOP_TOKEN_FILE_LOCATION: path });
      expect(JSON.parse(out)).toMatchObject({ format: 'writable' });
    });

    it.each([[['a', 'b']], [['--frobnicate']]])('ends with 2 for %j', async (args) => {
      const program = createProgram();
      for (const command of program.commands) command.configureOutput({ writeErr: () => undefined });
      expect(await runProgram(program, ['inspect', ...args])).toBe(2);
    });
  });
});
