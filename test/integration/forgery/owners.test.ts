import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Requester, Write } from '../api-caller.ts';
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
import { refusalOf } from './webhook-trials.ts';

const TEMPLATE_STAMP = 'kerbridge.dev/template-stamp';
const STAMP = 'kerbridge.dev/stamp';
/** By a rule, and by RBAC: templates that they change stay their user's. */
const CAROL: Requester = { user: 'carol', groups: ['analysts'] };
const DAVE: Requester = { user: 'dave', groups: ['analysts'] };

let world: DecorateWorld;
beforeAll(async () => {
  world = await DecorateWorld.open();
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${TEAM}`;
  const rules = [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['keep-identity'] }];
  await world.api.must(`${rbac}/roles`, { method: 'POST', body: { metadata: { name: 'keeps' }, rules } });
  await world.api.must(`${rbac}/rolebindings`, {
    method: 'POST',
    body: {
      metadata: { name: 'dave-keeps' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'keeps' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'dave' }],
    },
  });
  const exempt = [{ usernames: ['carol'], from: ['keep-identity'] }];
  const trustedControllers = ['builtin'];
  await world.startWithRequesters({ trustedControllers, otherRequesters: 'themselves', exempt });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

interface Annotated {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
}
const path = (kind: string, name = ''): string =>
  `/apis/apps/v1/namespaces/${TEAM}/${kind}s${name === '' ? '' : `/${name}`}`;
const templateOf = ({ spec }: ApiObject): Annotated => (spec as { template: Annotated }).template;
const workload = (name: string, replicas: number, change: object = {}): object => ({
  metadata: { name, ...change },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'trainer:1' }] },
    },
  },
});
const post = (kind: string, body: object, as: Requester): Promise<ApiObject> =>
  world.api.must(path(kind), { method: 'POST', body }, as);
const merge = (body: object): Write => ({ method: 'PATCH', kind: 'merge', body });
const controllerOf = ({ metadata }: ApiObject): unknown =>
  (metadata?.['ownerReferences'] as readonly { name?: string }[] | undefined)?.[0]?.name;
const userOf = async (pod: ApiObject): Promise<unknown> => {
  const stamp = await world.stampOf(pod);
  return typeof stamp === 'string' ? stamp : stamp.user;
};

async function podsOf(prefix: string, count: number): Promise<readonly ApiObject[]> {
  await until(`${count} pods of ${prefix}`, async () => (await world.podsOf(prefix)).length === count);
  return await world.podsOf(prefix);
}

describe('a pod of bob’s', () => {
  it('with the ownerReference and the template stamp of alice’s ReplicaSet is his', async () => {
    const set = await post('replicaset', workload('hers', 0), ALICE);
    const { name, uid } = set.metadata ?? {};
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid, controller: true };
    const annotations = templateOf(set).metadata.annotations;
    const body = podBody('faked', { ownerReferences: [owner], annotations });
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, BOB);
    expect(await userOf(pod)).toBe('bob');
  });

  it('without an owner stays his when alice’s ReplicaSet takes it for its own', async () => {
    const labels = { app: 'adopts' };
    await world.api.must(podsPath(), { method: 'POST', body: podBody('orphan', { labels }) }, BOB);
    await post('replicaset', workload('adopts', 1), ALICE);
    const orphan = `${podsPath()}/orphan`;
    const read = (): Promise<ApiObject> => world.api.must(orphan, { method: 'GET' });
    await until('it is adopted', async () => controllerOf(await read()) === 'adopts');
    expect(await userOf(await read())).toBe('bob');
    const image = { op: 'replace', path: '/spec/containers/0/image', value: 'alices:1' };
    const write: Write = { method: 'PATCH', kind: 'JSON', body: [image] };
    const trial = { path: orphan, write, as: ALICE };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'pod-of-another' });
  });

  it.each([
    ['under another name', TEAM, 'other-name'],
    ['in another namespace', 'team-2', 'copied'],
    ['under the same name, when hers is gone', TEAM, 'copied'],
  ])('with a copy of alice’s stamp, %s, is his', async (_, namespace, name) => {
    if (namespace !== TEAM) await world.createNamespace(namespace, { iddecorator: 'enabled' });
    const hers = await world.api.must(podsPath(), { method: 'POST', body: podBody('copied') }, ALICE);
    await world.api.must(`${podsPath()}/copied?gracePeriodSeconds=0`, { method: 'DELETE' });
    const { annotations, labels } = hers.metadata ?? {};
    const by = { ...BOB, groups: ['system:masters'] };
    const body = podBody(name, { annotations, labels });
    const pod = await world.api.must(podsPath(namespace), { method: 'POST', body }, by);
    expect(await world.stampOf(pod)).toMatchObject({
      namespace,
      podName: name,
      user: 'bob',
      requester: 'bob',
    });
    await world.api.must(`${podsPath(namespace)}/${name}?gracePeriodSeconds=0`, { method: 'DELETE' });
  });

  it('with a template stamp for its stamp is his', async () => {
    const set = await post('replicaset', workload('stamped', 0), ALICE);
    const stamp = templateOf(set).metadata.annotations[TEMPLATE_STAMP] ?? '';
    const annotations = { [STAMP]: stamp, [ANNOTATION]: 'alice' };
    const body = podBody('of-a-template', { annotations });
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, BOB);
    expect(await userOf(pod)).toBe('bob');
  });
});

describe('a ReplicaSet of bob’s', () => {
  it('with the ownerReference, the template and the stamp of alice’s Deployment is his', async () => {
    const deployment = await post('deployment', workload('shared', 0), ALICE);
    const { name, uid } = deployment.metadata ?? {};
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name, uid, controller: true };
    const copy = deployment['spec'] as { selector: object; template: object };
    const body = {
      metadata: { name: 'shared-faked', ownerReferences: [owner], labels: { app: 'shared' } },
      spec: { replicas: 1, selector: copy.selector, template: copy.template },
    };
    const set = await post('replicaset', body, BOB);
    expect(templateOf(set).metadata.annotations[ANNOTATION]).toBe('bob');
  });

  it('without an owner makes no pods of alice’s when her Deployment takes it for its own', async () => {
    const orphan = workload('orphaned', 1, { labels: { app: 'orphaned' } });
    await post('replicaset', orphan, BOB);
    const [his = {}] = await podsOf('orphaned', 1);
    expect(await userOf(his)).toBe('bob');
    const deployment = workload('orphaned', 2);
    await post('deployment', deployment, ALICE);
    const read = (): Promise<ApiObject> => world.api.must(path('replicaset', 'orphaned'), { method: 'GET' });
    await until('it is adopted', async () => controllerOf(await read()) === 'orphaned');
    await until('pods of hers', async () => (await world.podsOf('orphaned-')).length >= 2);
    for (const pod of await world.podsOf('orphaned-'))
      expect(await userOf(pod)).toBe(controllerOf(pod) === 'orphaned' ? 'bob' : 'alice');
  });

  it('of alice’s that her Deployment has left behind stays hers under a Deployment of bob’s', async () => {
    await post('deployment', workload('left', 1), ALICE);
    await podsOf('left-', 1);
    const propagationPolicy = 'Orphan';
    await world.api.must(`${path('deployment', 'left')}?propagationPolicy=${propagationPolicy}`, {
      method: 'DELETE',
    });
    await until('the Deployment is gone', async () => {
      return (await world.api.call(path('deployment', 'left'), { method: 'GET' })).status === 404;
    });
    const mine = workload('left', 1) as { spec: { template: { spec: { containers: object[] } } } };
    mine.spec.template.spec.containers = [{ name: 'main', image: 'bobs:1' }];
    await post('deployment', mine, BOB);
    const imageOf = (pod: ApiObject): string =>
      JSON.stringify(pod['spec']).includes('bobs:1') ? 'bob' : 'alice';
    await until('a pod of his', async () =>
      (await world.podsOf('left-')).some((pod) => imageOf(pod) === 'bob'),
    );
    for (const pod of await world.podsOf('left-')) expect(await userOf(pod)).toBe(imageOf(pod));
  });
});

const evil = { containers: [{ name: 'main', image: 'evil:1' }] };
const strategic = (change: object): Write => ({ method: 'PATCH', kind: 'strategic', body: change });
const image = strategic({ spec: { template: { spec: evil } } });

describe('a Deployment of alice’s', () => {
  const made = async (name: string): Promise<ApiObject> => await post('deployment', workload(name, 0), ALICE);
  const put = (object: ApiObject, template: object): Write => {
    const { resourceVersion: _, managedFields: __, ...metadata } = object.metadata ?? {};
    return {
      method: 'PUT',
      body: { ...object, metadata, spec: { ...(object['spec'] as object), template } },
    };
  };

  it('put by bob without its stamp gets it back, and is rolled out no more', async () => {
    const before = await made('put');
    const { spec } = templateOf(before) as unknown as { spec: object };
    const after = await world.api.must(
      path('deployment', 'put'),
      put(before, { metadata: { labels: { app: 'put' } }, spec }),
      BOB,
    );
    expect(templateOf(after).metadata.annotations).toEqual(templateOf(before).metadata.annotations);
    const { generation } = after.metadata as { generation?: number };
    await until('the controller has seen the change', async () => {
      const { status } = (await world.api.must(path('deployment', 'put'), { method: 'GET' })) as {
        status?: { observedGeneration?: number };
      };
      return status?.observedGeneration === generation;
    });
    const list = await world.api.must(path('replicaset'), { method: 'GET' });
    const { items } = list as { items?: readonly ApiObject[] };
    expect((items ?? []).filter(({ metadata }) => metadata?.name?.startsWith('put-'))).toHaveLength(1);
  });

  it('put by bob without its stamp, with another image, is refused', async () => {
    const before = await made('put-evil');
    const write = put(before, { metadata: { labels: { app: 'put-evil' } }, spec: evil });
    const trial = { path: path('deployment', 'put-evil'), write, as: BOB };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'template-of-another' });
  });

  it('does not take a stamp of another of hers, nor another’s name', async () => {
    const before = await made('exchange');
    const other = templateOf(await made('donor')).metadata.annotations;
    for (const annotations of [other, { [ANNOTATION]: 'bob' }]) {
      const write = merge({ spec: { template: { metadata: { annotations } } } });
      const after = await world.api.must(path('deployment', 'exchange'), write, BOB);
      expect(templateOf(after).metadata.annotations).toEqual(templateOf(before).metadata.annotations);
    }
  });

  it.each([
    ['claims for carol', 'carol', 'claim-of-another'],
    ['claims for alice', 'alice', 'claim-of-another'],
    ['claims for nobody', '', 'claim-of-another'],
  ])('is not bob’s when he %s', async (_, claimed, reason) => {
    const name = `claimed-${claimed === '' ? 'empty' : claimed}`;
    await made(name);
    const metadata = { annotations: { 'kerbridge.dev/claim': claimed } };
    const write = strategic({ metadata, spec: { template: { spec: evil } } });
    const trial = { path: path('deployment', name), write, as: BOB };
    expect(await refusalOf(world, trial)).toEqual({
      status: 403,
      reason,
      message: expect.stringContaining('name yourself or remove it'),
    });
  });

  it.each([
    ['a rule', CAROL],
    ['RBAC', DAVE],
  ])('stays hers when it is changed by whom %s lets keep it', async (_, as) => {
    const name = `kept-by-${as.user}`;
    await made(name);
    const after = await world.api.must(path('deployment', name), image, as);
    expect(templateOf(after).metadata.annotations[ANNOTATION]).toBe('alice');
    await world.api.must(`${path('deployment', name)}/scale`, merge({ spec: { replicas: 1 } }), BOB);
    const [pod = {}] = await podsOf(`${name}-`, 1);
    expect(await userOf(pod)).toBe('alice');
    expect(JSON.stringify(pod['spec'])).toContain('evil:1');
  });

  it('may be kept only where RBAC says so', async () => {
    await post('statefulset', { ...workload('not-kept', 0) }, ALICE);
    const trial = { path: path('statefulset', 'not-kept'), write: image, as: DAVE };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'template-of-another' });
  });
});
