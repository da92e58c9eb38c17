import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signingKey } from '../../../test/fixtures/stamps/keys.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { hadoopConfDirectory, lookupInHostsFile } from '../../../test/fakes/hadoop-conf.ts';
import type { Check } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { clusterFiles } from './cluster-files.ts';
import { createPublicKeys, formatPublicKeys } from '../../identity/stamps/stamp-keys.ts';
import { auditFileCheck, identityFileChecks } from './file-checks.ts';
import { loadConfiguration } from './load-configuration.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-check-files-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const write = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};

const run = async (checks: readonly Check[]): Promise<readonly Finding[]> => {
  const all: Finding[] = [];
  for (const check of checks) all.push(...(await check.run(new AbortController().signal)));
  return all;
};

const short = (findings: readonly Finding[]) => findings.map(({ id, outcome }) => `${id} ${outcome}`);

describe('loadConfiguration', () => {
  const CLUSTER = 'clusters: [{ name: main, hadoopConf: /c, keytab: /k }]';

  it('names the clusters', async () => {
    const loaded = await loadConfiguration({ config: await write('good.yaml', CLUSTER) });
    expect(loaded).toMatchObject({
      isWhole: true,
      findings: [{ outcome: 'ok', detail: '1 cluster(s): main' }],
    });
  });

  it('has a finding for each key, and keeps what is right beside it', async () => {
    const config = await write(
      'bad.yaml',
      `listen: { port: eighty }
identity: { denyUsers: ['a@B'], userPattern: '(a+)+' }
limits: { hadoopCallTimeout: 7s }
kubernetes: { kubeconfig: relative }
clusters: [{ name: main, hadoopConf: /c, keytab: /k }, { name: bad, hadoopConf: c, keytab: /k }]`,
    );
    const { findings, clusters, sections, limits, isWhole } = await loadConfiguration({ config });
    expect(short(findings)).toEqual([
      'configuration:listen.port failed',
      'configuration:kubernetes.kubeconfig failed',
      'configuration:clusters[1].hadoopConf failed',
      'configuration:identity.denyUsers[0] failed',
      'configuration:identity.userPattern failed',
    ]);
    expect(findings.every(({ fix }) => (fix ?? '') !== '')).toBe(true);
    expect(isWhole).toBe(false);
    expect(clusters.map(({ cluster, index }) => `${index} ${cluster.name}`)).toEqual(['0 main']);
    expect(Object.keys(sections).toSorted()).toEqual([
      'admin',
      'audit',
      'delegationTokens',
      'identity',
      'limits',
    ]);
    expect(limits.hadoopCallTimeoutMs).toBe(7_000);
  });

  it.each([
    ['/nonexistent/x.yaml', /cannot read the configuration file \/nonexistent\/x\.yaml: ENOENT/],
    [undefined, /name at least one cluster/],
  ])('says what is wrong with %s', async (config, detail) => {
    const { findings, clusters, limits } = await loadConfiguration(config === undefined ? {} : { config });
    expect(findings).toMatchObject([{ outcome: 'failed', detail: expect.stringMatching(detail) }]);
    expect(clusters).toEqual([]);
    expect(limits.kerberosStepTimeoutMs).toBe(40_000);
  });
});

