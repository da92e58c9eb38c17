import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Write } from '../api-caller.ts';
import { ALICE, BOB, DecorateWorld, podBody, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { until } from '../until.ts';
import { asAdmin, failure, refusalOf } from './webhook-trials.ts';

/**
 * A controller manager without --use-service-account-credentials: all its controllers are one user, which is a part of the
 * cluster and no service account. To begin with nobody has made it a trusted controller.
 */
const MANAGER = 'system:kube-controller-manager';

let world: DecorateWorld;
beforeAll(async () => {
  world = await DecorateWorld.open({ controllers: 'shared' });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const spec = {
  replicas: 1,
  selector: { matchLabels: { app: 'train' } },
  template: {
    metadata: { labels: { app: 'train' } },
    spec: { containers: [{ name: 'main', image: 'a:1' }] },
  },
};

describe('controllers that are one user, which nobody has configured', () => {
  it('make no pods of a ReplicaSet of alice’s, and the event says what to do', async () => {
    const body = { metadata: { name: 'of-alice' }, spec };
    await world.api.must(`/apis/apps/v1/namespaces/${TEAM}/replicasets`, { method: 'POST', body }, ALICE);
    expect(await failure(world, 'of-alice')).toMatch(
      /"system:kube-controller-manager" is an account of Kubernetes itself .* an administrator can name it in trustedControllers/,
    );
    expect(await world.podsOf('of-alice')).toEqual([]);
  });

  it('leave pods of people alone', async () => {
    const pod = await world.api.must(podsPath(), { method: 'POST', body: podBody('plain') }, ALICE);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });

  it('are not anybody by a name that they set themselves', async () => {
    const annotations = { 'iddecorator.username': 'alice' };
    const write = { method: 'POST', body: podBody('named', { annotations }) } as const;
    const as = asAdmin(MANAGER);
    expect(await refusalOf(world, { path: podsPath(), write, as })).toMatchObject({
      status: 403,
      reason: 'system-requester',
    });
  });
});

describe('controllers that are one user, which an administrator has named', () => {
  beforeAll(async () => {
    const trustedControllers = ['builtin', MANAGER];
    await world.startWithRequesters({ trustedControllers, otherRequesters: 'themselves' });
  });

  const create = (plural: string, name: string, as = ALICE) =>
    world.api.must(
      `/apis/apps/v1/namespaces/${TEAM}/${plural}`,
      { method: 'POST', body: { metadata: { name }, spec } },
      as,
    );

  it.each([
    ['alice', ALICE],
    ['bob', BOB],
  ])('make the pods of a Deployment of %s, for whom these speak', async (user, as) => {
    await create('deployments', `web-of-${user}`, as);
    await until('its pod', async () => (await world.podsOf(`web-of-${user}-`)).length === 1);
    const [pod = {}] = await world.podsOf(`web-of-${user}-`);
    expect(await world.stampOf(pod)).toMatchObject({ user, requester: MANAGER });
  });

  it('make those of a ReplicaSet from before, as soon as it is touched', async () => {
    const path = `/apis/apps/v1/namespaces/${TEAM}/replicasets/of-alice`;
    const touch: Write = { method: 'PATCH', kind: 'merge', body: { spec: { replicas: 2 } } };
    await world.api.must(path, touch, ALICE);
    await until('its pods', async () => (await world.podsOf('of-alice-')).length === 2);
    for (const pod of await world.podsOf('of-alice-'))
      expect(await world.stampOf(pod)).toMatchObject({ user: 'alice', requester: MANAGER });
  });

  it('speak for nobody with a pod that nothing owns, whatever it says', async () => {
    const annotations = { 'iddecorator.username': 'alice' };
    const write = { method: 'POST', body: podBody('unowned', { annotations }) } as const;
    const pod = await world.api.must(podsPath(), write, asAdmin(MANAGER));
    expect(pod.metadata?.annotations ?? {}).toEqual({});
    expect(await world.stampOf(pod)).toBe('malformed');
  });

  it('are no other user by a name that looks like theirs', async () => {
    for (const user of ['system:kube-controller-manager2', 'System:kube-controller-manager']) {
      const write = { method: 'POST', body: podBody('of-nobody') } as const;
      const refusal = await refusalOf(world, { path: podsPath(), write, as: asAdmin(user) });
      expect(refusal).toMatchObject({
        status: 403,
        reason: expect.stringMatching(/^(system-requester|requester-not-mapped)$/),
      });
    }
  });
});
