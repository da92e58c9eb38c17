import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signingKey } from '../../../test/fixtures/stamps/keys.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { ConfigError, formatProblem } from '../../config/config-problem.ts';
import { signPodStamp } from '../../identity/stamps/pod-stamp.ts';
import { createPublicKeys, formatPublicKeys } from '../../identity/stamps/stamp-keys.ts';
import { describePlan, planServe } from './plan-serve.ts';

const lookup = (host: string) =>
  host.endsWith('.example') ? Promise.resolve(['10.0.0.7']) : Promise.reject(new Error('ENOTFOUND'));

let folder = '';
const at = (name: string) => join(folder, name);

/** MIT's format 0x0502, one key of zeroes for each principal. */
function keytab(...principals: readonly (readonly [name: string, realm: string])[]): Buffer {
  const counted = (text: string) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([Buffer.from([0, bytes.length]), bytes]);
  };
  const entries = principals.map(([name, realm]) => {
    const components = name.split('/');
    const tail = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 18, 0, 2, 0, 0]);
    const body = Buffer.concat([
      Buffer.from([0, components.length]),
      counted(realm),
      ...components.map(counted),
      tail,
    ]);
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length);
    return Buffer.concat([length, body]);
  });
  return Buffer.concat([Buffer.from([5, 2]), ...entries]);
}

/** `dfs.…` in hdfs-site.xml: in core-site.xml hdfs-default.xml would win over it. */
async function hadoopConf(name: string, properties: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(at(name));
  for (const file of ['core-site.xml', 'hdfs-site.xml']) {
    const xml = Object.entries(properties)
      .filter(([key]) => key.startsWith('dfs.') === (file === 'hdfs-site.xml'))
      .map(([key, value]) => `<property><name>${key}</name><value>${value}</value></property>`);
    await writeFile(join(at(name), file), `<configuration>${xml.join('')}</configuration>`);
  }
}

const KERBEROS = { 'hadoop.security.authentication': 'kerberos', 'dfs.http.policy': 'HTTPS_ONLY' };
const ONE = {
  ...KERBEROS,
  'fs.defaultFS': 'hdfs://nn.example:8020',
  'dfs.namenode.https-address': 'nn.example:9871',
  'dfs.namenode.kerberos.principal': 'nn/_HOST@R',
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-plan-'));
  await writeFile(at('keytab'), keytab(['kerbridge/gw.example', 'R'], ['other', 'R']));
  await writeFile(at('no-keytab'), 'hello');
  await writeFile(at('krb5.conf'), '');
  await hadoopConf('conf', ONE);
  await hadoopConf('http', {
    ...ONE,
    'dfs.http.policy': 'HTTP_ONLY',
    'dfs.namenode.http-address': 'nn.example:9870',
  });
  await hadoopConf('simple', { ...ONE, 'hadoop.security.authentication': 'simple' });
  await mkdir(at('empty'));
  await writeFile(
    at('kubeconfig'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [{ name: 'k', cluster: { server: 'https://api.example:6443' } }],
      users: [{ name: 'u', user: { token: 'hunter2' } }],
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    }),
  );
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function plan(
  cluster: Readonly<Record<string, unknown>>,
  rest: Readonly<Record<string, unknown>> = {},
) {
  const config = {
    kubernetes: { kubeconfig: at('kubeconfig') },
    clusters: [{ hadoopConf: at('conf'), keytab: at('keytab'), ...cluster }],
    ...rest,
  };
  await writeFile(at('kerbridge.yaml'), JSON.stringify(config));
  const planned = await planServe({ config: at('kerbridge.yaml') }, lookup, new FakeClock());
  planned.kubernetes.close();
  planned.files.stop();
  return planned;
}

async function problems(...args: Parameters<typeof plan>): Promise<string[]> {
  try {
    await plan(...args);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(formatProblem);
  }
}