describe('the files of identity and audit', () => {
  const identity = (change: object) => ({
    annotation: 'a',
    userPattern: 'x',
    denyUsers: [],
    requireSignature: false,
    stampKeysFile: undefined,
    rulesFile: undefined,
    revocationsFile: undefined,
    revocationsConfigMap: { namespace: undefined, name: 'x' },
    ...change,
  });

  it('warns without rules, and skips revocations that are not configured', async () => {
    const findings = await run(identityFileChecks(identity({}), new FakeClock()).checks);
    expect(short(findings)).toEqual([
      'identity-rules warning',
      'revocations-file skipped',
      'stamp-keys warning',
    ]);
    expect(findings[0]?.fix).toContain('Set identity.rulesFile');
  });

  it('reads them, and denies whom the rules deny from then on', async () => {
    const clock = new FakeClock();
    const rulesFile = await write(
      'rules.yaml',
      'version: 1\nnamespaces: []\notherNamespaces: any\ndenyUsers: [ceo]\n',
    );
    const revocationsFile = await write('revocations.yaml', 'version: 1\nrevocations: []\n');
    const stampKeysFile = await write('keys.json', formatPublicKeys(createPublicKeys([signingKey])));
    const files = identityFileChecks(
      identity({ rulesFile, revocationsFile, requireSignature: true, stampKeysFile }),
      clock,
    );
    expect(files.denyUsers('ceo')).toBeUndefined();
    expect(short(await run(files.checks))).toEqual([
      'identity-rules ok',
      'revocations-file ok',
      'stamp-keys ok',
    ]);
    expect(files.denyUsers('ceo')).toBe('ceo');
    expect(clock.sleeping).toBe(0);
  });

  it('fails without keys of stamps where signatures are required, and warns where they are not', async () => {
    const stampKeysFile = await write('keys.json', formatPublicKeys(createPublicKeys([signingKey])));
    const find = async (change: object) =>
      (await run(identityFileChecks(identity(change), new FakeClock()).checks)).find(
        ({ id }) => id === 'stamp-keys',
      );
    expect(await find({ requireSignature: true })).toMatchObject({
      outcome: 'failed',
      fix: expect.stringContaining('Set identity.stampKeysFile') as unknown,
    });
    expect(await find({ requireSignature: true, stampKeysFile })).toMatchObject({
      outcome: 'ok',
      detail: `1 key(s): ${signingKey.kid}`,
    });
    for (const change of [{}, { stampKeysFile }]) {
      expect(await find(change)).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining('identity.requireSignature is off') as unknown,
      });
    }
  });

  it('says what is wrong with each', async () => {
    const rulesFile = await write(
      'bad-rules.yaml',
      'version: 1\nnamespaces: []\notherNamespaces: any\nunknown: 1\n',
    );
    const files = identityFileChecks(
      identity({ rulesFile, revocationsFile: '/nonexistent/r', stampKeysFile: '/nonexistent/k' }),
      new FakeClock(),
    );
    const findings = await run(files.checks);
    expect(short(findings)).toEqual([
      'identity-rules failed',
      'revocations-file failed',
      'stamp-keys failed',
    ]);
    expect(findings[1]?.detail).toContain('cannot read /nonexistent/r: ENOENT');
    expect(findings[2]?.detail).toContain('cannot read /nonexistent/k: ENOENT');
  });

  it.each([
    ['not configured', undefined, 'skipped'],
    ['there', 'audit.log', 'ok'],
    ['to be made', 'new.log', 'ok'],
    ['in a folder that is not there', 'no/such/audit.log', 'failed'],
    ['a folder', 'folder', 'failed'],
  ])('looks at an audit file that is %s', async (_, name, outcome) => {
    await write('audit.log', '');
    await mkdir(join(folder, 'folder'), { recursive: true });
    const check = auditFileCheck({ file: name === undefined ? undefined : join(folder, name) });
    expect(short(await run([check]))).toEqual([`audit-file ${outcome}`]);
  });
});

describe('clusterFiles', () => {
  const files = (change: object = {}) =>
    clusterFiles(
      {
        name: 'main',
        hadoopConf: hadoopConfDirectory('ha'),
        keytab: '/nonexistent/keytab',
        principal: 'kerbridge@EXAMPLE.COM',
        krb5Conf: '/nonexistent/krb5.conf',
        renewer: undefined,
        allowPlainHttp: true,
        nameservices: undefined,
        tlsCaFile: undefined,
        services: {},
        ...change,
      },
      0,
      lookupInHostsFile,
    );

  it('looks at each, whatever is wrong with the others', async () => {
    const given = files();
    expect(short(await run(given.checks))).toEqual([
      'conf-dir:main ok',
      'hadoop-ca:main skipped',
      'keytab:main failed',
      'krb5-conf:main failed',
    ]);
    expect(given.parts()?.nameservices).toHaveLength(1);
    expect(given.principal()).toEqual({ components: ['kerbridge'], realm: 'EXAMPLE.COM' });
  });

  it('says what is wrong with a conf dir, a CA and a renewer', async () => {
    const findings = await run(files({ hadoopConf: hadoopConfDirectory('hostile/nothing-here') }).checks);
    expect(findings[0]).toMatchObject({
      id: 'conf-dir:main',
      outcome: 'failed',
      detail: expect.stringMatching(/has neither core-site\.xml nor hdfs-site\.xml$/),
      fix: 'Copy them from a Hadoop client or gateway host',
    });
    const others = await run(files({ tlsCaFile: '/nonexistent/ca', renewer: 'a/b@C' }).checks);
    expect(others[0]).toMatchObject({ id: 'conf-dir:main', detail: 'renewer: is not a Hadoop short name' });
    expect(others[1]).toMatchObject({
      id: 'hadoop-ca:main',
      outcome: 'failed',
      detail: expect.stringContaining('ENOENT'),
    });
  });

  it('looks at the CA even when nothing is known of the conf dir', async () => {
    const unanswered = clusterFiles({ ...files().config, tlsCaFile: '/nonexistent/ca' }, 0, () =>
      Promise.reject(new Error('not to be asked')),
    );
    const ca = unanswered.checks.filter(({ id }) => id === 'hadoop-ca:main');
    expect(await run(ca)).toMatchObject([
      { outcome: 'failed', detail: 'cannot read /nonexistent/ca: ENOENT' },
    ]);
    const tlsCaFile = join(import.meta.dirname, '../../../test/fixtures/tls/localhost.crt');
    const good = files({ tlsCaFile, hadoopConf: '/nonexistent' });
    expect(short(await run(good.checks)).slice(0, 2)).toEqual(['conf-dir:main failed', 'hadoop-ca:main ok']);
  });

  it('keeps the endpoints of a nameservice whose labels can not be derived', async () => {
    const given = clusterFiles({ ...files().config, hadoopConf: hadoopConfDirectory('plain') }, 0, () =>
      Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })),
    );
    const [confDir] = await run(given.checks);
    expect(confDir).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('has no IP address (ENOTFOUND)'),
    });
    expect(given.parts()?.nameservices).toMatchObject([{ services: [], endpoints: [{}] }]);
  });
});
