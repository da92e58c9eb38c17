import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Requester, Write } from '../api-caller.ts';
import { ALICE, BOB, DecorateWorld, podBody, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { until } from '../until.ts';
import { asAdmin, refusalOf } from './webhook-trials.ts';

const SECOND = 'team-2';
/** By a rule, in {@link TEAM} alone. */
const DAVE = asAdmin('dave');
/** By a rule of groups, everywhere. */
const ON_CALL: Requester = { user: 'erin', groups: ['system:masters', 'on-call'] };

let world: DecorateWorld;
beforeAll(async () => {
  world = await DecorateWorld.open();
  await world.createNamespace(SECOND, { iddecorator: 'enabled' });
  const exempt = [
    { usernames: ['dave'], namespaces: [TEAM], from: ['connect'] },
    { groups: ['on-call'], from: ['connect'] },
  ];
  const trustedControllers = ['builtin'];
  await world.startWithRequesters({ trustedControllers, otherRequesters: 'themselves', exempt });
  for (const [namespace, by] of [
    [TEAM, ALICE],
    [SECOND, asAdmin('alice')],
  ] as const)
    await world.api.must(podsPath(namespace), { method: 'POST', body: podBody('train') }, by);
  await world.api.must(podsPath(), { method: 'POST', body: podBody('of-bob') }, BOB);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

interface Way {
  readonly title: string;
  /** Of a pod by its name: what follows the path of the pods. */
  readonly at: (pod: string) => string;
  readonly method?: 'POST';
  /** What the API server says to whoever may: there is no node behind the pod. */
  readonly itself: RegExp;
}

const NO_NODE = /does not have a host assigned/;
/** The pod has no address. */
const NO_ADDRESS = /^address not allowed$/;

const WAYS: readonly Way[] = [
  { title: 'exec', at: (pod) => `${pod}/exec?command=id&stdout=true`, itself: NO_NODE },
  {
    title: 'exec, by POST',
    at: (pod) => `${pod}/exec?command=id&stdout=true`,
    method: 'POST',
    itself: NO_NODE,
  },
  { title: 'attach', at: (pod) => `${pod}/attach?stdout=true`, itself: NO_NODE },
  {
    title: 'attach, by POST',
    at: (pod) => `${pod}/attach?stdin=true&stdout=true`,
    method: 'POST',
    itself: NO_NODE,
  },
  { title: 'portforward', at: (pod) => `${pod}/portforward?ports=80`, itself: NO_NODE },
  {
    title: 'portforward, by POST',
    at: (pod) => `${pod}/portforward?ports=80`,
    method: 'POST',
    itself: NO_NODE,
  },
  { title: 'proxy', at: (pod) => `${pod}/proxy`, itself: NO_ADDRESS },
  { title: 'proxy, to a path', at: (pod) => `${pod}/proxy/metrics?a=b`, itself: NO_ADDRESS },
  { title: 'proxy, to a port', at: (pod) => `${pod}:80/proxy`, itself: NO_ADDRESS },
  { title: 'proxy, by a scheme and a port', at: (pod) => `http:${pod}:80/proxy`, itself: NO_ADDRESS },
  { title: 'proxy, by https', at: (pod) => `https:${pod}:443/proxy/`, itself: NO_ADDRESS },
  { title: 'proxy, by a scheme without a port', at: (pod) => `http:${pod}:/proxy`, itself: NO_ADDRESS },
  { title: 'proxy, by POST', at: (pod) => `http:${pod}:80/proxy/`, method: 'POST', itself: NO_ADDRESS },
];

const reach = ({ at, method }: Way, pod = 'train', namespace = TEAM): { path: string; write: Write } => ({
  path: `${podsPath(namespace)}/${at(pod)}`,
  write: method === 'POST' ? { method, body: {} } : { method: 'GET' },
});

describe.each(WAYS)('into a pod of alice’s, by $title', (way) => {
  it.each([
    ['bob', BOB],
    ['bob, who may do everything', asAdmin('bob')],
    ['who is nobody', asAdmin('system:kube-scheduler')],
    ['who is exempt elsewhere', DAVE, SECOND],
    ['the administrator of the cluster by that name', asAdmin('admin')],
  ] as const)('not %s', async (_, as, namespace: string = TEAM) => {
    expect(await refusalOf(world, { ...reach(way, 'train', namespace), as })).toEqual({
      status: 403,
      reason: 'pod-of-another',
      message: expect.stringMatching(
        /this reaches into pod "train", which speaks for "alice": .*exemption from "connect"/,
      ),
    });
  });

  it.each([
    ['alice', ALICE],
    ['alice, who may do everything', asAdmin('alice')],
    ['who is exempt there', DAVE],
    ['who is exempt everywhere, by a group', ON_CALL, SECOND],
  ] as const)('%s gets as far as the API server does', async (_, as, namespace: string = TEAM) => {
    const { path, write } = reach(way, 'train', namespace);
    const { status, body } = await world.api.call(path, write, as);
    expect({ status, message: body.message }).toEqual({
      status: expect.any(Number),
      message: expect.stringMatching(way.itself),
    });
    expect(status).not.toBe(403);
  });

  it('bob gets as far in a pod of his own', async () => {
    const { path, write } = reach(way, 'of-bob');
    const { body } = await world.api.call(path, write, BOB);
    expect(body.message).toMatch(way.itself);
  });

  it('not into one that is not there: who knows whose it would be', async () => {
    expect(await refusalOf(world, { ...reach(way, 'not-there'), as: BOB })).toMatchObject({
      status: 403,
      message: expect.stringContaining('there is no pod "not-there": look at its name'),
    });
  });
});

describe('when nobody is asked', () => {
  beforeAll(async () => {
    const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/kerbridge-decorate';
    await world.api.must(path, { method: 'DELETE' });
    const [first] = WAYS;
    if (first === undefined) throw new Error('there is no way');
    await until('nobody is asked', async () => {
      const { path: to, write } = reach(first);
      return (await world.api.call(to, write, BOB)).status !== 403;
    });
  });

  it.each(WAYS)('nothing else stops bob: $title', async (way) => {
    const { path, write } = reach(way);
    expect((await world.api.call(path, write, BOB)).body.message).toMatch(way.itself);
  });
});
