import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { otherSigningKey, signingKey } from '../../../test/fixtures/stamps/keys.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { type ConfigProblem, formatProblem } from '../../config/config-problem.ts';
import { formatPrivateKeys, formatPublicKeys, createPublicKeys } from '../../identity/stamps/stamp-keys.ts';
import { type ServeFileChange, openFiles, type ServeFiles } from './open-files.ts';

const RULES = 'version: 1\nnamespaces: [{ namespaces: [team-a], users: [alice] }]\notherNamespaces: none\n';
const REVOCATIONS = 'version: 1\nrevocations: [{ user: mallory, revokedAt: 2026-01-01T00:00:00Z }]\n';
const BROKEN = 'version: 1\nhunter2: [\n';
const fixtures = new URL('../../../test/fixtures/tls/', import.meta.url);

let folder = '';
const at = (name: string) => join(folder, name);
const opened: ServeFiles[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-files-'));
  await writeFile(at('rules.yaml'), RULES);
  await writeFile(at('revocations.yaml'), REVOCATIONS);
  await writeFile(at('keys.json'), formatPublicKeys(createPublicKeys([signingKey])));
  for (const name of ['renewed.crt', 'renewed.key'])
    await writeFile(at(name), await readFile(new URL(name, fixtures)));
});
afterEach(async () => {
  for (const files of opened.splice(0)) files.stop();
  await rm(folder, { recursive: true });
});

interface Named {
  readonly rules?: string;
  readonly revocations?: string;
  readonly stampKeys?: string;
  readonly tls?: readonly [cert: string, key: string];
}

async function open({ rules, revocations, stampKeys, tls }: Named) {
  const clock = new FakeClock();
  const problems: ConfigProblem[] = [];
  const files = await openFiles(
    {
      identity: {
        rulesFile: rules === undefined ? undefined : at(rules),
        revocationsFile: revocations === undefined ? undefined : at(revocations),
        stampKeysFile: stampKeys === undefined ? undefined : at(stampKeys),
      },
      listen: {
        address: '127.0.0.1',
        port: 0,
        trustedProxies: [],
        tls: tls === undefined ? undefined : { certFile: at(tls[0]), keyFile: at(tls[1]) },
      },
    },
    clock,
    problems,
  );
  opened.push(files);
  return { clock, files, problems: problems.map(formatProblem) };
}

/** Real files answer when they do: moves the time on until what is waited for has happened. */
async function look(clock: FakeClock, until: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !until(); turn += 1) await clock.advance(500);
  expect(until()).toBe(true);
}

const NONE = { rules: undefined, revocations: undefined, stampKeys: undefined, tls: undefined };

describe('openFiles', () => {
  it('finds what is wrong with all of them, by the key that names each, and quotes none', async () => {
    await writeFile(at('rules.yaml'), BROKEN);
    await writeFile(at('renewed.crt'), BROKEN);
    const { files, problems } = await open({
      rules: 'rules.yaml',
      revocations: 'none.yaml',
      stampKeys: 'rules.yaml',
      tls: ['renewed.crt', 'renewed.key'],
    });
    const keys = problems.map((problem) => problem.split(':', 1)[0]);
    expect(new Set(keys)).toEqual(
      new Set([
        'identity.rulesFile',
        'identity.revocationsFile',
        'identity.stampKeysFile',
        'listen.tls.certFile',
      ]),
    );
    expect(problems.join('\n')).not.toContain('hunter2: [');
    expect(problems).toContainEqual(expect.stringContaining('none.yaml: ENOENT'));
    expect(files).toMatchObject(NONE);
  });

  it('opens none that is not named', async () => {
    const { files, problems, clock } = await open({});
    expect(problems).toEqual([]);
    expect(files).toMatchObject(NONE);
    expect(clock.sleeping).toBe(0);
  });

  it('reads each, and follows it until it is stopped', async () => {
    const { files, problems, clock } = await open({
      rules: 'rules.yaml',
      revocations: 'revocations.yaml',
      stampKeys: 'keys.json',
      tls: ['renewed.crt', 'renewed.key'],
    });
    expect(problems).toEqual([]);
    expect(files.rules?.current.allowsUser('team-a', 'alice')).toBe(true);
    expect(files.rules?.current.allowsUser('team-a', 'bob')).toBe(false);
    expect(files.revocations?.current).toMatchObject([{ user: 'mallory' }]);
    expect(files.stampKeys?.current.find(signingKey.kid)).toBeDefined();
    expect(files.tls?.current.certificates).toBe(await readFile(at('renewed.crt'), 'utf8'));
    expect(clock.sleeping).toBe(4);
    files.stop();
    expect(clock.sleeping).toBe(0);
  });

  it('tells of changes, which file and what became of it', async () => {
    const { files, clock } = await open({ rules: 'rules.yaml', revocations: 'revocations.yaml' });
    const changes: ServeFileChange[] = [];
    files.follow((change) => changes.push(change));

    await writeFile(at('rules.yaml'), BROKEN);
    await look(clock, () => changes.length === 1);
    expect(changes[0]).toMatchObject({ file: 'rules', outcome: 'kept' });
    expect(changes[0]?.problems.length).toBeGreaterThan(0);
    expect(changes[0]?.problems.every(({ path }) => path === 'identity.rulesFile')).toBe(true);
    expect(files.rules?.current.allowsUser('team-a', 'alice')).toBe(true);

    await writeFile(at('revocations.yaml'), 'version: 1\nrevocations: []\n');
    await look(clock, () => changes.length === 2);
    expect(changes[1]).toEqual({ file: 'revocations', outcome: 'reloaded', problems: [] });
    expect(files.revocations?.current).toEqual([]);
  });

  it('keeps the keys of stamps as they were while the file holds others that cannot be used', async () => {
    const { files, clock } = await open({ stampKeys: 'keys.json' });
    const changes: ServeFileChange[] = [];
    files.follow((change) => changes.push(change));
    const before = files.stampKeys?.current;

    await writeFile(at('keys.json'), formatPrivateKeys({ keys: [otherSigningKey] }).reveal());
    await look(clock, () => changes.length === 1);
    expect(changes[0]).toEqual({
      file: 'stamp-keys',
      outcome: 'kept',
      problems: [
        {
          path: 'identity.stampKeysFile',
          message: expect.stringMatching(/^keys\[0\]\.d: is a private key/) as unknown,
        },
      ],
    });
    expect(files.stampKeys?.current).toBe(before);

    await writeFile(at('keys.json'), formatPublicKeys(createPublicKeys([otherSigningKey, signingKey])));
    await look(clock, () => changes.length === 2);
    expect(changes[1]).toEqual({ file: 'stamp-keys', outcome: 'reloaded', problems: [] });
    expect(files.stampKeys?.current.find(otherSigningKey.kid)).toBeDefined();
  });
});
