import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { hadoopConfDirectory, lookupInHostsFile } from '../../../test/fakes/hadoop-conf.ts';
import { parseServeConfig } from '../../config/serve-config.ts';
import { CheckRun } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { clusterFiles } from './cluster-files.ts';
import { identityFileChecks } from './file-checks.ts';
import { judgeUser, userCheck } from './judge-user.ts';

const identityOf = (identity: object) => {
  const parsed = parseServeConfig({ identity, clusters: [{ hadoopConf: '/c', keytab: '/k' }] });
  if (!parsed.ok) throw new Error('not right in itself');
  return parsed.config.identity;
};

const judge = (user: string, identity: object | undefined = {}) =>
  judgeUser({
    user,
    identity: identity === undefined ? undefined : identityOf(identity),
    ownShortNames: ['kerbridge'],
    serviceUsers: ['nn-service'],
    deniedByRules: (name) => (name === 'ceo' ? 'c*' : undefined),
  });

describe('judgeUser', () => {
  it('lets a person pass', () => {
    expect(judge('alice')).toMatchObject({ id: 'user', outcome: 'ok' });
  });

  it.each([
    ['hdfs', 'on the deny list (hdfs)'],
    ['HDFS', 'on the deny list (hdfs)'],
    ['kerbridge', 'on the deny list (kerbridge)'],
    ['nn-service', 'on the deny list (nn-service)'],
    ['ceo', 'on the deny list (c*)'],
    ['svc-a', 'on the deny list (svc-*)'],
    ['alice@EXAMPLE.COM', 'no user name that serve would take'],
    ['alice/admin', 'no user name that serve would take'],
    ['', 'no user name that serve would take'],
    ['-alice', 'no user name that serve would take'],
  ])('refuses %j', (user, detail) => {
    expect(judge(user, { denyUsers: ['svc-*'] })).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining(detail),
      fix: expect.stringContaining('Name a person with --user'),
    });
  });

  it('takes the pattern of the configuration, and Hadoop’s own where that is no good', () => {
    expect(judge('Alice', { userPattern: '[a-z]+' }).outcome).toBe('failed');
    expect(judge('Alice', { userPattern: '(a+)+' }).outcome).toBe('skipped');
    expect(judge('alice/admin', { userPattern: '(a+)+' }).outcome).toBe('failed');
  });

  it('asks for nobody while an entry of the deny list can not be read', () => {
    expect(judge('x', { denyUsers: ['a@B', 'x'] }).outcome).toBe('failed');
    expect(judge('alice', { denyUsers: ['alice@EXAMPLE.COM'] }).outcome).toBe('skipped');
  });

  it('asks for nobody without the identity section', () => {
    const options = {
      identity: undefined,
      ownShortNames: [],
      serviceUsers: [],
      deniedByRules: () => undefined,
    };
    expect(judgeUser({ ...options, user: 'alice' }).outcome).toBe('skipped');
    expect(judgeUser({ ...options, user: 'yarn' }).outcome).toBe('failed');
  });
});

describe('userCheck', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerbridge-user-check-'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const RULES = 'version: 1\nnamespaces: []\notherNamespaces: any\ndenyUsers: [ceo]\n';

  /** What comes of the user when these are the rules, and this the conf dir. */
  const check = async (user: string, rules: string | undefined, confDir = hadoopConfDirectory('ha')) => {
    const rulesFile = join(folder, 'rules.yaml');
    await writeFile(rulesFile, rules ?? '');
    const clock = new FakeClock();
    const identity = rules === undefined ? undefined : identityOf({ rulesFile });
    const identityFiles = identity === undefined ? undefined : identityFileChecks(identity, clock);
    const parsed = parseServeConfig({
      clusters: [{ name: 'main', hadoopConf: confDir, keytab: '/nowhere' }],
    });
    if (!parsed.ok) throw new Error('not right in itself');
    const clusters = parsed.config.clusters.map((each, index) =>
      clusterFiles(each, index, lookupInHostsFile),
    );
    const run = new CheckRun({ clock, timeoutMs: 1_000 });
    const checks = [
      ...(identityFiles?.checks ?? []),
      ...clusters.flatMap((each) => each.checks),
      userCheck({ user, identity, identityFiles, clusters }),
    ];
    const found: Finding[] = [];
    for await (const finding of run.run(checks)) found.push(finding);
    return found.find(({ id }) => id === 'user');
  };

  it('denies whom the rules deny', async () => {
    expect(await check('alice', RULES)).toMatchObject({ outcome: 'ok' });
    expect(await check('ceo', RULES)).toMatchObject({ outcome: 'failed' });
  });

  it.each([
    ['the rules are wrong', `${RULES}unknown: 1\n`, 'ha', 'identity-rules failed'],
    ['the identity section is wrong', undefined, 'ha', 'identity-rules was not looked at'],
    ['a conf dir can not be read', RULES, 'hostile/nothing-here', 'conf-dir:main failed'],
  ])('asks for nobody when %s', async (_, rules, confDir, detail) => {
    expect(await check('ceo', rules, hadoopConfDirectory(confDir))).toMatchObject({
      outcome: 'skipped',
      detail,
    });
  });
});
