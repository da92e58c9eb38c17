import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Write } from '../api-caller.ts';
import {
  ALICE,
  ANNOTATION,
  BOB,
  DecorateWorld,
  podBody,
  podsPath,
  TEAM,
} from '../decorate/decorate-world.ts';
import { until } from '../until.ts';
import { failure, refusalOf, verdictOf, withoutWebhooks } from './webhook-trials.ts';

const TEMPLATE_STAMP = 'kerbridge.dev/template-stamp';

let world: DecorateWorld;
beforeAll(async () => {
  world = await DecorateWorld.open();
  await alterWhileAway();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const template = (app: string, restartPolicy = 'Always'): object => ({
  metadata: { labels: { app } },
  spec: { restartPolicy, containers: [{ name: 'main', image: 'trainer:1' }] },
});

interface Workload {
  readonly kind: string;
  readonly api: string;
  readonly spec: (app: string) => object;
  /** Makes it make its pods. */
  readonly start: object;
}

const replicas = { spec: { replicas: 1 } };
const scaled = (app: string): object => ({
  replicas: 0,
  selector: { matchLabels: { app } },
  template: template(app),
});
const WORKLOADS: readonly Workload[] = [
  { kind: 'Deployment', api: 'apps/v1', spec: scaled, start: replicas },
  {
    kind: 'StatefulSet',
    api: 'apps/v1',
    spec: (app) => ({ ...scaled(app), serviceName: 'none' }),
    start: replicas,
  },
  { kind: 'ReplicaSet', api: 'apps/v1', spec: scaled, start: replicas },
  {
    kind: 'DaemonSet',
    api: 'apps/v1',
    spec: (app) => {
      const { metadata, spec } = template(app) as { metadata: object; spec: object };
      return {
        selector: { matchLabels: { app } },
        template: { metadata, spec: { ...spec, nodeSelector: { nowhere: 'yes' } } },
      };
    },
    start: {},
  },
];

const path = ({ kind, api }: Workload, name = ''): string =>
  `/apis/${api}/namespaces/${TEAM}/${kind.toLowerCase()}s${name === '' ? '' : `/${name}`}`;
const merge = (body: object): Write => ({ method: 'PATCH', kind: 'merge', body });
const image = (value: string): Write => ({
  method: 'PATCH',
  kind: 'strategic',
  body: { spec: { template: { spec: { containers: [{ name: 'main', image: value }] } } } },
});
const replicated = WORKLOADS.filter(({ kind }) => kind !== 'DaemonSet');
const STATEFUL = { ...WORKLOADS[1], kind: 'StatefulSet', api: 'apps/v1' } as Workload;

/** All that is done while nobody is asked, at once. */
async function alterWhileAway(): Promise<void> {
  const { api } = world;
  for (const workload of WORKLOADS) {
    const app = `altered-${workload.kind.toLowerCase()}`;
    await api.must(
      path(workload),
      { method: 'POST', body: { metadata: { name: app }, spec: workload.spec(app) } },
      ALICE,
    );
  }
  for (const name of ['copied-from', 'repaired', 'touched'])
    await api.must(
      path(STATEFUL),
      { method: 'POST', body: { metadata: { name }, spec: STATEFUL.spec(name) } },
      ALICE,
    );
  const donor = await api.must(path(STATEFUL, 'copied-from'), { method: 'GET' });

  const restore = await withoutWebhooks(world);
  for (const workload of WORKLOADS)
    await api.must(path(workload, `altered-${workload.kind.toLowerCase()}`), image('evil:1'), BOB);
  for (const name of ['repaired', 'touched']) await api.must(path(STATEFUL, name), image('evil:1'), BOB);
  const made = {
    'with-copy': annotationsOf(donor),
    'with-user': { [ANNOTATION]: 'alice' },
    'with-nonsense': { [TEMPLATE_STAMP]: 'of-a-template', [ANNOTATION]: 'alice' },
  };
  for (const [name, annotations] of Object.entries(made)) {
    const spec = STATEFUL.spec(name) as { template: { metadata: object } };
    Object.assign(spec.template.metadata, { annotations });
    await api.must(path(STATEFUL), { method: 'POST', body: { metadata: { name }, spec } }, BOB);
  }
  await api.must(
    podsPath(),
    {
      method: 'POST',
      body: podBody('unasked', { annotations: { [ANNOTATION]: 'alice' } }),
    },
    BOB,
  );
  await restore();
}

function annotationsOf({ spec }: ApiObject): Record<string, string> {
  return (spec as { template: { metadata: { annotations: Record<string, string> } } }).template.metadata
    .annotations;
}

const scale = (name: string): Promise<ApiObject> =>
  world.api.must(`${path(STATEFUL, name)}/scale`, merge(replicas), BOB);

describe('a template of alice’s that bob has altered while decorate was not asked', () => {
  it.each(replicated)('$kind: makes no pod, and the event says why', async (workload) => {
    const name = `altered-${workload.kind.toLowerCase()}`;
    await world.api.must(`${path(workload, name)}/scale`, merge(workload.start), BOB);
    const text = await failure(world, name);
    expect(text).toMatch(/the template of "\w+" "altered-[^"]+" is not the one that was stamped for "alice"/);
    expect(text).toContain('change its template anew as the user it shall speak for');
    expect(await world.podsOf(name)).toEqual([]);
  });

  it('DaemonSet: makes no pod either', async () => {
    const node = merge({ metadata: { labels: { nowhere: 'yes' } } });
    await world.api.must('/api/v1/nodes/worker-1', node);
    expect(await failure(world, 'altered-daemonset')).toContain(
      'is not the one that was stamped for "alice"',
    );
    expect(await world.podsOf('altered-daemonset')).toEqual([]);
  });

  it('is not made good by a touch of alice’s, nor by a restart', async () => {
    await world.api.must(path(STATEFUL, 'touched'), merge({ metadata: { labels: { touch: 'one' } } }), ALICE);
    const annotations = { 'kubectl.kubernetes.io/restartedAt': 'now' };
    const restart = merge({ spec: { template: { metadata: { annotations } } } });
    await world.api.must(path(STATEFUL, 'touched'), restart, ALICE);
    await scale('touched');
    expect(await failure(world, 'touched')).toContain('is not the one that was stamped for "alice"');
    expect(await world.podsOf('touched')).toEqual([]);
  });

  it('is not bob’s to change further, and good again when alice changes it', async () => {
    await scale('repaired');
    await failure(world, 'repaired');
    const trial = { path: path(STATEFUL, 'repaired'), write: image('evil:2'), as: BOB };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'template-of-another' });
    await world.api.must(path(STATEFUL, 'repaired'), image('trainer:2'), ALICE);
    await until('its pod', async () => (await world.podsOf('repaired')).length === 1);
    const [pod = {}] = await world.podsOf('repaired');
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });
});

