import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Requester, Write } from '../api-caller.ts';
import { ALICE, ANNOTATION, BOB, DecorateWorld, OWN, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { grantClusterRole } from '../cluster-role.ts';
import { until } from '../until.ts';
import { definition, OPEN, PRUNING } from './job-definitions.ts';
import { refusalOf, tokenOf } from './webhook-trials.ts';

const TEMPLATE_STAMP = 'kerbridge.dev/template-stamp';
const OPERATOR = { namespace: 'operators', name: 'operator' };

let world: DecorateWorld;
/** A trusted controller by the requesters file. */
let operator: Requester;

beforeAll(async () => {
  world = await DecorateWorld.open();
  const { api } = world;
  await world.define(
    definition('kubeflow.org', 'TFJob', OPEN),
    definition('kubeflow.org', 'PyTorchJob', PRUNING),
    definition('test.example.com', 'RingJob', OPEN),
  );
  await world.createNamespace(OPERATOR.namespace);
  await api.must(`/api/v1/namespaces/${OPERATOR.namespace}/serviceaccounts`, {
    method: 'POST',
    body: { metadata: { name: OPERATOR.name } },
  });
  // Not all verbs: among them would be keep-identity.
  const verbs = ['get', 'list', 'create', 'update', 'patch', 'delete'];
  const jobs = { apiGroups: ['kubeflow.org', 'test.example.com'], resources: ['*'], verbs };
  await grantClusterRole(api, 'jobs-edit', {
    rules: [jobs],
    subjects: [
      {
        kind: 'Group',
        name: 'analysts',
        apiGroup: 'rbac.authorization.k8s.io',
      },
    ],
  });
  const pods = { apiGroups: [''], resources: ['pods'], verbs: ['create'] };
  await grantClusterRole(api, 'operator', {
    rules: [pods, jobs],
    subjects: [{ kind: 'ServiceAccount', ...OPERATOR }],
  });
  await grantClusterRole(api, 'decorate-reads-rings', {
    rules: [{ ...jobs, verbs: ['get'] }],
    subjects: [
      {
        kind: 'ServiceAccount',
        name: 'kerbridge-decorate',
        namespace: OWN,
      },
    ],
  });
  operator = await tokenOf(world, OPERATOR);

  // As docs/ has it for one more resource: the webhooks, the ClusterRole, the templates.
  const rule = {
    apiGroups: ['test.example.com'],
    apiVersions: ['*'],
    operations: ['CREATE', 'UPDATE'],
    resources: ['ringjobs'],
    scope: 'Namespaced',
  };
  for (const [kind, index] of [
    ['mutating', 2],
    ['validating', 3],
  ] as const) {
    const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/kerbridge-decorate`;
    const body = [{ op: 'add', path: `/webhooks/${index}/rules/-`, value: rule }];
    await api.must(path, { method: 'PATCH', kind: 'JSON', body });
  }
  const trustedControllers = ['builtin', operator.user];
  const places = [
    {
      annotations: '/spec/workers/*/template/metadata/annotations',
      content: '/spec/workers/*/template/spec',
    },
  ];
  const customResources = [{ resource: 'ringjobs.test.example.com', places }];
  const requesters = { trustedControllers, otherRequesters: 'themselves' };
  await world.startWithRequesters(requesters, { templates: { customResources } });
  await until('the webhooks know RingJobs', async () => {
    const dry = await api.call(
      `${path('RingJob')}?dryRun=All`,
      { method: 'POST', body: ring('probe', ['a']) },
      ALICE,
    );
    return JSON.stringify(dry.body).includes(TEMPLATE_STAMP);
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const groupOf = (kind: string): string => (kind === 'RingJob' ? 'test.example.com' : 'kubeflow.org');
const path = (kind: string, name = ''): string =>
  `/apis/${groupOf(kind)}/v1/namespaces/${TEAM}/${kind.toLowerCase()}s${name === '' ? '' : `/${name}`}`;
const template = (image: string): { metadata?: object; spec: object } => ({
  spec: { containers: [{ name: 'main', image }] },
});
const tfJob = (name: string, replicas: Readonly<Record<string, object>>, kind = 'TFJob'): object => ({
  apiVersion: 'kubeflow.org/v1',
  kind,
  metadata: { name },
  spec: { [kind === 'TFJob' ? 'tfReplicaSpecs' : 'pytorchReplicaSpecs']: replicas },
});
const ring = (name: string, images: readonly string[]): object => ({
  apiVersion: 'test.example.com/v1',
  kind: 'RingJob',
  metadata: { name },
  spec: { workers: images.map((image) => ({ template: template(image) })) },
});

type Annotations = Readonly<Record<string, string>>;
interface Template {
  readonly metadata?: { readonly annotations?: Annotations };
}
function templatesOf({ spec }: ApiObject): Readonly<Record<string, Annotations>> {
  const { tfReplicaSpecs, pytorchReplicaSpecs, workers } = spec as Record<
    string,
    Record<string, { template: Template }>
  >;
  return Object.fromEntries(
    Object.entries(tfReplicaSpecs ?? pytorchReplicaSpecs ?? workers ?? {}).map(([key, each]) => [
      key,
      each.template.metadata?.annotations ?? {},
    ]),
  );
}
const usersOf = (job: ApiObject): object =>
  Object.fromEntries(
    Object.entries(templatesOf(job)).map(([key, annotations]) => [key, annotations[ANNOTATION]]),
  );

const post = (kind: string, body: object, as: Requester): Promise<ApiObject> =>
  world.api.must(path(kind), { method: 'POST', body }, as);

/** As operators make the pods of a job: the template's annotations, and who owns it. */
function podOf(job: ApiObject, key: string, kind: string, change: object = {}): Write {
  const { name, uid } = job.metadata ?? {};
  const ownerReferences = [
    { apiVersion: `${groupOf(kind)}/v1`, kind, name, uid, controller: true, ...change },
  ];
  const metadata = { generateName: `${name}-`, annotations: templatesOf(job)[key], ownerReferences };
  return { method: 'POST', body: { metadata, spec: template('trainer:1').spec } };
}
const json = (...body: readonly object[]): Write => ({ method: 'PATCH', kind: 'JSON', body });
const replica = (key: string): string => `/spec/tfReplicaSpecs/${key}`;

describe('templates in a map', () => {
  let job: ApiObject;
  beforeAll(async () => {
    const replicas = { PS: { template: template('ps:1') }, Worker: { template: template('trainer:1') } };
    job = await post('TFJob', tfJob('maps', replicas), ALICE);
  });

  it('are those of who wrote them, and so are the pods that their operator makes', async () => {
    expect(usersOf(job)).toEqual({ PS: 'alice', Worker: 'alice' });
    for (const key of ['PS', 'Worker']) {
      const pod = await world.api.must(podsPath(), podOf(job, key, 'TFJob'), operator);
      expect(await world.stampOf(pod)).toMatchObject({ user: 'alice', requester: operator.user });
    }
  });

  it('say nothing of a pod that bob makes with their stamp and owner', async () => {
    const pod = await world.api.must(podsPath(), podOf(job, 'Worker', 'TFJob'), BOB);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'bob', requester: 'bob' });
  });

  it.each([
    ['of another UID', { uid: 'another' }, 'owner-uid-differs'],
    ['that is not there', { name: 'not-there' }, 'owner-not-found'],
  ])('say nothing of an owner %s', async (_, change, reason) => {
    const write = podOf(job, 'Worker', 'TFJob', change);
    expect(await refusalOf(world, { path: podsPath(), write, as: operator })).toMatchObject({
      status: 403,
      reason,
    });
  });

  it('say nothing of a pod without a controller', async () => {
    const write = podOf(job, 'Worker', 'TFJob', { controller: false });
    const pod = await world.api.must(podsPath(), write, operator);
    expect(pod.metadata?.annotations ?? {}).not.toHaveProperty([ANNOTATION]);
    expect(await world.stampOf(pod)).toBe('malformed');
  });

  it.each([
    [
      'another image',
      json({ op: 'replace', path: `${replica('Worker')}/template/spec/containers/0/image`, value: 'evil:1' }),
    ],
    [
      'another template',
      json({ op: 'replace', path: `${replica('PS')}/template`, value: template('evil:1') }),
    ],
    [
      'that of the other one',
      json({ op: 'copy', from: `${replica('PS')}/template`, path: `${replica('Worker')}/template` }),
    ],
    [
      'another command',
      {
        method: 'PATCH',
        kind: 'merge',
        body: { spec: { tfReplicaSpecs: { PS: { template: { spec: { hostname: 'x' } } } } } },
      },
    ],
  ] as readonly (readonly [string, Write])[])('get nothing of bob’s: %s', async (_, write) => {
    expect(await refusalOf(world, { path: path('TFJob', 'maps'), write, as: BOB })).toEqual({
      status: 403,
      reason: 'template-of-another',
      message: expect.stringMatching(/speaks for "alice": ask them .*kerbridge\.dev\/claim.*keep-identity/),
    });
  });

  it('beside which bob puts one, with a copy of their stamp: that one is his', async () => {
    const copy = { op: 'copy', from: replica('Worker'), path: replica('Evaluator') };
    const image = {
      op: 'replace',
      path: `${replica('Evaluator')}/template/spec/containers/0/image`,
      value: 'bobs:1',
    };
    const changed = await world.api.must(path('TFJob', 'maps'), json(copy, image), BOB);
    expect(usersOf(changed)).toEqual({ PS: 'alice', Worker: 'alice', Evaluator: 'bob' });
    const pod = await world.api.must(podsPath(), podOf(changed, 'Evaluator', 'TFJob'), operator);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'bob' });
    const hers = await world.api.must(podsPath(), podOf(changed, 'Worker', 'TFJob'), operator);
    expect(await world.stampOf(hers)).toMatchObject({ user: 'alice' });
  });

  it('keep their stamp when their operator touches the job, and lose no user by it', async () => {
    const mine = await post('TFJob', tfJob('operated', { Worker: { template: template('a:1') } }), ALICE);
    const removed = json(
      { op: 'remove', path: `${replica('Worker')}/template/metadata/annotations` },
      { op: 'add', path: '/spec/note', value: 'x' },
    );
    const same = await world.api.must(path('TFJob', 'operated'), removed, operator);
    expect(templatesOf(same)).toEqual(templatesOf(mine));
  });
});

describe('templates in a list', () => {
  it('are those of who wrote them, one by one', async () => {
    const job = await post('RingJob', ring('lists', ['a:1', 'b:1']), ALICE);
    expect(usersOf(job)).toEqual({ 0: 'alice', 1: 'alice' });
    const pod = await world.api.must(podsPath(), podOf(job, '1', 'RingJob'), operator);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
    const added = json({ op: 'add', path: '/spec/workers/-', value: { template: template('bobs:1') } });
    expect(usersOf(await world.api.must(path('RingJob', 'lists'), added, BOB))).toEqual({
      0: 'alice',
      1: 'alice',
      2: 'bob',
    });
  });

  it('can’t be moved to where another’s stamp is', async () => {
    const swap = [
      json({ op: 'move', from: '/spec/workers/2', path: '/spec/workers/0' }),
      json({ op: 'remove', path: '/spec/workers/0' }),
      json({ op: 'add', path: '/spec/workers/0', value: { template: template('bobs:1') } }),
    ];
    for (const write of swap)
      expect(await refusalOf(world, { path: path('RingJob', 'lists'), write, as: BOB })).toMatchObject({
        status: 403,
        reason: 'template-of-another',
      });
  });
});

describe('a custom resource whose schema drops the metadata of templates', () => {
  // The API server drops what the schema does not have when all webhooks have seen it.
  it('loses its stamp after everybody has looked: its pods speak for nobody, whatever they say', async () => {
    const body = tfJob('pruned', { Worker: { template: template('a:1') } }, 'PyTorchJob');
    const made = await world.api.call(path('PyTorchJob'), { method: 'POST', body }, ALICE);
    expect(made).toMatchObject({
      status: 201,
      warnings: [
        expect.stringContaining('its pods will get no Hadoop credentials'),
        expect.stringContaining('CustomResourceDefinition'),
      ],
    });
    const isOfJob = (line: object): boolean => JSON.stringify(line).includes('"pytorchjobs.kubeflow.org"');
    await until('the audit of the stamp', () =>
      Promise.resolve(
        (world.decorate?.auditLines() ?? []).some((line) => isOfJob(line) && line['user'] === 'alice'),
      ),
    );
    const job = await world.api.must(path('PyTorchJob', 'pruned'), { method: 'GET' });
    expect(usersOf(job)).toEqual({ Worker: undefined });

    const { method, body: bare } = podOf(job, 'Worker', 'PyTorchJob') as { method: 'POST'; body: ApiObject };
    const annotations = { [ANNOTATION]: 'alice' };
    const named = { ...bare, metadata: { ...bare.metadata, annotations } };
    for (const each of [bare, named]) {
      const pod = await world.api.must(podsPath(), { method, body: each }, operator);
      expect(pod.metadata?.annotations ?? {}).toEqual({});
      expect(pod.metadata?.labels ?? {}).toEqual({});
    }
  });
});
