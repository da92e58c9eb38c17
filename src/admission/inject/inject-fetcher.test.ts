import { describe, expect, it } from '@jest/globals';
import { INJECTION } from '../../../test/fakes/pod-injection.ts';
import { Draft } from '../patch/draft.ts';
import { injectFetcher } from './inject-fetcher.ts';
import { INJECT_LABEL, type Injection } from './injection.ts';

const CONF: Injection = { ...INJECTION, hadoopConf: { configMap: 'hadoop-conf', krb5Conf: false } };

interface Pod {
  readonly label?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly main?: object;
  readonly spec?: object;
}

function podOf({ label = 'true', annotations = {}, main = {}, spec = {} }: Pod): object {
  return {
    metadata: { name: 'train', labels: { [INJECT_LABEL]: label }, annotations },
    spec: { containers: [{ name: 'main', image: 'trainer:1', ...main }], ...spec },
  };
}

function inject(pod: Pod, injection: Injection | undefined = CONF) {
  const draft = new Draft(podOf(pod));
  return { draft, injected: injectFetcher(draft, { injection }) };
}

const env = (...variables: object[]): Pod => ({ main: { env: variables } });
const mounted = (mount: object): Pod => ({ main: { volumeMounts: [mount] } });
const TOKENS = { name: 'kerbridge-tokens', mountPath: '/var/run/kerbridge', readOnly: true };

