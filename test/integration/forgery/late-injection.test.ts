import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject } from '../api-caller.ts';
import { ALICE, DecorateWorld, podsPath } from '../decorate/decorate-world.ts';
import { until } from '../until.ts';
import { type Late, type LateObject, LateWebhook, type PatchStep } from './late-webhook.ts';
import { refusalOf } from './webhook-trials.ts';

const INJECT = 'kerbridge.dev/inject';
const INJECTED = 'kerbridge.dev/injected';

let world: DecorateWorld;
/** Run again when others have changed something after it, and not. */
let again: LateWebhook;
let once: LateWebhook;

beforeAll(async () => {
  world = await DecorateWorld.open({
    config: {
      injection: {
        image: 'kerbridge-fetch:0.1.0',
        url: 'https://kerbridge.kerbridge:8443',
        authority: { configMap: 'kerbridge-ca' },
        hadoopConf: { configMap: 'hadoop-conf', krb5Conf: true },
      },
    },
  });
  again = await LateWebhook.open(world.api, 'IfNeeded', 'again');
  once = await LateWebhook.open(world.api, 'Never', 'once');
  for (const [late, webhook] of [
    ['again', again],
    ['once', once],
  ] as const) {
    webhook.late = () => [{ op: 'add', path: '/metadata/annotations/seen', value: 'yes' }];
    const write = { method: 'POST', body: podBody('probe', late) } as const;
    const isAsked = async (): Promise<boolean> => {
      const { metadata } = await world.api.must(`${podsPath()}?dryRun=All`, write, ALICE);
      return metadata?.annotations?.['seen'] === 'yes';
    };
    await until(`the webhook ${late} is asked`, isAsked);
  }
});
afterAll(async () => {
  await once?.[Symbol.asyncDispose]();
  await again?.[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const podBody = (name: string, late: string): object => ({
  metadata: { name, labels: { [INJECT]: 'true', late } },
  spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'trainer:1' }] },
});

interface Container {
  readonly name: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Spec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly { readonly name: string }[];
}
const specOf = (pod: object): Spec => (pod as { readonly spec: Spec }).spec;

type Change = (spec: Spec) => object;
const respec =
  (change: Change): Late =>
  (pod: LateObject): readonly PatchStep[] => {
    const spec = specOf(pod);
    return [{ op: 'replace', path: '/spec', value: { ...spec, ...change(spec) } }];
  };
const without = <T extends { readonly name: string }>(list: readonly T[] | undefined, name: string): T[] =>
  (list ?? []).filter((each) => each.name !== name);
const within = (
  list: readonly Container[] | undefined,
  name: string,
  change: (container: Container) => object,
): object[] => (list ?? []).map((each) => (each.name === name ? { ...each, ...change(each) } : each));

/** With its mounts: the API server takes no pod that mounts what is not there. */
const withoutVolume =
  (name: string): Change =>
  ({ containers, initContainers, volumes }) => {
    const unmounted = (list: readonly Container[] | undefined): object[] =>
      (list ?? []).map((each) => ({ ...each, volumeMounts: without(each.volumeMounts, name) }));
    return {
      containers: unmounted(containers),
      initContainers: unmounted(initContainers),
      volumes: without(volumes, name),
    };
  };
const unlabel: Late = ({ metadata: { labels = {} } }) =>
  INJECT in labels ? [{ op: 'remove', path: `/metadata/labels/${pointer(INJECT)}` }] : [];
const pointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

const INJECTED_PATH = `/metadata/annotations/${pointer(INJECTED)}`;

interface Removal {
  readonly title: string;
  readonly late: Late;
  /** What is not as it was. */
  readonly text: RegExp;
}

