import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALICE, DecorateWorld, podBody, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { failure, refusalOf } from './webhook-trials.ts';

/**
 * A controller manager without --use-service-account-credentials: all its controllers are one user, which is a part of the
 * cluster and no service account. Nobody has made it a trusted controller.
 */
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
    const as = { user: 'system:kube-controller-manager', groups: ['system:masters'] };
    expect(await refusalOf(world, { path: podsPath(), write, as })).toMatchObject({
      status: 403,
      reason: 'system-requester',
    });
  });
});
