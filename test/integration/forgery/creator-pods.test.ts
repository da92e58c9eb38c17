import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Reply, Requester } from '../api-caller.ts';
import { ALICE, BOB, DecorateWorld, OTHERS, podBody, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { NODE, refusalOf, tokenOf, withoutWebhooks } from './webhook-trials.ts';

const SECOND = 'team-2';
const ACCOUNT = 'driver';

let world: DecorateWorld;

beforeAll(async () => {
  world = await DecorateWorld.open();
  await world.createNamespace(SECOND, { iddecorator: 'enabled' });
  for (const namespace of [TEAM, OTHERS, SECOND]) {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await world.api.must(path, { method: 'POST', body: { metadata: { name: ACCOUNT } } });
  }
  await world.api.must(`/apis/rbac.authorization.k8s.io/v1/namespaces/${SECOND}/rolebindings`, {
    method: 'POST',
    body: {
      metadata: { name: 'analysts-edit' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'analysts' }],
    },
  });
  // As a Role for Spark drivers is, and more.
  await world.api.must('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    method: 'POST',
    body: {
      metadata: { name: 'drivers-edit' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [TEAM, OTHERS, SECOND].map((namespace) => ({
        kind: 'ServiceAccount',
        name: ACCOUNT,
        namespace,
      })),
    },
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const driverBody = (name: string): object => ({
  metadata: { name },
  spec: {
    serviceAccountName: ACCOUNT,
    nodeName: NODE,
    containers: [{ name: 'main', image: 'driver:1' }],
  },
});

interface Driver {
  readonly pod: ApiObject;
  readonly as: Requester;
  readonly path: string;
}

async function driver(name: string, by: Requester = ALICE, namespace = TEAM): Promise<Driver> {
  const pod = await world.api.must(podsPath(namespace), { method: 'POST', body: driverBody(name) }, by);
  const as = await tokenOf(world, { namespace, name: ACCOUNT }, pod);
  return { pod, as, path: `${podsPath(namespace)}/${name}` };
}

const setPhase = async (path: string, phase: string): Promise<void> => {
  await world.api.must(`${path}/status`, { method: 'PATCH', kind: 'merge', body: { status: { phase } } });
};

describe('a pod made by the token of a pod', () => {
  it.each([
    ['alice', ALICE],
    ['bob', BOB],
  ])('speaks for %s, as that one does, whatever it says itself', async (user, by) => {
    const { as } = await driver(`driver-of-${user}`, by);
    const body = podBody(`executor-of-${user}`, { annotations: { 'iddecorator.username': 'mallory' } });
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, as);
    expect(await world.stampOf(pod)).toMatchObject({ user, requester: as.user });
  });

  it('that such a pod has made in turn speaks for the same', async () => {
    const { as } = await driver('first');
    const second = await world.api.must(podsPath(), { method: 'POST', body: driverBody('second') }, as);
    const ofSecond = await tokenOf(world, { namespace: TEAM, name: ACCOUNT }, second);
    const third = await world.api.must(podsPath(), { method: 'POST', body: podBody('third') }, ofSecond);
    expect(await world.stampOf(third)).toMatchObject({ user: 'alice' });
  });

  it('in a namespace without the label is not touched', async () => {
    const { as } = await driver('reaches-out');
    const pod = await world.api.must(podsPath(OTHERS), { method: 'POST', body: podBody('out') }, as);
    expect(pod.metadata?.annotations ?? {}).toEqual({});
  });
});

interface Refused {
  readonly title: string;
  readonly reason: string;
  readonly text: RegExp;
  /** Who tries to make a pod in {@link TEAM}. */
  readonly as: () => Promise<Requester>;
}

const REFUSED: readonly Refused[] = [
  {
    title: 'of a pod of another namespace, opted in as well',
    reason: 'service-account-not-mapped',
    text: /speaks for no user in namespace "team"/,
    as: async () => (await driver('elsewhere', ALICE, SECOND)).as,
  },
  {
    title: 'of a pod of a namespace without the label',
    reason: 'service-account-not-mapped',
    text: /speaks for no user in namespace "team"/,
    as: async () => (await driver('outside', ALICE, OTHERS)).as,
  },
  {
    title: 'of a pod that has finished',
    reason: 'creator-pod-finished',
    text: /has finished: start it again/,
    as: async () => {
      const { as, path } = await driver('done');
      await setPhase(path, 'Succeeded');
      return as;
    },
  },
  {
    title: 'of a pod that has failed',
    reason: 'creator-pod-finished',
    text: /has finished: start it again/,
    as: async () => {
      const { as, path } = await driver('failed');
      await setPhase(path, 'Failed');
      return as;
    },
  },
  {
    title: 'of a pod that is being deleted',
    reason: 'creator-pod-terminating',
    text: /is being deleted: start it again/,
    as: async () => {
      const { as, path } = await driver('dying');
      await setPhase(path, 'Running');
      await world.api.must(`${path}?gracePeriodSeconds=600`, { method: 'DELETE' });
      return as;
    },
  },
  {
    title: 'of a pod that was deleted, while the API server still takes its token',
    reason: 'creator-pod-not-found',
    text: /does not exist any more: start it again/,
    as: async () => {
      const { as, path } = await driver('gone');
      await useOnce(as);
      await world.api.must(`${path}?gracePeriodSeconds=0`, { method: 'DELETE' });
      return as;
    },
  },
  {
    title: 'of a pod in whose place bob has made another',
    reason: 'creator-pod-uid-differs',
    text: /was replaced by another of its name/,
    as: async () => {
      const { as, path } = await driver('replaced');
      await useOnce(as);
      await world.api.must(`${path}?gracePeriodSeconds=0`, { method: 'DELETE' });
      await world.api.must(podsPath(), { method: 'POST', body: driverBody('replaced') }, BOB);
      return as;
    },
  },
  {
    title: 'of the account, bound to no pod',
    reason: 'service-account-not-mapped',
    text: /speaks for no user in namespace "team": create the object as a user, or from a pod/,
    as: () => tokenOf(world, { namespace: TEAM, name: ACCOUNT }),
  },
];

/** The API server remembers for ten seconds that a token was good. */
const useOnce = async (as: Requester): Promise<void> => {
  await world.api.must(podsPath(), { method: 'GET' }, as);
};

describe('no pod is made by the token', () => {
  it.each(REFUSED)('$title', async ({ reason, text, as: login }) => {
    const as = await login();
    const write = { method: 'POST', body: podBody('of-a-token') } as const;
    expect(await refusalOf(world, { path: podsPath(), write, as })).toEqual({
      status: 403,
      reason,
      message: expect.stringMatching(text),
    });
  });

  it('of a pod that was made while nobody was asked, whatever it says', async () => {
    const restore = await withoutWebhooks(world);
    const { metadata, ...rest } = driverBody('unasked') as { metadata: object };
    const body = { ...rest, metadata: { ...metadata, annotations: { 'iddecorator.username': 'alice' } } };
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, BOB);
    await restore();
    const as = await tokenOf(world, { namespace: TEAM, name: ACCOUNT }, pod);
    const write = { method: 'POST', body: podBody('of-unasked') } as const;
    expect(await refusalOf(world, { path: podsPath(), write, as })).toMatchObject({
      status: 403,
      reason: 'creator-pod-not-stamped',
      message: expect.stringContaining('speaks for no user'),
    });
  });
});

describe('a token for a pod of alice’s', () => {
  const request = async (
    as: Requester | undefined,
    pod: ApiObject,
    audiences?: readonly string[],
  ): Promise<Reply> => {
    const { name, uid } = pod.metadata ?? {};
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, ...(uid === undefined ? {} : { uid }) };
    const spec = { boundObjectRef, ...(audiences === undefined ? {} : { audiences }) };
    const path = `/api/v1/namespaces/${TEAM}/serviceaccounts/${ACCOUNT}/token`;
    return await world.api.call(path, { method: 'POST', body: { spec } }, as);
  };

  // Whoever has one makes pods as alice.
  it.each([
    ['bob', BOB, undefined],
    ['bob, for an audience that is not ours', BOB, ['other']],
    ['an administrator', undefined, undefined],
  ] as const)('for the API server is not given to %s', async (who, as, audiences) => {
    const { pod } = await driver(`wanted-by-${who.replaceAll(/[^a-z]/g, '')}`);
    const { status, body } = await request(as, pod, audiences);
    expect({ status, message: body.message }).toEqual({
      status: 403,
      message: expect.stringMatching(/'kerbridge-token-audience'.*only kubelets/),
    });
  });
});
