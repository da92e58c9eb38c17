import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Requester, Write } from '../api-caller.ts';
import { ALICE, ANNOTATION, BOB, DecorateWorld, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { grantClusterRole } from '../cluster-role.ts';
import { until } from '../until.ts';
import { definition, OPEN } from './job-definitions.ts';
import { refusalOf, tokenOf } from './webhook-trials.ts';

const TEMPLATE_STAMP = 'kerbridge.dev/template-stamp';
const OPERATOR = { namespace: 'operators', name: 'operator' };

let world: DecorateWorld;
/** A trusted controller by the requesters file: stands for each of the operators. */
let operator: Requester;

beforeAll(async () => {
  world = await DecorateWorld.open();
  const { api } = world;
  await world.define(...KINDS.map(({ group, kind }) => definition(group, kind, OPEN)));
  await world.createNamespace(OPERATOR.namespace);
  await api.must(`/api/v1/namespaces/${OPERATOR.namespace}/serviceaccounts`, {
    method: 'POST',
    body: { metadata: { name: OPERATOR.name } },
  });
  // Not all verbs: among them would be keep-identity.
  const verbs = ['get', 'list', 'create', 'update', 'patch', 'delete'];
  const rules = [
    { apiGroups: [...new Set(KINDS.map(({ group }) => group))], resources: ['*'], verbs },
    { apiGroups: ['', 'apps'], resources: ['pods', 'statefulsets'], verbs },
  ];
  const subjects = [
    { kind: 'Group', name: 'analysts', apiGroup: 'rbac.authorization.k8s.io' },
    { kind: 'ServiceAccount', ...OPERATOR },
  ];
  await grantClusterRole(api, 'jobs-edit', { rules, subjects });
  operator = await tokenOf(world, OPERATOR);

  const trustedControllers = ['builtin', operator.user];
  await world.startWithRequesters({ trustedControllers, otherRequesters: 'themselves' });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

type Pointer = `/${string}`;
interface Kind {
  readonly group: string;
  readonly kind: string;
  readonly spec: object;
  /** Where the annotations are that the operator gives to its pods. */
  readonly places: readonly Pointer[];
  /** Where nothing of ours has to be. */
  readonly elsewhere: readonly Pointer[];
  /** What runs other code as whoever the job speaks for. */
  readonly attacks: readonly (readonly [string, Pointer, unknown])[];
  /** What says when, and not what. */
  readonly harmless: readonly (readonly [string, Pointer, unknown])[];
}

const container = { name: 'main', image: 'trainer:1' };
const sparkSpec = {
  type: 'Python',
  image: 'spark:4',
  mainApplicationFile: 'local:///app/main.py',
  driver: { cores: 1 },
  executor: { instances: 2 },
};
const argoSpec = { entrypoint: 'train', templates: [{ name: 'train', container: { image: 'trainer:1' } }] };

const sparkAttacks = (spec: Pointer): Kind['attacks'] => [
  ['another application', `${spec}/mainApplicationFile`, 'local:///app/evil.py'],
  ['another image', `${spec}/image`, 'evil:1'],
  ['another image of the driver', `${spec}/driver/image`, 'evil:1'],
  ['another class on the way', `${spec}/sparkConf`, { 'spark.driver.extraJavaOptions': '-javaagent:evil' }],
  ['a template of the executors', `${spec}/executor/template`, { spec: { containers: [container] } }],
  ['what is downloaded first', `${spec}/deps`, { jars: ['https://example.com/evil.jar'] }],
];
const argoAttacks = (spec: Pointer): Kind['attacks'] => [
  ['another image', `${spec}/templates/0/container/image`, 'evil:1'],
  ['another template', `${spec}/templates/1`, { name: 'train', container: { image: 'evil:1' } }],
  ['a patch of its pods', `${spec}/podSpecPatch`, '{"containers":[{"name":"main","image":"evil:1"}]}'],
  ['what it is given', `${spec}/arguments`, { parameters: [{ name: 'a', value: 'evil' }] }],
  ['somebody else’s templates', `${spec}/workflowTemplateRef`, { name: 'evil' }],
];

const KINDS: readonly Kind[] = [
  {
    group: 'kubeflow.org',
    kind: 'Notebook',
    spec: { template: { spec: { containers: [container] } } },
    places: ['/metadata/annotations'],
    elsewhere: ['/spec/template/metadata/annotations'],
    attacks: [
      ['another image', '/spec/template/spec/containers/0/image', 'evil:1'],
      ['another container', '/spec/template/spec/containers/1', { name: 'evil', image: 'evil:1' }],
      ['a command', '/spec/template/spec/containers/0/command', ['sh']],
    ],
    harmless: [['an annotation', '/metadata/annotations/kubeflow-resource-stopped', 'now']],
  },
  {
    group: 'sparkoperator.k8s.io',
    kind: 'SparkApplication',
    spec: sparkSpec,
    places: ['/spec/driver/annotations', '/spec/executor/annotations'],
    elsewhere: ['/metadata/annotations', '/spec/annotations'],
    attacks: sparkAttacks('/spec'),
    harmless: [['its rest', '/spec/suspend', true]],
  },
  {
    group: 'sparkoperator.k8s.io',
    kind: 'ScheduledSparkApplication',
    spec: { schedule: '@daily', template: sparkSpec },
    places: ['/spec/template/driver/annotations', '/spec/template/executor/annotations'],
    elsewhere: ['/metadata/annotations', '/spec/driver/annotations'],
    attacks: sparkAttacks('/spec/template'),
    harmless: [['another time', '/spec/schedule', '@hourly']],
  },
  {
    group: 'argoproj.io',
    kind: 'Workflow',
    spec: argoSpec,
    places: ['/spec/podMetadata/annotations'],
    elsewhere: ['/metadata/annotations', '/spec/templates/0/metadata/annotations'],
    attacks: argoAttacks('/spec'),
    harmless: [
      ['its rest', '/spec/suspend', true],
      ['its end', '/spec/shutdown', 'Stop'],
    ],
  },
  {
    group: 'argoproj.io',
    kind: 'CronWorkflow',
    spec: { schedule: '0 0 * * *', workflowSpec: argoSpec },
    places: ['/spec/workflowSpec/podMetadata/annotations'],
    elsewhere: ['/metadata/annotations', '/spec/podMetadata/annotations'],
    attacks: argoAttacks('/spec/workflowSpec'),
    harmless: [['another time', '/spec/schedule', '1 1 * * *']],
  },
];

const pathOf = ({ group, kind }: Kind, name = ''): string =>
  `/apis/${group}/v1/namespaces/${TEAM}/${kind.toLowerCase()}s${name === '' ? '' : `/${name}`}`;
const bodyOf = ({ group, kind, spec }: Kind, name: string): object => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name },
  spec,
});
const make = (kind: Kind, name: string, as = ALICE): Promise<ApiObject> =>
  world.api.must(pathOf(kind), { method: 'POST', body: bodyOf(kind, name) }, as);