/** What ours puts in again, as often as it is asked. */
const REMOVED: readonly Removal[] = [
  {
    title: 'the container that fetches',
    late: respec(({ initContainers }) => ({ initContainers: without(initContainers, 'kerbridge-fetch') })),
    text: /\/spec\/initContainers\/\S+ is not what Kerbridge has put there/,
  },
  {
    title: 'the container that keeps the tokens fresh',
    late: respec(({ initContainers }) => ({ initContainers: without(initContainers, 'kerbridge-watch') })),
    text: /\/spec\/initContainers\/\S+ is not what/,
  },
  {
    title: 'both containers',
    late: respec(() => ({ initContainers: [] })),
    text: /\/spec\/initContainers\S* is not what/,
  },
  {
    title: 'the configuration of Hadoop',
    late: respec(withoutVolume('kerbridge-hadoop-conf')),
    text: /\/spec\/volumes\S* is not what/,
  },
  {
    title: 'the mount of a container',
    late: respec(({ containers }) => ({
      containers: within(containers, 'main', ({ volumeMounts }) => ({
        volumeMounts: without(volumeMounts, 'kerbridge-tokens'),
      })),
    })),
    text: /\/spec\/containers\/0\/volumeMounts\S* is not what/,
  },
  {
    title: 'the variable of a container',
    late: respec(({ containers }) => ({
      containers: within(containers, 'main', ({ env }) => ({
        env: without(env, 'HADOOP_TOKEN_FILE_LOCATION'),
      })),
    })),
    text: /\/spec\/containers\/0\/env\S* is not what/,
  },
  {
    title: 'the group of the token file',
    late: respec(() => ({ securityContext: {} })),
    text: /\/spec\/securityContext\S* is not what/,
  },
  {
    title: 'the annotation that says so',
    late: () => [{ op: 'remove', path: INJECTED_PATH }],
    text: /the annotation kerbridge\.dev\/injected is missing/,
  },
];

const fetcher =
  (change: (container: Container) => object): Change =>
  ({ initContainers }) => ({ initContainers: within(initContainers, 'kerbridge-fetch', change) });

/** What ours can't put right: by its name it is not ours. */
const REPLACED: readonly { readonly title: string; readonly late: Late }[] = [
  {
    title: 'the address of serve',
    late: respec(
      fetcher(({ env = [] }) => ({
        env: [...without(env, 'KERBRIDGE_URL'), { name: 'KERBRIDGE_URL', value: 'https://evil:8443' }],
      })),
    ),
  },
  {
    title: 'the address of serve, removed',
    late: respec(fetcher(({ env }) => ({ env: without(env, 'KERBRIDGE_URL') }))),
  },
  {
    title: 'the address of serve, by a second one',
    late: respec(
      fetcher(({ env = [] }) => ({ env: [...env, { name: 'KERBRIDGE_URL', value: 'https://evil:8443' }] })),
    ),
  },
  {
    title: 'the authority of serve, removed',
    late: respec(fetcher(({ env }) => ({ env: without(env, 'KERBRIDGE_CA_FILE') }))),
  },
  { title: 'the image', late: respec(fetcher(() => ({ image: 'evil:1' }))) },
  { title: 'the command', late: respec(fetcher(() => ({ command: ['sh', '-c', 'true'] }))) },
  { title: 'what hardens it', late: respec(fetcher(() => ({ securityContext: { privileged: true } }))) },
  {
    title: 'the volume of the tokens, by one on the disk',
    late: respec(({ volumes }) => ({
      volumes: [
        ...without(volumes, 'kerbridge-tokens'),
        { name: 'kerbridge-tokens', hostPath: { path: '/' } },
      ],
    })),
  },
  // The fetchers don't mount it any more.
  {
    title: 'the volume of the tokens, removed',
    late: respec(withoutVolume('kerbridge-tokens')),
  },
  {
    title: 'the volume of the service account, removed',
    late: respec(withoutVolume('kerbridge-service-account')),
  },
];

const tried = (late: string) => ({ method: 'POST', body: podBody('tried', late) }) as const;

