import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Requester, Write } from '../api-caller.ts';
import { ALICE, ANNOTATION, BOB, DecorateWorld, TEAM } from '../decorate/decorate-world.ts';
import { grantClusterRole } from '../cluster-role.ts';
import { until } from '../until.ts';
import { definition, OPEN } from './job-definitions.ts';
import { refusalOf, tokenOf } from './webhook-trials.ts';

/*
 * As Kubeflow's notebook controller works: it finds the StatefulSet of a Notebook by its name, whoever made that, and writes
 * the Notebook's pod spec into it. Its annotations stay, and with them the stamp.
 */

const OPERATOR = { namespace: 'operators', name: 'notebooks' };

let world: DecorateWorld;
/** A trusted controller by the requesters file. */
let operator: Requester;

beforeAll(async () => {
  world = await DecorateWorld.open();
  const { api } = world;
  await world.define(definition('kubeflow.org', 'Notebook', OPEN));
  await world.createNamespace(OPERATOR.namespace);
  const account = { metadata: { name: OPERATOR.name } };
  const accounts = `/api/v1/namespaces/${OPERATOR.namespace}/serviceaccounts`;
  await api.must(accounts, { method: 'POST', body: account });
  // Not all verbs: among them would be keep-identity.
  const verbs = ['get', 'list', 'create', 'update', 'patch', 'delete'];
  const notebooks = { apiGroups: ['kubeflow.org'], resources: ['notebooks', 'notebooks/finalizers'], verbs };
  const sets = { apiGroups: ['apps'], resources: ['statefulsets'], verbs };
  await grantClusterRole(api, 'notebooks-edit', {
    rules: [notebooks],
    subjects: [
      {
        kind: 'Group',
        name: 'analysts',
        apiGroup: 'rbac.authorization.k8s.io',
      },
    ],
  });
  await grantClusterRole(api, 'notebooks-operator', {
    rules: [notebooks, sets],
    subjects: [{ kind: 'ServiceAccount', ...OPERATOR }],
  });
  operator = await tokenOf(world, OPERATOR);
  const trustedControllers = ['builtin', operator.user];
  await world.startWithRequesters({ trustedControllers, otherRequesters: 'themselves' });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const notebookPath = (name = ''): string =>
  `/apis/kubeflow.org/v1/namespaces/${TEAM}/notebooks${name === '' ? '' : `/${name}`}`;
const setPath = (name = ''): string =>
  `/apis/apps/v1/namespaces/${TEAM}/statefulsets${name === '' ? '' : `/${name}`}`;
const containers = (image: string): object => ({ spec: { containers: [{ name: 'main', image }] } });

const wish = async (name: string, image: string, as: Requester): Promise<ApiObject> =>
  await world.api.must(
    notebookPath(),
    {
      method: 'POST',
      body: {
        apiVersion: 'kubeflow.org/v1',
        kind: 'Notebook',
        metadata: { name },
        spec: { template: containers(image) },
      },
    },
    as,
  );

const setBody = (name: string, image: string, metadata: object = {}): object => ({
  metadata: { name, ...metadata },
  spec: {
    replicas: 0,
    serviceName: name,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, ...containers(image) },
  },
});
const ownedBy = ({ metadata }: ApiObject): object => ({
  ownerReferences: [
    {
      apiVersion: 'kubeflow.org/v1',
      kind: 'Notebook',
      name: metadata?.name,
      uid: metadata?.uid,
      controller: true,
    },
  ],
});
const makeSet = async (body: object, as: Requester): Promise<ApiObject> =>
  await world.api.must(setPath(), { method: 'POST', body }, as);
/** What the operator writes when it finds another spec than the Notebook's. */
const sync = (name: string, image: string) => ({
  path: setPath(name),
  write: {
    method: 'PATCH',
    kind: 'strategic',
    body: { spec: { template: containers(image) } },
  } satisfies Write,
  as: operator,
});
const userOf = ({ spec }: ApiObject): string | undefined =>
  (spec as { template: { metadata: { annotations?: Record<string, string> } } }).template.metadata
    .annotations?.[ANNOTATION];

/** A Notebook of alice's, and what the operator makes of it. */
async function alices(name: string): Promise<ApiObject> {
  const notebook = await wish(name, 'a:1', ALICE);
  expect(userOf(await makeSet(setBody(name, 'a:1', ownedBy(notebook)), operator))).toBe('alice');
  return notebook;
}
const IMAGE_2 = {
  method: 'PATCH',
  kind: 'merge',
  body: { spec: { template: { spec: { containers: [{ name: 'main', image: 'a:2' }] } } } },
} as const;

describe('what a trusted operator writes into a StatefulSet', () => {
  it('is alice’s where her Notebook owns it', async () => {
    await alices('hers');
    await world.api.must(notebookPath('hers'), IMAGE_2, ALICE);
    const { path, write } = sync('hers', 'a:2');
    expect(userOf(await world.api.must(path, write, operator))).toBe('alice');
  });

  it('is refused where it is alice’s own and bob’s Notebook has its name', async () => {
    await makeSet(setBody('same', 'a:1'), ALICE);
    await wish('same', 'bobs:1', BOB);
    expect(await refusalOf(world, sync('same', 'bobs:1'))).toMatchObject({
      status: 403,
      reason: 'template-of-another',
    });
    expect(userOf(await world.api.must(setPath('same'), { method: 'GET' }))).toBe('alice');
  });

  it('is refused when bob has claimed her Notebook', async () => {
    await alices('claimed');
    const { body } = IMAGE_2;
    const claim = {
      ...IMAGE_2,
      body: { ...body, metadata: { annotations: { 'kerbridge.dev/claim': 'bob' } } },
    };
    await world.api.must(notebookPath('claimed'), claim, BOB);
    expect(await refusalOf(world, sync('claimed', 'a:2'))).toMatchObject({
      status: 403,
      reason: 'template-of-another',
    });
  });

  it('is refused when her Notebook was deleted without what it owns, and bob makes one of its name', async () => {
    await alices('orphaned');
    const orphan = [
      'delete',
      'notebook',
      'orphaned',
      '--namespace',
      TEAM,
      '--cascade=orphan',
      '--timeout=60s',
    ];
    await world.kubectl.must(orphan);
    // The garbage collector of the real controller manager has taken the reference off.
    await until('an orphan', async () => {
      const { metadata } = await world.api.must(setPath('orphaned'), { method: 'GET' });
      return (metadata as { ownerReferences?: unknown }).ownerReferences === undefined;
    });
    await wish('orphaned', 'bobs:1', BOB);
    expect(await refusalOf(world, sync('orphaned', 'bobs:1'))).toMatchObject({
      status: 403,
      reason: 'template-of-another',
    });
  });
});

describe('what owns a StatefulSet of alice’s', () => {
  const refer = async (name: string, as: Requester) => {
    const body = { metadata: ownedBy(await wish(`owner-of-${name}`, 'a:1', ALICE)) };
    return { path: setPath(name), write: { method: 'PATCH', kind: 'merge', body } satisfies Write, as };
  };

  it('is not for bob to say', async () => {
    await makeSet(setBody('free', 'a:1'), ALICE);
    expect(await refusalOf(world, await refer('free', BOB))).toMatchObject({
      status: 403,
      reason: 'owners-of-another',
    });
  });

  it.each([
    ['alice', () => ALICE],
    ['the operator', () => operator],
  ])('is for %s to say', async (who, as) => {
    const name = `told-by-${who.split(' ').at(-1)}`;
    await makeSet(setBody(name, 'a:1'), ALICE);
    const { path, write } = await refer(name, as());
    await world.api.must(path, write, as());
  });
});

it('a template that bob put into its history is not alice’s by a rollback', async () => {
  const path = (kind: string, name = ''): string =>
    `/apis/apps/v1/namespaces/${TEAM}/${kind}${name === '' ? '' : `/${name}`}`;
  const { spec } = setBody('web', 'a:1') as { spec: { serviceName?: string } };
  const { serviceName: _, ...withoutService } = spec;
  const deployment = { metadata: { name: 'web' }, spec: withoutService };
  await world.api.must(path('deployments'), { method: 'POST', body: deployment }, ALICE);
  const history = {
    metadata: { name: 'web-poisoned' },
    spec: {
      ...withoutService,
      selector: { matchLabels: { app: 'web', hash: 'x' } },
      template: { metadata: { labels: { app: 'web', hash: 'x' } }, ...containers('bobs:1') },
    },
  };
  const poisoned = await world.api.must(path('replicasets'), { method: 'POST', body: history }, BOB);
  const { template } = poisoned['spec'] as { template: { metadata: object } };
  // As kubectl rollout undo does.
  const undo = (annotations: object): Write => ({
    method: 'PATCH',
    kind: 'JSON',
    body: [
      {
        op: 'replace',
        path: '/spec/template',
        value: { ...template, metadata: { labels: { app: 'web' }, annotations } },
      },
    ],
  });
  const { annotations = {} } = template.metadata as { annotations?: object };
  const trial = { path: path('deployments', 'web'), write: undo(annotations), as: ALICE };
  expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'template-from-another' });
  // What she writes herself is hers, be it the same.
  expect(userOf(await world.api.must(path('deployments', 'web'), undo({}), ALICE))).toBe('alice');
});