describe('injectFetcher', () => {
  it.each<readonly [string, string, RegExp, Pod]>([
    ['a label that says nothing', 'injection-label', /is "": make it "true", "init"/, { label: '' }],
    ['a label of another sense', 'injection-label', /is "yes": make it "true"/, { label: 'yes' }],
    ['a label in capitals', 'injection-label', /is "True"/, { label: 'True' }],
    [
      'a pod for Windows',
      'injection-windows',
      /is for Windows, .* take the label kerbridge\.dev\/inject off/,
      { spec: { os: { name: 'windows' } } },
    ],
    [
      'one that is by its nodes',
      'injection-windows',
      /is for Windows/,
      { spec: { nodeSelector: { 'kubernetes.io/os': 'windows' } } },
    ],
    [
      'a container that is not there',
      'injection-containers',
      /names "mian", which is no container of the pod/,
      { annotations: { 'kerbridge.dev/inject-containers': 'main,mian' } },
    ],
    [
      'no container at all',
      'injection-containers',
      /names "", which is no/,
      { annotations: { 'kerbridge.dev/inject-containers': '' } },
    ],
    [
      'a container of ours',
      'injection-containers',
      /names "kerbridge-fetch"/,
      { annotations: { 'kerbridge.dev/inject-containers': 'kerbridge-fetch' } },
    ],
    [
      'a cluster with what Kubernetes would expand',
      'injection-cluster',
      /is "\$\(PASSWORD\)": make it the name of a Hadoop cluster/,
      { annotations: { 'kerbridge.dev/cluster': '$(PASSWORD)' } },
    ],
    [
      'a cluster without a name',
      'injection-cluster',
      /is ""/,
      { annotations: { 'kerbridge.dev/cluster': '' } },
    ],
    [
      'a token file of its own',
      'injection-variable-taken',
      /"main" sets HADOOP_TOKEN_FILE_LOCATION itself: leave that out, or name the containers/,
      env({ name: 'HADOOP_TOKEN_FILE_LOCATION', value: '/elsewhere' }),
    ],
    [
      'a token file that a ConfigMap tells',
      'injection-variable-taken',
      /sets HADOOP_TOKEN_FILE_LOCATION itself/,
      env({ name: 'HADOOP_TOKEN_FILE_LOCATION', valueFrom: { configMapKeyRef: { name: 'a', key: 'b' } } }),
    ],
    [
      'ours, and after it another',
      'injection-variable-taken',
      /sets HADOOP_TOKEN_FILE_LOCATION itself/,
      env(
        { name: 'HADOOP_TOKEN_FILE_LOCATION', value: '/var/run/kerbridge/hadoop.token' },
        { name: 'HADOOP_TOKEN_FILE_LOCATION', value: '/elsewhere' },
      ),
    ],
    [
      'a volume of its own there',
      'injection-path-taken',
      /"main" has a volume of its own at "\/var\/run\/kerbridge", where Kerbridge needs \/var\/run\/kerbridge/,
      mounted({ name: 'own', mountPath: '/var/run/kerbridge' }),
    ],
    [
      'one with a slash at its end',
      'injection-path-taken',
      /at "\/var\/run\/kerbridge\/\/"/,
      mounted({ ...TOKENS, mountPath: '/var/run/kerbridge//' }),
    ],
    [
      'one below it',
      'injection-path-taken',
      /at "\/var\/run\/kerbridge\/own"/,
      mounted({ name: 'own', mountPath: '/var/run/kerbridge/own' }),
    ],
    [
      'ours, to be written',
      'injection-path-taken',
      /a volume of its own/,
      mounted({ ...TOKENS, readOnly: false }),
    ],
    ['a part of ours', 'injection-path-taken', /a volume of its own/, mounted({ ...TOKENS, subPath: 'a' })],
    [
      'a part of ours by a variable',
      'injection-path-taken',
      /a volume of its own/,
      mounted({ ...TOKENS, subPathExpr: '$(A)' }),
    ],
    [
      'a volume of its own at the conf dir',
      'injection-path-taken',
      /needs \/etc\/kerbridge\/hadoop-conf/,
      mounted({ name: 'own', mountPath: '/etc/kerbridge/hadoop-conf' }),
    ],
    [
      'another volume of that name',
      'injection-name-taken',
      /has a volume kerbridge-tokens that is not what Kerbridge injects/,
      { spec: { volumes: [{ name: 'kerbridge-tokens', hostPath: { path: '/tmp' } }] } },
    ],
    [
      'a volume with a token for others',
      'injection-name-taken',
      /has a volume kerbridge-service-account/,
      {
        spec: {
          volumes: [
            {
              name: 'kerbridge-service-account',
              projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'other' } }] },
            },
          ],
        },
      },
    ],
    [
      'another container of that name',
      'injection-name-taken',
      /has a container kerbridge-fetch that is not/,
      { spec: { initContainers: [{ name: 'kerbridge-fetch', image: 'own:1' }] } },
    ],
    [
      'one among those that run later',
      'injection-name-taken',
      /has a container kerbridge-watch that is not/,
      { spec: { containers: [{ name: 'kerbridge-watch', image: 'own:1' }] } },
    ],
  ])('refuses %s', (_, reason, text, pod) => {
    const { injected } = inject(pod);
    expect(injected).toEqual({ outcome: 'refused', reason, text: expect.stringMatching(text) });
  });

  it.each(['command', 'args', 'restartPolicy', 'lifecycle'])('refuses one of ours with a %s', (key) => {
    const { draft } = inject({ label: 'init' });
    const at = ['spec', 'initContainers', '0'];
    draft.set([...at, key], 'Always');
    expect(injectFetcher(draft, { injection: CONF })).toMatchObject({ reason: 'injection-name-taken' });
    draft.remove([...at, key]);
    expect(injectFetcher(draft, { injection: CONF })).toMatchObject({ outcome: 'injected' });
  });

  it('refuses a label where nothing is configured, and says who can help', () => {
    const draft = new Draft(podOf({}));
    expect(injectFetcher(draft, {})).toMatchObject({
      reason: 'injection-not-configured',
      text: expect.stringMatching(/take the label off, or ask an administrator to set "injection"/),
    });
  });

  it.each<readonly [string, Pod]>([
    ['no map of the environment', { main: { env: {} } }],
    ['a text for mounts', { main: { volumeMounts: 'x' } }],
    ['a map of volumes', { spec: { volumes: {} } }],
    ['a number for a security context', { spec: { securityContext: 5 } }],
  ])('leaves %s to the draft, which is none then', (_, pod) => {
    const { draft } = inject(pod);
    expect(draft.finish()).toMatchObject({ ok: false, problem: expect.stringMatching(/ is a .*, not a/) });
  });

  it.each<readonly [string, unknown]>([
    ['nothing', undefined],
    ['no pod', 'x'],
    ['labels that are a list', { metadata: { labels: [INJECT_LABEL] } }],
    [
      'the label of a prototype',
      JSON.parse(`{"metadata":{"labels":{"__proto__":{"${INJECT_LABEL}":"true"}}}}`),
    ],
    ['no label', { metadata: { labels: {} }, spec: { os: { name: 'windows' } } }],
    ['false', podOf({ label: 'false', spec: { os: { name: 'windows' } } })],
  ])('is not asked for by %s', (_, pod) => {
    const draft = new Draft(pod);
    expect(injectFetcher(draft, { injection: CONF })).toEqual({ outcome: 'not-asked-for' });
    expect(draft.finish()).toMatchObject({ ok: true, operations: [] });
  });

  it('leaves a conf dir that the container names itself, and says so', () => {
    const { draft, injected } = inject(env({ name: 'HADOOP_CONF_DIR', value: '/opt/conf' }));
    expect(injected).toEqual({
      outcome: 'injected',
      warnings: ['the container "main" keeps its own HADOOP_CONF_DIR'],
    });
    expect(JSON.stringify(draft.get([]))).not.toContain('kerbridge-hadoop-conf');
  });

  const many = (length: number): object[] =>
    Array.from({ length }, (_, index) => ({ name: `c${index}`, image: 'a' }));

  it('takes so many containers and no more, but of more those that are named', () => {
    const { draft, injected } = inject({ spec: { containers: many(250) } });
    expect(injected).toMatchObject({ outcome: 'injected' });
    const second = new Draft(draft.get([]));
    injectFetcher(second, { injection: CONF });
    expect(second.finish()).toMatchObject({ ok: true, operations: [] });
    const containers = many(251);
    expect(inject({ spec: { containers } }).injected).toMatchObject({
      reason: 'injection-too-many',
      text: expect.stringMatching(/more than 250 containers/),
    });
    const annotations = { 'kerbridge.dev/inject-containers': 'c7,c250' };
    expect(inject({ annotations, spec: { containers } }).injected).toMatchObject({ outcome: 'injected' });
  });

  it('tells of a few containers only', () => {
    const containers = many(20).map((each) => ({
      ...each,
      env: [{ name: 'HADOOP_CONF_DIR', value: '/opt/conf' }],
    }));
    const { injected } = inject({ spec: { containers } });
    expect(injected.outcome === 'injected' && injected.warnings).toHaveLength(5);
  });
});
