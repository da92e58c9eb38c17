import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject } from '../api-caller.ts';
import { until } from '../until.ts';
import { ALICE, DecorateWorld, podsPath } from './decorate-world.ts';

const STRICT = 'strict';
const LABEL = 'kerbridge.dev/inject';

let world: DecorateWorld;
beforeAll(async () => {
  world = await DecorateWorld.open({
    config: {
      injection: {
        image: 'kerbridge-fetch:0.1.0',
        url: 'https://kerbridge.kerbridge:8443',
        authority: { configMap: 'kerbridge-ca' },
        hadoopConf: { configMap: 'hadoop-conf', krb5Conf: true },
        resources: { memory: '65536Ki' },
      },
    },
  });
  await world.createNamespace(STRICT, {
    iddecorator: 'enabled',
    'pod-security.kubernetes.io/enforce': 'restricted',
  });
  await world.api.must(`/apis/rbac.authorization.k8s.io/v1/namespaces/${STRICT}/rolebindings`, {
    method: 'POST',
    body: {
      metadata: { name: 'analysts-edit' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'analysts' }],
    },
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const hardened = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };

function specOf(change: object = {}): object {
  return {
    terminationGracePeriodSeconds: 0,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    initContainers: [{ name: 'download', image: 'trainer:1', securityContext: hardened }],
    containers: [{ name: 'main', image: 'trainer:1', securityContext: hardened }],
    ...change,
  };
}

const podBody = (name: string, label: string, change: object = {}): object => ({
  metadata: { name, labels: { [LABEL]: label } },
  spec: specOf(change),
});

async function create(body: object): Promise<ApiObject> {
  return await world.api.must(podsPath(STRICT), { method: 'POST', body }, ALICE);
}

interface Container {
  readonly name: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Spec {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string }[];
}

const partsOf = ({ spec }: ApiObject): Spec => spec as Spec;
const namesOf = (list: readonly { readonly name: string }[]): readonly string[] =>
  list.map(({ name }) => name);

describe('a pod that asks for the fetcher, where Pod Security restricted is enforced', () => {
  it.each([
    ['true', ['kerbridge-fetch', 'kerbridge-watch', 'download']],
    ['init', ['kerbridge-fetch', 'download']],
    ['sidecar', ['kerbridge-watch', 'download']],
  ])('by %s is admitted with it', async (label, initContainers) => {
    const pod = await create(podBody(`by-${label}`, label));
    const spec = partsOf(pod);
    expect(namesOf(spec.initContainers)).toEqual(initContainers);
    expect(namesOf(spec.volumes).filter((name) => name.startsWith('kerbridge-'))).toEqual([
      'kerbridge-tokens',
      'kerbridge-service-account',
      'kerbridge-authority',
      'kerbridge-hadoop-conf',
    ]);
    for (const { name, env, volumeMounts } of [...spec.containers, ...spec.initContainers.slice(-1)]) {
      expect({ name, env }).toMatchObject({
        env: [
          { name: 'HADOOP_TOKEN_FILE_LOCATION', value: '/var/run/kerbridge/hadoop.token' },
          { name: 'HADOOP_CONF_DIR', value: '/etc/kerbridge/hadoop-conf' },
        ],
      });
      expect(volumeMounts).toMatchObject(
        expect.arrayContaining([
          expect.objectContaining({
            name: 'kerbridge-tokens',
            mountPath: '/var/run/kerbridge',
            readOnly: true,
          }),
        ]),
      );
    }
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });

  it('is refused there for what is its own, so the namespace is strict', async () => {
    const { status, body } = await world.api.call(
      podsPath(STRICT),
      {
        method: 'POST',
        body: podBody('lax', 'true', { containers: [{ name: 'main', image: 'trainer:1' }] }),
      },
      ALICE,
    );
    expect({ status, message: body.message }).toMatchObject({
      status: 403,
      message: expect.stringMatching(/violates PodSecurity "restricted.*"main"/),
    });
    expect(body.message).not.toContain('kerbridge-');
  });

  it('that is a copy of one as it is stored is admitted, and has everything once', async () => {
    const first = await create(podBody('first', 'true', { automountServiceAccountToken: false }));
    const { labels, annotations } = first.metadata ?? {};
    const copy = await create({ metadata: { name: 'copy', labels, annotations }, spec: first['spec'] });
    expect(partsOf(copy)).toEqual(partsOf(first));
    expect(await world.stampOf(copy)).toMatchObject({ podName: 'copy' });
  });

  it('has the token of the API server in it as before, and ours in the fetchers alone', async () => {
    const { containers, initContainers } = partsOf(await create(podBody('tokens', 'true')));
    const having = (path: string): readonly string[] =>
      namesOf(
        [...initContainers, ...containers].filter(({ volumeMounts = [] }) =>
          volumeMounts.some(({ mountPath }) => mountPath === path),
        ),
      );
    expect(having('/var/run/secrets/kerbridge/serviceaccount')).toEqual([
      'kerbridge-fetch',
      'kerbridge-watch',
    ]);
    expect(having('/var/run/secrets/kubernetes.io/serviceaccount')).toContain('main');
  });

  it('of a Deployment is made by its controllers, and asks in the template', async () => {
    const labels = { app: 'web' };
    await world.api.must(
      `/apis/apps/v1/namespaces/${STRICT}/deployments`,
      {
        method: 'POST',
        body: {
          metadata: { name: 'web' },
          spec: {
            replicas: 1,
            selector: { matchLabels: labels },
            template: { metadata: { labels: { ...labels, [LABEL]: 'true' } }, spec: specOf() },
          },
        },
      },
      ALICE,
    );
    await until('a pod of web', async () => (await world.podsOf('web-', STRICT)).length === 1);
    const [pod] = await world.podsOf('web-', STRICT);
    if (pod === undefined) throw new Error('there is no pod');
    expect(namesOf(partsOf(pod).initContainers)).toContain('kerbridge-watch');
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });

  it.each<readonly [string, object, RegExp]>([
    ['another word', podBody('word', 'yes'), /make it "true", "init", "sidecar" or "false"/],
    [
      'Windows',
      podBody('windows', 'true', { os: { name: 'windows' }, securityContext: { runAsNonRoot: true } }),
      /is for Windows, where the fetcher does not run/,
    ],
    [
      'its own volume of that name',
      podBody('volume', 'true', { volumes: [{ name: 'kerbridge-tokens', emptyDir: {} }] }),
      /has a volume kerbridge-tokens that is not what Kerbridge injects/,
    ],
  ])('is refused for %s with what to do', async (_, body, text) => {
    const { status, body: answer } = await world.api.call(podsPath(STRICT), { method: 'POST', body }, ALICE);
    expect({ status, message: answer.message }).toMatchObject({
      status: 403,
      message: expect.stringMatching(text),
    });
  });
});