const set = (pointer: Pointer, value: unknown): Write => ({
  method: 'PATCH',
  kind: 'JSON',
  body: [{ op: 'add', path: pointer, value }],
});
function at(object: unknown, pointer: Pointer): unknown {
  return pointer
    .slice(1)
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}
type Annotations = Readonly<Record<string, string>>;
const annotationsAt = (object: ApiObject, pointer: Pointer): Annotations =>
  (at(object, pointer) ?? {}) as Annotations;

/** As the operator makes it: with the annotations, and the job as its controller. */
function ownedBy(job: ApiObject, { group, kind }: Kind, annotations: Annotations): object {
  const { name, uid } = job.metadata ?? {};
  const ownerReferences = [{ apiVersion: `${group}/v1`, kind, name, uid, controller: true }];
  return { generateName: `${name}-`, annotations, ownerReferences };
}

describe.each(KINDS)('a $kind', (kind) => {
  const { places, elsewhere, attacks, harmless } = kind;
  let job: ApiObject;
  beforeAll(async () => {
    job = await make(kind, 'hers');
  });

  it('has its stamp where its operator copies it from, and nowhere else', () => {
    for (const place of places) {
      expect(annotationsAt(job, place)[ANNOTATION]).toBe('alice');
      expect(annotationsAt(job, place)[TEMPLATE_STAMP]).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    }
    for (const place of elsewhere) expect(annotationsAt(job, place)).toEqual({});
  });

  it('has pods that speak for who wrote it, when its operator makes them', async () => {
    for (const place of places) {
      const metadata = ownedBy(job, kind, annotationsAt(job, place));
      const body = { metadata, spec: { containers: [container] } };
      const pod = await world.api.must(podsPath(), { method: 'POST', body }, operator);
      expect(await world.stampOf(pod)).toMatchObject({ user: 'alice', requester: operator.user });
      const hisOwn = await world.api.must(podsPath(), { method: 'POST', body }, BOB);
      expect(await world.stampOf(hisOwn)).toMatchObject({ user: 'bob', requester: 'bob' });
    }
  });

  it.each(attacks)('runs nothing of bob’s: %s', async (_, pointer, value) => {
    const write = set(pointer, value);
    expect(await refusalOf(world, { path: pathOf(kind, 'hers'), write, as: BOB })).toEqual({
      status: 403,
      reason: 'template-of-another',
      message: expect.stringMatching(/speaks for "alice": ask them .*kerbridge\.dev\/claim.*keep-identity/),
    });
    const changed = await world.api.must(`${pathOf(kind, 'hers')}?dryRun=All`, write, ALICE);
    for (const place of places) {
      expect(annotationsAt(changed, place)[ANNOTATION]).toBe('alice');
      expect(annotationsAt(changed, place)[TEMPLATE_STAMP]).not.toBe(
        annotationsAt(job, place)[TEMPLATE_STAMP],
      );
    }
  });

  it.each(harmless)('stays as it is when bob changes %s', async (_, pointer, value) => {
    const changed = await world.api.must(pathOf(kind, 'hers'), set(pointer, value), BOB);
    for (const place of places)
      expect(annotationsAt(changed, place)).toMatchObject(annotationsAt(job, place));
    // What was good stays good for its pods.
    const [place = '/metadata'] = places;
    const body = {
      metadata: ownedBy(changed, kind, annotationsAt(changed, place)),
      spec: { containers: [container] },
    };
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, operator);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });

  it('keeps its stamp when bob takes it away, or puts that of a job of his in its place', async () => {
    const his = await make(kind, `his-${kind.kind.toLowerCase()}`, BOB);
    for (const place of places) {
      expect(annotationsAt(his, place)[ANNOTATION]).toBe('bob');
      for (const value of [{}, annotationsAt(his, place)]) {
        const changed = await world.api.must(pathOf(kind, 'hers'), set(place, value), BOB);
        expect(annotationsAt(changed, place)).toMatchObject({
          [ANNOTATION]: 'alice',
          [TEMPLATE_STAMP]: annotationsAt(job, place)[TEMPLATE_STAMP],
        });
      }
    }
  });

  it('is bob’s with all its pods when he claims it', async () => {
    await make(kind, 'claimed');
    const [[, pointer, value] = ['', '/spec', {}] as const] = attacks;
    const body = [
      { op: 'add', path: pointer, value },
      ...(job.metadata?.annotations === undefined
        ? [{ op: 'add', path: '/metadata/annotations', value: {} }]
        : []),
      { op: 'add', path: '/metadata/annotations/kerbridge.dev~1claim', value: 'bob' },
    ];
    const write: Write = { method: 'PATCH', kind: 'JSON', body };
    const changed = await world.api.must(pathOf(kind, 'claimed'), write, BOB);
    for (const place of places) {
      expect(annotationsAt(changed, place)[ANNOTATION]).toBe('bob');
      const metadata = ownedBy(changed, kind, annotationsAt(changed, place));
      const made = { metadata, spec: { containers: [container] } };
      const pod = await world.api.must(podsPath(), { method: 'POST', body: made }, operator);
      expect(await world.stampOf(pod)).toMatchObject({ user: 'bob' });
    }
  });
});

it('the pod of a Notebook, which its controller’s StatefulSet makes with changes, speaks for who wrote it', async () => {
  const [notebook] = KINDS;
  if (notebook === undefined) throw new Error('there is no kind');
  const job = await make(notebook, 'written');
  const { ownerReferences, annotations } = ownedBy(job, notebook, job.metadata?.annotations ?? {}) as {
    ownerReferences: unknown;
    annotations: Annotations;
  };
  const labels = { app: 'written' };
  const changed = { ...container, env: [{ name: 'NB_PREFIX', value: '/notebook/team/written' }] };
  const body = {
    metadata: { name: 'written', ownerReferences },
    spec: {
      replicas: 1,
      serviceName: 'written',
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations }, spec: { containers: [changed] } },
    },
  };
  const path = `/apis/apps/v1/namespaces/${TEAM}/statefulsets`;
  await world.api.must(path, { method: 'POST', body }, operator);
  await until('its pod', async () => (await world.podsOf('written-')).length === 1);
  const [pod = {}] = await world.podsOf('written-');
  expect(await world.stampOf(pod)).toMatchObject({
    user: 'alice',
    requester: 'system:serviceaccount:kube-system:statefulset-controller',
  });
});