describe('a template that bob has made while decorate was not asked', () => {
  it('with a copy of another’s stamp makes no pod', async () => {
    await scale('with-copy');
    const text = await failure(world, 'with-copy');
    expect(text).toContain('is that of "apps/StatefulSet copied-from", which does not own it');
    expect(await world.podsOf('with-copy')).toEqual([]);
  });

  it('with a stamp that is none makes no pod', async () => {
    await scale('with-nonsense');
    expect(await failure(world, 'with-nonsense')).toContain('is not a good one');
    expect(await world.podsOf('with-nonsense')).toEqual([]);
  });

  it('with another’s name alone makes pods that speak for nobody', async () => {
    await scale('with-user');
    await until('its pod', async () => (await world.podsOf('with-user')).length === 1);
    const [pod = {}] = await world.podsOf('with-user');
    expect(pod.metadata?.annotations ?? {}).not.toHaveProperty([ANNOTATION]);
    expect(pod.metadata?.labels ?? {}).not.toHaveProperty(['kerbridge.dev/stamped']);
    expect(await verdictOf(world, pod)).toMatchObject({ outcome: 'refused', reason: 'stamp-unsigned' });
  });
});

describe('a pod that bob has made while decorate was not asked', () => {
  it('gets nothing by the name of alice', async () => {
    const pod = await world.api.must(`${podsPath()}/unasked`, { method: 'GET' });
    expect(pod.metadata?.annotations).toMatchObject({ [ANNOTATION]: 'alice' });
    expect(await verdictOf(world, pod)).toMatchObject({ outcome: 'refused', reason: 'stamp-unsigned' });
  });
});

describe('the opt-in label', () => {
  it('taken away and restored by an administrator leaves what was made meanwhile without a user', async () => {
    const namespace = `/api/v1/namespaces/${TEAM}`;
    const label = (value: string | null): Write => merge({ metadata: { labels: { iddecorator: value } } });
    const stamped = await world.api.must(podsPath(), { method: 'POST', body: podBody('before') }, ALICE);
    const copied = {
      annotations: stamped.metadata?.annotations,
      labels: { 'kerbridge.dev/stamped': 'true' },
    };

    await world.api.must(namespace, label(null));
    const made = (name: string, metadata: object, query = '') =>
      world.api.call(`${podsPath()}${query}`, { method: 'POST', body: podBody(name, metadata) }, BOB);
    const named = { annotations: { [ANNOTATION]: 'alice' } };
    await until('nobody asked', async () => {
      const { body } = await made('meanwhile', named, '?dryRun=All');
      return body.metadata?.annotations?.[ANNOTATION] === 'alice';
    });
    expect(await made('meanwhile', named)).toMatchObject({ status: 201 });
    expect(await made('copied', copied)).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining("'kerbridge-stamp-origin'") },
    });
    await world.api.must(namespace, label('enabled'));

    const pod = await world.api.must(`${podsPath()}/meanwhile`, { method: 'GET' });
    expect(await verdictOf(world, pod)).toMatchObject({ outcome: 'refused', reason: 'stamp-unsigned' });
    const forged = merge({ metadata: { annotations: stamped.metadata?.annotations ?? {} } });
    expect(await world.api.call(`${podsPath()}/meanwhile`, forged, BOB)).toMatchObject({ status: 403 });
  });
});