describe('another webhook takes out of a pod what ours has injected', () => {
  it.each(REMOVED)('again and again, $title: refused', async ({ late, text }) => {
    again.late = late;
    const refusal = await refusalOf(world, { path: podsPath(), write: tried('again'), as: ALICE });
    expect(refusal).toEqual({
      status: 403,
      reason: 'injection-removed',
      message: expect.stringMatching(text),
    });
    expect(refusal.message).toContain('an administrator has to except it there');
    expect((await world.api.call(`${podsPath()}/tried`, { method: 'GET' })).status).toBe(404);
  });

  it.each(REMOVED)('once, $title: ours has the last word', async ({ late }) => {
    const untouched = await stored('once', () => []);
    const pod = await stored('once', late);
    expect(partsOf(pod)).toEqual(partsOf(untouched));
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });

  it('again and again, the label that asked for it: refused, while the annotation says it was done', async () => {
    again.late = (pod) => [...unlabel(pod), { op: 'add', path: INJECTED_PATH, value: 'main' }];
    expect(await refusalOf(world, { path: podsPath(), write: tried('again'), as: ALICE })).toEqual({
      status: 403,
      reason: 'injection-removed',
      message: expect.stringContaining('the label that asked for it is gone'),
    });
  });

  it('the label that asked for it, and so the annotation: then nobody has asked, and it is alice’s pod', async () => {
    const pod = await stored('again', unlabel);
    expect(pod.metadata?.annotations).not.toHaveProperty([INJECTED]);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });
});

describe('another webhook puts something else in its place', () => {
  it.each(REPLACED)('again and again, $title: refused', async ({ late }) => {
    again.late = late;
    const refusal = await refusalOf(world, { path: podsPath(), write: tried('again'), as: ALICE });
    expect(refusal).toMatchObject({
      status: 403,
      reason: expect.stringMatching(/^injection-(removed|name-taken|path-taken)$/),
    });
    expect((await world.api.call(`${podsPath()}/tried`, { method: 'GET' })).status).toBe(404);
  });

  it.each(REPLACED)('once, $title: refused', async ({ late }) => {
    once.late = late;
    const refusal = await refusalOf(world, { path: podsPath(), write: tried('once'), as: ALICE });
    expect(refusal).toMatchObject({
      status: 403,
      reason: expect.stringMatching(/^injection-(removed|name-taken|path-taken)$/),
    });
  });
});

describe('another webhook that leaves alone what is ours', () => {
  it.each(['again', 'once'])('%s: the pod is admitted, with its container and ours', async (label) => {
    const side = { name: 'mesh', image: 'mesh:1' };
    const pod = await stored(label, ({ ...object }) => {
      const { containers } = specOf(object);
      const isThere = containers.some(({ name }) => name === side.name);
      return isThere ? [] : [{ op: 'add', path: '/spec/containers/-', value: side }];
    });
    const { containers, initContainers = [] } = specOf(pod);
    expect(containers.map(({ name }) => name)).toEqual(['main', 'mesh']);
    expect(initContainers.map(({ name }) => name)).toEqual(['kerbridge-fetch', 'kerbridge-watch']);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });
});

/** The pod as it would be stored. */
async function stored(label: string, late: Late): Promise<ApiObject> {
  (label === 'again' ? again : once).late = late;
  return await world.api.must(`${podsPath()}?dryRun=All`, tried(label), ALICE);
}

/** By their names. The API server has its own volume, and mounts it where it sees a container before the webhooks do. */
function partsOf(pod: ApiObject): object {
  const { containers, initContainers, volumes } = specOf(pod);
  const ofContainers = (list: readonly Container[] = []): (Pick<Container, 'name'> & object)[] =>
    list.map(({ name, env, volumeMounts = [] }) => ({
      name,
      env: [...(env ?? [])].toSorted((one, other) => one.name.localeCompare(other.name)),
      mounts: volumeMounts
        .map(({ mountPath }) => mountPath)
        .filter((path) => path !== '/var/run/secrets/kubernetes.io/serviceaccount')
        .toSorted(),
    }));
  return {
    containers: ofContainers(containers),
    initContainers: ofContainers(initContainers).toSorted((one, other) => one.name.localeCompare(other.name)),
    volumes: (volumes ?? []).map(({ name }) => name.replace(/^kube-api-access-.*/, 'api')).toSorted(),
    groups: (pod['spec'] as { securityContext?: { supplementalGroups?: unknown } }).securityContext
      ?.supplementalGroups,
    injected: pod.metadata?.annotations?.[INJECTED],
  };
}