describe('planServe', () => {
  it('derives principal, renewer, endpoints and service labels', async () => {
    const { clusters } = await plan({});
    expect(clusters).toEqual([
      expect.objectContaining({
        principal: 'kerbridge/gw.example@R',
        shortName: 'kerbridge',
        renewer: 'kerbridge',
        ca: undefined,
        nameservices: [
          {
            name: 'nn.example:8020',
            endpoints: [
              {
                nameNodeId: 'nn.example:8020',
                baseUrl: 'https://nn.example:9871/webhdfs/v1',
                spnHost: 'nn.example',
              },
            ],
            services: ['10.0.0.7:8020', 'nn.example:8020'],
          },
        ],
      }),
    ]);
  });

  it('lets no pod be us, the renewer, a daemon or a proxy user of the conf dir [deny-list]', async () => {
    await hadoopConf('services', {
      ...ONE,
      'dfs.namenode.kerberos.principal': 'superuser1/_HOST@R',
      'hadoop.proxyuser.gateway.hosts': '*',
    });
    const yarn =
      '<property><name>yarn.resourcemanager.principal</name><value>hdprm/_HOST@R</value></property>';
    await writeFile(join(at('services'), 'yarn-site.xml'), `<configuration>${yarn}</configuration>`);
    const { createIdentifier } = await plan(
      { hadoopConf: at('services'), renewer: 'bridge2' },
      { identity: { denyUsers: ['svc-*'], requireSignature: false } },
    );
    const identifyUser = createIdentifier(() => ({ known: true, revocations: [] }));
    const as = (user: string) =>
      identifyUser(
        { namespace: 'n', name: 'p', uid: 'u', createdAt: 0, annotations: { 'iddecorator.username': user } },
        undefined,
      );
    for (const user of [
      'kerbridge',
      'bridge2',
      'superuser1',
      'SuperUser1',
      'gateway',
      'hdprm',
      'hdfs',
      'svc-x',
    ]) {
      expect(as(user)).toMatchObject({ outcome: 'refused', reason: 'user-denied' });
    }
    expect(as('alice')).toEqual({ outcome: 'identified', stampedUser: 'alice', user: 'alice' });
  });

  it('believes a stamp by the keys of the file, and nobody without one [stamp-signed] [stamp-believed]', async () => {
    await writeFile(at('keys.json'), formatPublicKeys(createPublicKeys([signingKey])));
    const { createIdentifier } = await plan({}, { identity: { stampKeysFile: at('keys.json') } });
    const identifyUser = createIdentifier(() => ({ known: true, revocations: [] }));
    const pod = { namespace: 'n', name: 'p', uid: 'u', createdAt: 0 };
    const stamp = signPodStamp(
      { namespace: 'n', podName: 'p', user: 'alice', requester: 'alice', issuedAtSeconds: 0 },
      signingKey,
    );
    const named = { 'iddecorator.username': 'alice' };
    expect(
      identifyUser({ ...pod, annotations: { ...named, 'kerbridge.dev/stamp': stamp } }, undefined),
    ).toEqual({ outcome: 'identified', stampedUser: 'alice', user: 'alice', requester: 'alice' });
    expect(identifyUser({ ...pod, annotations: named }, undefined)).toMatchObject({
      outcome: 'refused',
      reason: 'stamp-unsigned',
    });
  });

  it('can check nobody by default without keys, and says so to whoever checks the configuration [stamp-keys-known] [stamp-believed]', async () => {
    const planned = await plan({});
    const identifyUser = planned.createIdentifier(() => ({ known: true, revocations: [] }));
    const pod = { namespace: 'n', name: 'p', uid: 'u', createdAt: 0 };
    expect(
      identifyUser({ ...pod, annotations: { 'iddecorator.username': 'alice' } }, undefined),
    ).toMatchObject({ outcome: 'could-not-check', dependency: 'stamp-keys' });
    expect(describePlan(planned)).toContainEqual(
      expect.stringContaining('warning: identity.stampKeysFile is not set'),
    );
  });

  it('takes what is configured instead', async () => {
    const { clusters } = await plan({
      principal: 'other@R',
      renewer: 'renewer',
      krb5Conf: at('krb5.conf'),
      nameservices: ['nn.example:8020'],
      services: { 'nn.example:8020': ['vip.example:8020'] },
    });
    expect(clusters[0]).toMatchObject({ principal: 'other@R', shortName: 'other', renewer: 'renewer' });
    expect(clusters[0]?.nameservices[0]?.services).toEqual(['vip.example:8020']);
  });

  it('is described for a person, without secrets', async () => {
    const lines = describePlan(await plan({}));
    expect(lines[0]).toBe('configuration ok');
    const text = lines.join('\n');
    for (const fact of [
      'kerbridge/gw.example@R',
      'https://nn.example:9871',
      '10.0.0.7:8020',
      'https://api.example:6443',
    ]) {
      expect(text).toContain(fact);
    }
    expect(text).not.toContain('hunter2');
  });

  it.each<[string, () => Record<string, unknown>, RegExp]>([
    [
      'a conf dir that is not there',
      () => ({ hadoopConf: at('nowhere') }),
      /^clusters\[0\]\.hadoopConf: .*nowhere/,
    ],
    [
      'a conf dir without a site file',
      () => ({ hadoopConf: at('empty') }),
      /hadoopConf: .*neither core-site/,
    ],
    [
      'a Hadoop without Kerberos',
      () => ({ hadoopConf: at('simple') }),
      /hadoopConf: .*only a kerberized Hadoop/,
    ],
    [
      'plain HTTP that is not allowed',
      () => ({ hadoopConf: at('http') }),
      /hadoopConf: .*allowPlainHttp: true/,
    ],
    [
      'a keytab that is not there',
      () => ({ keytab: at('nowhere') }),
      /^clusters\[0\]\.keytab: there is no keytab/,
    ],
    ['a file that is no keytab', () => ({ keytab: at('no-keytab') }), /^clusters\[0\]\.keytab: .*05 02/],
    [
      'a principal of another keytab',
      () => ({ principal: 'x@R' }),
      /principal: x@R is not in the keytab, which has/,
    ],
    [
      'a principal that is none',
      () => ({ principal: 'a@b@c' }),
      /^clusters\[0\]\.principal: the principal has more/,
    ],
    [
      'a principal without realm',
      () => ({ principal: 'other' }),
      /^clusters\[0\]\.principal: other is not in/,
    ],
    [
      'a renewer with a realm',
      () => ({ renewer: 'a@R' }),
      /^clusters\[0\]\.renewer: is not a Hadoop short name/,
    ],
    [
      'a krb5.conf that is not there',
      () => ({ krb5Conf: at('nowhere') }),
      /^clusters\[0\]\.krb5Conf: there is no/,
    ],
    [
      'authorities that are not there',
      () => ({ tlsCaFile: at('nowhere') }),
      /tlsCaFile: cannot read .*ENOENT/,
    ],
    ['authorities that are none', () => ({ tlsCaFile: at('krb5.conf') }), /tlsCaFile: .*no certificate/],
    [
      'an unknown nameservice',
      () => ({ nameservices: ['nn.example:8020', 'x'] }),
      /nameservices: there is no x in/,
    ],
    ['labels of an unknown nameservice', () => ({ services: { x: ['a:1'] } }), /services: there is no x in/],
    [
      'a bad label',
      () => ({ services: { 'nn.example:8020': ['a b'] } }),
      /hadoopConf: the configured services/,
    ],
  ])('refuses %s', async (_name, cluster, message) => {
    expect(await problems(cluster())).toEqual([expect.stringMatching(message)]);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['a denied principal', { denyUsers: ['ok', 'svc@R'] }, /^identity\.denyUsers\[1\]: .*without realm/],
    ['a denied regular expression', { denyUsers: ['svc-.*'] }, /^identity\.denyUsers\[0\]: .*not regular/],
    ['a pattern without end', { userPattern: '([a-z0-9]+[._-]?)+' }, /^identity\.userPattern: .*too long/],
  ])('refuses %s, without its text', async (_name, identity, message) => {
    const found = await problems({}, { identity });
    expect(found).toEqual([expect.stringMatching(message)]);
    expect(found.join()).not.toMatch(/svc|\[a-z0-9\]/);
  });

  it('names the problems of the file and of what it names together', async () => {
    const found = await problems(
      { hadoopConf: at('nowhere'), keytab: at('no-keytab'), renewer: 'a@R' },
      { limits: { hadoopCallTimeout: 20 } },
    );
    expect(found.map((problem) => problem.split(':')[0])).toEqual(
      expect.arrayContaining([
        'limits.hadoopCallTimeout',
        'clusters[0].hadoopConf',
        'clusters[0].keytab',
        'clusters[0].renewer',
      ]),
    );
  });

  it('says when there is no way to Kubernetes', async () => {
    expect(await problems({}, { kubernetes: { kubeconfig: at('krb5.conf') } })).toEqual([
      expect.stringMatching(/^kubernetes: /),
    ]);
  });
});
