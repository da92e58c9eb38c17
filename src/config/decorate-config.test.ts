import { describe, expect, it } from '@jest/globals';
import { ConfigurationPage } from '../../test/docs/configuration-page.ts';
import { DEFAULT_ANNOTATION } from '../identity/identify-user.ts';
import { DEFAULT_USER_PATTERN } from '../identity/user-name.ts';
import { formatProblem } from './config-problem.ts';
import { parseDecorateConfig } from './decorate-config.ts';

const files = { certFile: '/tls/tls.crt', keyFile: '/tls/tls.key' };
const minimal = { tls: { files }, signing: { keysFile: '/keys.json' } };

function problemsOf(input: unknown): string[] {
  const result = parseDecorateConfig(input);
  return result.ok ? [] : result.problems.map(formatProblem);
}

function configOf(input: unknown) {
  const result = parseDecorateConfig(input);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

const places = [{ annotations: '/spec/template/metadata/annotations', content: '/spec/template/spec' }];
const resource = (changes: object) => ({
  ...minimal,
  templates: { customResources: [{ resource: 'tfjobs.kubeflow.org', places, ...changes }] },
});
const placed = (annotations: string) => resource({ places: [{ annotations, content: '/a' }] });

describe('parseDecorateConfig', () => {
  it('fills in the defaults, in milliseconds', () => {
    expect(configOf(minimal)).toEqual({
      listen: { address: '0.0.0.0', port: 8443 },
      admin: { address: '127.0.0.1', port: 8081 },
      tls: { mode: 'files', ...files, clients: undefined },
      kubernetes: { kubeconfig: undefined, context: undefined },
      optIn: { label: 'iddecorator', value: 'enabled' },
      identity: {
        annotation: DEFAULT_ANNOTATION,
        userPattern: DEFAULT_USER_PATTERN,
        denyUsers: [],
        rulesFile: undefined,
      },
      requestersFile: undefined,
      signing: { from: 'file', keysFile: '/keys.json' },
      templates: { customResources: [], kube2hadoopPathsFile: undefined },
      guard: { connect: true, images: true, ephemeralContainers: true },
      injection: undefined,
      audit: { file: undefined },
      auditOnly: false,
      limits: { kubernetesCallTimeoutMs: 3_000, reviews: 600 },
      logLevel: 'info',
      shutdownDrainPeriodMs: 5_000,
      shutdownGracePeriodMs: 20_000,
    });
  });

  const fetcher = { image: 'kerbridge-fetch:1', url: 'https://kerbridge.kerbridge:8443' };
  const injecting = (changes: object) => ({ ...minimal, injection: { ...fetcher, ...changes } });

  it('injects what an image and a URL say, and needs no more', () => {
    expect(configOf(injecting({})).injection).toEqual({
      ...fetcher,
      program: 'fetch-credentials.sh',
      audience: 'kerbridge',
      cluster: undefined,
      authority: undefined,
      hadoopConf: undefined,
      group: 60_832,
      resources: { cpu: '20m', memory: '32Mi', cpuLimit: undefined },
    });
    expect(configOf(injecting({ program: 'kerbridge' })).injection?.resources).toEqual({
      cpu: '50m',
      memory: '128Mi',
      cpuLimit: undefined,
    });
    const given = {
      authority: { configMap: 'ca' },
      hadoopConf: { configMap: 'conf' },
      resources: { cpu: '1' },
    };
    expect(configOf(injecting(given)).injection).toMatchObject({
      authority: { configMap: 'ca', key: 'ca.crt' },
      hadoopConf: { configMap: 'conf', krb5Conf: false },
      resources: { cpu: '1', memory: '32Mi' },
    });
  });

  it.each<[string, object, RegExp]>([
    ['no image', { image: undefined }, /^injection\.image: is required$/],
    ['no URL', { url: undefined }, /^injection\.url: is required$/],
    ['an image with a blank', { image: 'a b' }, /^injection\.image: must be the name of an image/],
    ['an empty image', { image: '' }, /^injection\.image: must be the name of an image/],
    ['a URL without a scheme', { url: 'kerbridge:8443' }, /^injection\.url: must be http\(s\)/],
    ['a URL of another scheme', { url: 'ftp://kerbridge' }, /^injection\.url: must be http/],
    ['a URL with a password', { url: 'https://u:p@kerbridge' }, /^injection\.url: must be http/],
    ['a URL with a query', { url: 'https://kerbridge/?a=b' }, /^injection\.url: must be http/],
    ['a URL with a fragment', { url: 'https://kerbridge/#a' }, /^injection\.url: must be http/],
    ['a URL that would be expanded', { url: 'https://$(A)/' }, /^injection\.url: must be http/],
    ['another program', { program: 'curl' }, /^injection\.program: expected one of/],
    ['a cluster in capitals', { cluster: 'A' }, /^injection\.cluster: must be 1 to 63/],
    ['an authority without a ConfigMap', { authority: {} }, /^injection\.authority\.configMap: is required$/],
    [
      'a key with a slash',
      { authority: { configMap: 'a', key: 'a/b' } },
      /^injection\.authority\.key: must be/,
    ],
    [
      'a ConfigMap that is no name',
      { hadoopConf: { configMap: 'A' } },
      /^injection\.hadoopConf\.configMap: must/,
    ],
    ['the group of root', { group: 0 }, /^injection\.group: /],
    [
      'memory without bounds',
      { resources: { memory: '-1' } },
      /^injection\.resources\.memory: must be a quantity/,
    ],
    ['no memory', { resources: { memory: '0Mi' } }, /^injection\.resources\.memory: must be a quantity/],
    [
      'a unit that is none',
      { resources: { cpu: '1 core' } },
      /^injection\.resources\.cpu: must be a quantity/,
    ],
  ])('refuses to inject with %s', (_, changes, problem) => {
    const problems = problemsOf(injecting(changes));
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems.join()).not.toContain('u:p');
  });

  it('takes an authority of our own, and keys of a Secret', () => {
    const config = configOf({
      tls: { ownCa: { dnsNames: ['d.k.svc'] }, clients: { caFile: '/ca.crt', names: ['api'] } },
      signing: { secret: { name: 'keys' } },
    });
    expect(config.tls).toEqual({
      mode: 'own-ca',
      secret: { namespace: undefined, name: 'kerbridge-decorate-tls' },
      dnsNames: ['d.k.svc'],
      mutatingWebhookConfiguration: 'kerbridge-decorate',
      validatingWebhookConfiguration: 'kerbridge-decorate',
      clients: { caFile: '/ca.crt', names: ['api'] },
    });
    expect(config.signing).toEqual({ from: 'secret', secret: { namespace: undefined, name: 'keys' } });
  });

  it.each<[string, unknown, RegExp]>([
    [
      'no tls',
      { signing: minimal.signing },
      /^tls: is required: the API server calls webhooks by HTTPS only$/,
    ],
    ['tls of nothing', { ...minimal, tls: {} }, /^tls: must have either files .* or ownCa$/],
    ['tls of both', { ...minimal, tls: { files, ownCa: { dnsNames: ['a'] } } }, /^tls: must have either/],
    [
      'half of the files',
      { ...minimal, tls: { files: { certFile: '/a' } } },
      /^tls\.files\.keyFile: is required$/,
    ],
    [
      'a relative path',
      { ...minimal, tls: { files: { ...files, certFile: 'a' } } },
      /^tls\.files\.certFile: must be an absolute path$/,
    ],
    [
      'no DNS names',
      { ...minimal, tls: { ownCa: { dnsNames: [] } } },
      /^tls\.ownCa\.dnsNames: must not be empty: name the Service/,
    ],
    ['DNS names left out', { ...minimal, tls: { ownCa: {} } }, /^tls\.ownCa\.dnsNames: is required$/],
    [
      'a DNS name that is none',
      { ...minimal, tls: { ownCa: { dnsNames: ['https://x'] } } },
      /^tls\.ownCa\.dnsNames\[0\]: must be a name/,
    ],
    [
      'clients without names',
      { ...minimal, tls: { files, clients: { caFile: '/a', names: [] } } },
      /^tls\.clients\.names: must not be empty/,
    ],
    ['no signing', { tls: minimal.tls }, /^signing: is required: name the keys/],
    ['signing by nothing', { ...minimal, signing: {} }, /^signing: must have either keysFile or secret$/],
    [
      'signing by both',
      { ...minimal, signing: { keysFile: '/a', secret: { name: 'a' } } },
      /^signing: must have either/,
    ],
    [
      'a key in the file itself',
      { ...minimal, signing: { keysFile: '/keys.json', keys: [] } },
      /^signing\.keys: unknown key/,
    ],
    [
      'a Secret in capitals',
      { ...minimal, signing: { secret: { name: 'A' } } },
      /^signing\.secret\.name: must be a name of Kubernetes/,
    ],
    ['plain HTTP', { ...minimal, listen: { allowPlainHttp: true } }, /^listen\.allowPlainHttp: unknown key/],
    [
      'a host name to listen on',
      { ...minimal, listen: { address: 'example.com' } },
      /^listen\.address: must be an IP address/,
    ],
    [
      'the admin port for all',
      { ...minimal, admin: { address: '0.0.0.0' } },
      /^admin\.address: is every address/,
    ],
    [
      'one port for both',
      { ...minimal, listen: { port: 8081 } },
      /^admin\.port: is the same as listen\.port/,
    ],
    [
      'a context without kubeconfig',
      { ...minimal, kubernetes: { context: 'a' } },
      /^kubernetes\.context: has a meaning only/,
    ],
    [
      'a label of ours',
      { ...minimal, optIn: { label: 'kerbridge.dev/stamped' } },
      /^optIn\.label: must not begin with kerbridge\.dev\//,
    ],
    ['a label that is no key', { ...minimal, optIn: { label: 'a b' } }, /^optIn\.label: must be a key/],
    [
      'a label value that is none',
      { ...minimal, optIn: { value: '' } },
      /^optIn\.value: must be the value of a label/,
    ],
    [
      'the stamp as annotation',
      { ...minimal, identity: { annotation: 'kerbridge.dev/stamp' } },
      /^identity\.annotation: must not begin/,
    ],
    [
      'an annotation of two domains',
      { ...minimal, identity: { annotation: 'a/b/c' } },
      /^identity\.annotation: must be a key/,
    ],
    [
      'an annotation too long',
      { ...minimal, identity: { annotation: 'a'.repeat(64) } },
      /^identity\.annotation: must be a key/,
    ],
    [
      'a pattern that is none',
      { ...minimal, identity: { userPattern: '(' } },
      /^identity\.userPattern: is not a regular expression/,
    ],
    [
      'revocations, which are of serve',
      { ...minimal, identity: { revocationsFile: '/a' } },
      /^identity\.revocationsFile: unknown key/,
    ],
    ['requesters in the file itself', { ...minimal, requesters: {} }, /^requesters: unknown key/],
    [
      'a relative requesters file',
      { ...minimal, requestersFile: 'a' },
      /^requestersFile: must be an absolute path/,
    ],
    [
      'a kind for a resource',
      resource({ resource: 'kubeflow.org/v1/TFJob' }),
      /^templates\.customResources\[0\]\.resource: must be the plural of a resource and its group/,
    ],
    [
      'a resource without places',
      resource({ places: [] }),
      /^templates\.customResources\[0\]\.places: must not be empty/,
    ],
    ['half a place', resource({ places: [{ content: '/a' }] }), /\.places\[0\]\.annotations: is required$/],
    [
      'a place without a slash',
      placed('spec/template'),
      /\.places\[0\]\.annotations: must be a JSON pointer such as/,
    ],
    [
      'a place with an empty part',
      placed('/spec//a'),
      /\.places\[0\]\.annotations: must be a JSON pointer such as/,
    ],
    [
      'a place that ends in a slash',
      placed('/spec/'),
      /\.places\[0\]\.annotations: must be a JSON pointer such as/,
    ],
    [
      'a JSONPath',
      placed('$..metadata.annotations'),
      /\.places\[0\]\.annotations: must be a JSON pointer such as/,
    ],
    ['a lone ~', placed('/a~b'), /\.places\[0\]\.annotations: must be a JSON pointer such as/],
    [
      'an endless place',
      placed(`/${'a'.repeat(2_000)}`),
      /\.places\[0\]\.annotations: must not be longer than 2000/,
    ],
    [
      'an exception that is no pointer',
      resource({ places: [{ ...places[0], without: ['spec'] }] }),
      /\.places\[0\]\.without\[0\]: must be a JSON pointer/,
    ],
    [
      'a resource twice',
      { ...minimal, templates: { customResources: [1, 2].map(() => ({ resource: 'a.b', places })) } },
      /^templates\.customResources\[1\]\.resource: is that of templates\.customResources\[0\] too/,
    ],
    ['a guard that is not known', { ...minimal, guard: { exec: false } }, /^guard\.exec: unknown key/],
    ['a guard by a word', { ...minimal, guard: { images: 'off' } }, /^guard\.images: expected boolean/],
    ['a word for auditOnly', { ...minimal, auditOnly: 'yes' }, /^auditOnly: expected boolean/],
    [
      'a bare number of seconds',
      { ...minimal, limits: { kubernetesCallTimeout: 3 } },
      /^limits\.kubernetesCallTimeout: write a duration/,
    ],
    ['no reviews', { ...minimal, limits: { reviews: 0 } }, /^limits\.reviews: /],
    [
      'an unknown key',
      { ...minimal, identities: {} },
      /^identities: unknown key; check its spelling, or remove it$/,
    ],
    ['a list', [], /^expected object, received array$/],
  ])('refuses %s', (_title, input, problem) => {
    expect(problemsOf(input)).toEqual([expect.stringMatching(problem)]);
  });

  it('tells everything that is wrong at once, and repeats no value', () => {
    const problems = problemsOf({
      ...minimal,
      listen: { port: 's3cret' },
      identity: { annotation: 's3cret s3cret' },
      signing: { keysFile: 's3cret' },
      kubernetes: { context: 's3cret' },
    });
    expect(problems).toHaveLength(4);
    expect(problems.join()).not.toContain('s3cret');
  });

  it.each([
    ['/spec/tfReplicaSpecs/*/template/metadata/annotations'],
    ['/a~1b/~0/*'],
    ['/spec/templates/*/inline'],
  ])('takes the place %s', (place) => {
    expect(problemsOf(placed(place))).toEqual([]);
  });

  it('keeps what a template needs, and what of it others may change', () => {
    const place = {
      annotations: '/spec/metadata/annotations',
      content: '/spec',
      requires: '/spec/containers',
      without: ['/spec/suspend', '/spec/metadata'],
    };
    expect(configOf(resource({ places: [place] })).templates.customResources).toEqual([
      { resource: 'tfjobs.kubeflow.org', places: [place] },
    ]);
  });

  it('gives what nobody can change', () => {
    expect(Object.isFrozen(configOf(minimal).guard)).toBe(true);
  });
});

it('docs/decorate-configuration.md shows the other way of the two too', () => {
  const [first, second] = new ConfigurationPage('decorate-configuration.md').examples();
  const outcomes = [configOf(first), configOf(second)].map(({ tls, signing }) => [tls.mode, signing.from]);
  expect(outcomes).toEqual([
    ['own-ca', 'file'],
    ['files', 'secret'],
  ]);
});
