import { describe, expect, it } from '@jest/globals';
import { DEFAULT_ANNOTATION } from '../identity/identify-user.ts';
import { DEFAULT_USER_PATTERN } from '../identity/user-name.ts';
import { formatProblem } from './config-problem.ts';
import { parseServeConfig } from './serve-config.ts';

const cluster = { hadoopConf: '/etc/hadoop/conf', keytab: '/etc/kerbridge/kerbridge.keytab' };
const minimal = { clusters: [cluster] };
const tls = { certFile: '/tls/tls.crt', keyFile: '/tls/tls.key' };

function problemsOf(input: unknown): string[] {
  const result = parseServeConfig(input);
  return result.ok ? [] : result.problems.map(formatProblem);
}

function configOf(input: unknown) {
  const result = parseServeConfig(input);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

describe('parseServeConfig', () => {
  it('fills in the defaults, in milliseconds', () => {
    expect(configOf(minimal)).toEqual({
      listen: { address: '127.0.0.1', port: 8080, tls: undefined, trustedProxies: [] },
      admin: { address: '127.0.0.1', port: 8081 },
      kubernetes: {
        kubeconfig: undefined,
        context: undefined,
        audience: 'kerbridge',
        adminAudience: 'kerbridge-admin',
        issuers: [],
        maxTokenLifetimeMs: 3_600_000,
        podSelector: undefined,
        checkSourceAddress: true,
      },
      identity: {
        annotation: DEFAULT_ANNOTATION,
        userPattern: DEFAULT_USER_PATTERN,
        denyUsers: [],
        requireSignature: true,
        stampKeysFile: undefined,
        rulesFile: undefined,
        revocationsFile: undefined,
        revocationsConfigMap: { namespace: undefined, name: 'kerbridge-revocations' },
      },
      audit: { file: undefined },
      clusters: [
        {
          ...cluster,
          name: 'default',
          principal: undefined,
          krb5Conf: undefined,
          renewer: undefined,
          allowPlainHttp: false,
          nameservices: undefined,
          tlsCaFile: undefined,
          services: {},
        },
      ],
      delegationTokens: {
        store: 'kubernetes',
        storeNamespace: undefined,
        idleMs: 600_000,
        proofOfLifeMs: 600_000,
        stalenessMs: 30_000,
        sharing: [],
      },
      limits: {
        hadoopCallTimeoutMs: 20_000,
        kerberosStepTimeoutMs: 40_000,
        kubernetesCallTimeoutMs: 10_000,
        requestsPerNamespace: 1_000,
        tokensPerNamespace: 1_000,
        tokens: 200_000,
      },
      logLevel: 'info',
      shutdownDrainPeriodMs: 5_000,
      shutdownGracePeriodMs: 20_000,
    });
  });

  it('is frozen all the way down', () => {
    const config = configOf(minimal);
    for (const part of [
      config,
      config.listen,
      config.listen.trustedProxies,
      config.identity.revocationsConfigMap,
      config.clusters,
      config.clusters[0],
      config.clusters[0].services,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it.each([
    ['loopback in plain HTTP', { listen: { address: '::1' } }],
    ['elsewhere, when said to be meant', { listen: { address: '0.0.0.0', allowPlainHttp: true } }],
    ['elsewhere, with a certificate', { listen: { address: '0.0.0.0', tls } }],
    ['TLS on loopback', { listen: { tls } }],
    ['proxies', { listen: { trustedProxies: ['10.0.0.7', '192.0.2.0/24', 'fd00::/8'] } }],
    ['the admin port on the address of the pod', { admin: { address: '10.0.0.1' } }],
    ['tokens of a whole day', { kubernetes: { maxTokenLifetime: '24h' } }],
    ['any free port twice', { listen: { port: 0 }, admin: { port: 0 } }],
    ['several clusters of different names', { clusters: [cluster, { ...cluster, name: 'b' }] }],
  ])('takes %s', (_name, input) => {
    expect(problemsOf({ ...minimal, ...input })).toEqual([]);
  });

  it.each<[string, unknown, RegExp]>([
    ['no cluster', {}, /^clusters: name at least one cluster/],
    ['an empty list of clusters', { clusters: [] }, /^clusters: name at least one cluster/],
    ['no mapping', [], /expected object/],
    ['an unknown key', { ...minimal, colour: 1 }, /^colour: unknown key/],
    ['an unknown key below', { ...minimal, listen: { prt: 1 } }, /^listen\.prt: unknown key/],
    [
      'an unknown key of a cluster',
      { clusters: [{ ...cluster, kdc: 1 }] },
      /^clusters\[0\]\.kdc: unknown key/,
    ],
    [
      'plain HTTP on all addresses',
      { ...minimal, listen: { address: '0.0.0.0' } },
      /listen\.allowPlainHttp: true/,
    ],
    [
      'plain HTTP on one address',
      { ...minimal, listen: { address: '10.0.0.1' } },
      /^listen\.address: .*loopback/,
    ],
    [
      'plain HTTP and TLS',
      { ...minimal, listen: { address: '0.0.0.0', allowPlainHttp: true, tls } },
      /^listen\.allowPlainHttp: has no meaning with listen\.tls/,
    ],
    [
      'a certificate without its key',
      { ...minimal, listen: { tls: { certFile: '/tls.crt' } } },
      /^listen\.tls\.keyFile: is required/,
    ],
    [
      'a relative certificate',
      { ...minimal, listen: { tls: { ...tls, certFile: 'tls.crt' } } },
      /^listen\.tls\.certFile: must be an absolute path/,
    ],
    [
      'an unknown key of TLS',
      { ...minimal, listen: { tls: { ...tls, passphrase: 'x' } } },
      /^listen\.tls\.passphrase: unknown key/,
    ],
    [
      'a proxy by name',
      { ...minimal, listen: { trustedProxies: ['10.0.0.7', 'proxy.example'] } },
      /^listen\.trustedProxies\[1\]: must be an IP address or a range in CIDR notation/,
    ],
    [
      'mapped proxies',
      { ...minimal, listen: { trustedProxies: ['::ffff:10.0.0.0/104'] } },
      /^listen\.trustedProxies\[0\]: .*IPv4 in dotted form/,
    ],
    [
      'everybody as a proxy',
      { ...minimal, listen: { trustedProxies: ['0.0.0.0/0'] } },
      /^listen\.trustedProxies\[0\]: is everybody/,
    ],
    [
      'everybody of IPv6 as a proxy',
      { ...minimal, listen: { trustedProxies: ['::/0'] } },
      /^listen\.trustedProxies\[0\]: is everybody/,
    ],
    [
      'the admin port on all addresses',
      { ...minimal, admin: { address: '0.0.0.0' } },
      /^admin\.address: is every address.*--admin-listen/,
    ],
    [
      'the admin port on all addresses of IPv6',
      { ...minimal, admin: { address: '::' } },
      /^admin\.address: is every address/,
    ],
    [
      'one audience for pods and operators',
      { ...minimal, kubernetes: { audience: 'a', adminAudience: 'a' } },
      /^kubernetes\.adminAudience: is the same as kubernetes\.audience/,
    ],
    [
      'the audience of operators for pods',
      { ...minimal, kubernetes: { audience: 'kerbridge-admin' } },
      /^kubernetes\.adminAudience: is the same as kubernetes\.audience/,
    ],
    [
      'an empty issuer',
      { ...minimal, kubernetes: { issuers: [''] } },
      /^kubernetes\.issuers\[0\]: must not be empty/,
    ],
    [
      'tokens that live for longer than a day',
      { ...minimal, kubernetes: { maxTokenLifetime: '25h' } },
      /^kubernetes\.maxTokenLifetime: must be at most 24h/,
    ],
    [
      'an empty selector',
      { ...minimal, kubernetes: { podSelector: '' } },
      /^kubernetes\.podSelector: must not be empty/,
    ],
    [
      'a switch that is neither on nor off',
      { ...minimal, kubernetes: { checkSourceAddress: 'no' } },
      /^kubernetes\.checkSourceAddress: expected boolean/,
    ],
    [
      'a relative file of rules',
      { ...minimal, identity: { rulesFile: 'rules.yaml' } },
      /^identity\.rulesFile: must be an absolute path/,
    ],
    [
      'a relative file of revocations',
      { ...minimal, identity: { stampKeysFile: 'keys.json' } },
      /^identity\.stampKeysFile: must be an absolute path/,
    ],
    [
      'a switch that is no boolean',
      { ...minimal, identity: { requireSignature: 'no' } },
      /^identity\.requireSignature/,
    ],
    [
      'a relative path of revocations',
      { ...minimal, identity: { revocationsFile: 'revocations.yaml' } },
      /^identity\.revocationsFile: must be an absolute path/,
    ],
    [
      'a ConfigMap that can have no such name',
      { ...minimal, identity: { revocationsConfigMap: { name: 'A_b' } } },
      /^identity\.revocationsConfigMap\.name: must be a name of Kubernetes/,
    ],
    [
      'a namespace that can have no such name',
      { ...minimal, identity: { revocationsConfigMap: { namespace: 'a.b' } } },
      /^identity\.revocationsConfigMap\.namespace: must be 1 to 63/,
    ],
    ['a relative audit file', { ...minimal, audit: { file: 'audit.log' } }, /^audit\.file: must be an abs/],
    [
      'a store that there is not',
      { ...minimal, delegationTokens: { store: 'redis' } },
      /^delegationTokens\.store: /,
    ],
    [
      'a staleness bound that nothing can keep',
      { ...minimal, delegationTokens: { stalenessBound: '1s' } },
      /^delegationTokens\.stalenessBound: must be at least 5s/,
    ],
    [
      'sharing by what is no scope',
      { ...minimal, delegationTokens: { sharing: [{ scope: 'cluster' }] } },
      /^delegationTokens\.sharing\[0\]\.scope: /,
    ],
    [
      'sharing by users that are none',
      { ...minimal, delegationTokens: { sharing: [{ users: ['alice@REALM'] }] } },
      /^delegationTokens\.sharing\[0\]\.users\[0\]: must be a short user name/,
    ],
    [
      'sharing by namespaces that are none',
      { ...minimal, delegationTokens: { sharing: [{ namespaces: ['a.b'] }] } },
      /^delegationTokens\.sharing\[0\]\.namespaces\[0\]: must be the name of a namespace/,
    ],
    [
      'no tokens for a namespace',
      { ...minimal, limits: { tokensPerNamespace: 0 } },
      /^limits\.tokensPerNamespace: /,
    ],
    [
      'no requests for a namespace',
      { ...minimal, limits: { requestsPerNamespace: 0 } },
      /^limits\.requestsPerNamespace: /,
    ],
    [
      'more requests for a namespace than for all',
      { ...minimal, limits: { requestsPerNamespace: 6_001 } },
      /^limits\.requestsPerNamespace: /,
    ],
    [
      'a host name to listen on',
      { ...minimal, listen: { address: 'example.com' } },
      /^listen\.address: must be an IP/,
    ],
    ['a port as text', { ...minimal, listen: { port: '8080' } }, /^listen\.port: expected/],
    ['a port out of range', { ...minimal, admin: { port: 65_536 } }, /^admin\.port/],
    ['a port in halves', { ...minimal, admin: { port: 80.5 } }, /^admin\.port/],
    ['one port for both', { ...minimal, admin: { port: 8080 } }, /^admin\.port: is the same as listen\.port/],
    ['a context without a kubeconfig', { ...minimal, kubernetes: { context: 'x' } }, /^kubernetes\.context/],
    [
      'an empty audience',
      { ...minimal, kubernetes: { audience: '' } },
      /^kubernetes\.audience: must not be empty/,
    ],
    ['an empty annotation', { ...minimal, identity: { annotation: '' } }, /^identity\.annotation/],
    [
      'a broken pattern',
      { ...minimal, identity: { userPattern: '(' } },
      /^identity\.userPattern: is not a regular/,
    ],
    ['an empty denied user', { ...minimal, identity: { denyUsers: [' '] } }, /^identity\.denyUsers\[0\]/],
    [
      'a cluster without a keytab',
      { clusters: [{ hadoopConf: '/c' }] },
      /^clusters\[0\]\.keytab: is required/,
    ],
    [
      'a relative path',
      { clusters: [{ ...cluster, keytab: 'a.keytab' }] },
      /^clusters\[0\]\.keytab: must be an abs/,
    ],
    ['a cluster name with a slash', { clusters: [{ ...cluster, name: 'a/b' }] }, /^clusters\[0\]\.name/],
    ['one name twice', { clusters: [cluster, cluster] }, /^clusters\[1\]\.name: .*clusters\[0\]/],
    ['no nameservices', { clusters: [{ ...cluster, nameservices: [] }] }, /^clusters\[0\]\.nameservices/],
    [
      'no service label',
      { clusters: [{ ...cluster, services: { ns: [] } }] },
      /^clusters\[0\]\.services\.ns/,
    ],
    [
      'a duration without unit',
      { ...minimal, shutdownGracePeriod: 30 },
      /^shutdownGracePeriod: .*with its unit/,
    ],
    [
      'a duration as a bare text',
      { ...minimal, limits: { hadoopCallTimeout: '20' } },
      /^limits\.hadoopCallTimeout: /,
    ],
    ['an unknown level', { ...minimal, log: { level: 'loud' } }, /^log\.level: .*"debug"/],
  ])('refuses %s', (_name, input, expected) => {
    expect(problemsOf(input)).toEqual([expect.stringMatching(expected)]);
  });

  it('names every problem at once, those between keys too', () => {
    const problems = problemsOf({
      listen: { address: '0.0.0.0', port: 8081 },
      clusters: [cluster, { ...cluster, keytab: 1 }],
      limits: { hadoopCallTimeout: 20 },
      nonsense: true,
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(
      expect.arrayContaining([
        'listen.address',
        'clusters[1].keytab',
        'clusters[1].name',
        'limits.hadoopCallTimeout',
        'nonsense',
      ]),
    );
  });

  it('hands out the clusters that are right beside one that is wrong', () => {
    const result = parseServeConfig({ clusters: [{ name: 'wrong' }, { ...cluster, name: 'right' }] });
    expect(result.ok ? [] : result.clusters.map(({ index, cluster: { name } }) => [index, name])).toEqual([
      [1, 'right'],
    ]);
  });

  it('repeats no value: somebody will paste a secret into the wrong key', () => {
    const secret = 'hunter2 hunter2';
    const problems = problemsOf({
      clusters: [{ hadoopConf: secret, keytab: secret, name: secret, allowPlainHttp: secret }],
      log: { level: secret },
      listen: {
        address: secret,
        port: secret,
        trustedProxies: [secret],
        tls: { certFile: secret, keyFile: secret },
      },
      kubernetes: { maxTokenLifetime: secret, checkSourceAddress: secret },
      identity: { rulesFile: secret, revocationsConfigMap: { namespace: secret, name: secret } },
      audit: { file: secret },
      admin: { address: secret },
      shutdownGracePeriod: secret,
    });
    expect(problems.length).toBeGreaterThanOrEqual(17);
    expect(problems.join('\n')).not.toContain('hunter2');
  });
});
