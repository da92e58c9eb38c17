import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '../../../src/observability/secret.ts';
import type { Requester } from '../api-caller.ts';
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
import { asAdmin, KUBELET, refusalOf, tokenOf } from './webhook-trials.ts';

let world: DecorateWorld;
/** An account with the role `edit`: what bob has when he uses its token. */
let attacker: Requester;
let legacy: Requester;

beforeAll(async () => {
  world = await DecorateWorld.open();
  const { api } = world;
  await api.must(`/api/v1/namespaces/${TEAM}/serviceaccounts`, {
    method: 'POST',
    body: { metadata: { name: 'attacker' } },
  });
  await api.must(`/apis/rbac.authorization.k8s.io/v1/namespaces/${TEAM}/rolebindings`, {
    method: 'POST',
    body: {
      metadata: { name: 'attacker-edits' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [
        { kind: 'ServiceAccount', namespace: TEAM, name: 'attacker' },
        { kind: 'ServiceAccount', namespace: 'kube-system', name: 'default' },
      ],
    },
  });
  attacker = await tokenOf(world, { namespace: TEAM, name: 'attacker' });
  legacy = await legacyToken('attacker');
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** As bob may make one, with the role edit. */
async function legacyToken(account: string): Promise<Requester> {
  const path = `/api/v1/namespaces/${TEAM}/secrets`;
  const metadata = { name: 'legacy', annotations: { 'kubernetes.io/service-account.name': account } };
  const body = { metadata, type: 'kubernetes.io/service-account-token' };
  await world.api.must(path, { method: 'POST', body }, BOB);
  const read = async (): Promise<string> => {
    const { data } = (await world.api.must(`${path}/legacy`, { method: 'GET' }, BOB)) as {
      data?: { token?: string };
    };
    return Buffer.from(data?.token ?? '', 'base64').toString();
  };
  await until('the token of the Secret', async () => (await read()) !== '');
  return { user: `system:serviceaccount:${TEAM}:${account}`, bearer: new Secret(await read()) };
}

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const CREDENTIAL = 'authentication.kubernetes.io/credential-id';
const CONTROLLER = 'system:serviceaccount:kube-system:replicaset-controller';
const OF_ACCOUNT = { uid: 'a-uid', extra: { [CREDENTIAL]: 'JTI=made-up' } };

interface Refused {
  readonly title: string;
  readonly reason: string;
  readonly as: () => Requester | Promise<Requester>;
}

const account = (title: string, reason: string, as: Refused['as']): Refused => ({ title, reason, as });
const person = (title: string, reason: string, user: string): Refused => ({
  title,
  reason,
  as: () => asAdmin(user),
});

const REFUSED: readonly Refused[] = [
  account('an account that no rule names', 'service-account-not-mapped', () => attacker),
  account('the same with a token of a legacy Secret', 'service-account-unproven', () => legacy),
  account('an impersonated account', 'service-account-unproven', () => ({
    ...attacker,
    impersonates: true,
  })),
  account('a trusted controller, impersonated', 'service-account-unproven', () => asAdmin(CONTROLLER)),
  account('a trusted controller, with a UID and without a credential', 'service-account-unproven', () => ({
    ...asAdmin(CONTROLLER),
    uid: 'a-uid',
  })),
  account('a trusted controller, with a credential and without a UID', 'service-account-unproven', () => ({
    ...asAdmin(CONTROLLER),
    extra: OF_ACCOUNT.extra,
  })),
  account('an account of kube-system that is not in the list', 'service-account-not-mapped', () =>
    tokenOf(world, { namespace: 'kube-system', name: 'default' }),
  ),
  account('an account whose name ends as a controller’s', 'service-account-not-mapped', () => ({
    ...asAdmin(`system:serviceaccount:${TEAM}:replicaset-controller`),
    ...OF_ACCOUNT,
  })),
  account('a person who claims to be a pod', 'creator-pod-malformed', () => ({
    ...asAdmin('bob'),
    extra: { [POD_NAME]: 'of-alice', [POD_UID]: 'a-uid' },
  })),
  account('an account that claims a pod of another UID', 'creator-pod-uid-differs', () => ({
    ...asAdmin(`system:serviceaccount:${TEAM}:default`),
    uid: 'a-uid',
    extra: { ...OF_ACCOUNT.extra, [POD_NAME]: 'of-alice', [POD_UID]: 'another-uid' },
  })),
  account('an account that claims a pod without a UID', 'creator-pod-malformed', () => ({
    ...asAdmin(`system:serviceaccount:${TEAM}:default`),
    uid: 'a-uid',
    extra: { ...OF_ACCOUNT.extra, [POD_NAME]: 'of-alice' },
  })),
  person('the controller manager', 'system-requester', 'system:kube-controller-manager'),
  person('the scheduler', 'system-requester', 'system:kube-scheduler'),
  person('a node', 'system-requester', 'system:node:worker-1'),
  person('nobody', 'system-requester', 'system:anonymous'),
  person('a service user of Hadoop', 'user-denied', 'hdfs'),
  person('a service user, in other letters', 'user-denied', 'HDFS'),
  person('root', 'user-denied', 'root'),
  person('a name with a Cyrillic letter', 'requester-not-mapped', 'аlice'),
  person('a name with the Kelvin sign', 'requester-not-mapped', '\u212Aate'),
  person('a name with full-width letters', 'requester-not-mapped', 'ａｌｉｃｅ'),
  person('a name with a combining accent', 'requester-not-mapped', 'alice\u0301'),
  person('a name with a zero-width space', 'requester-not-mapped', 'alice\u200B'),
  person('a name with a soft hyphen', 'requester-not-mapped', 'al\u00ADice'),
  person('a name with a slash', 'requester-not-mapped', 'alice/admin'),
  person('a name with a realm', 'requester-not-mapped', 'alice@EXAMPLE.COM'),
  person('a name with a realm of Hadoop’s', 'requester-not-mapped', 'hdfs/nn@EXAMPLE.COM'),
  person('a name of two', 'requester-not-mapped', 'alice,bob'),
  person('a name that is too long', 'requester-too-long', 'a'.repeat(600)),
];

describe('no pod is made by', () => {
  beforeAll(async () => {
    await world.api.must(podsPath(), { method: 'POST', body: podBody('of-alice') }, ALICE);
  });

  it.each(REFUSED)('$title: $reason', async ({ reason, as: who }) => {
    const as = await who();
    const body = podBody('refused', { annotations: { [ANNOTATION]: 'alice' } });
    const refusal = await refusalOf(world, { path: podsPath(), write: { method: 'POST', body }, as });
    expect(refusal).toMatchObject({ status: 403, reason });
    // What to do, not only what is wrong.
    expect(refusal.message).toMatch(/: (ask|create|use|log in|start|check|give)|ask an administrator/);
  });

  // Who may impersonate these is trusted with the whole cluster; the role edit is not.
  it.each([
    ['a UID', { uid: 'a-uid' }],
    ['extra fields', { extra: { [POD_NAME]: 'of-alice', [POD_UID]: 'a-uid', [CREDENTIAL]: 'JTI=made-up' } }],
    ['groups', { groups: ['system:masters'] }],
  ])('an account impersonated with %s, by who has the role edit: RBAC', async (_, change) => {
    const user = `system:serviceaccount:${TEAM}:default`;
    const as: Requester = { ...attacker, user, impersonates: true, ...change };
    const write = { method: 'POST', body: podBody('refused') } as const;
    const { status, message } = await refusalOf(world, { path: podsPath(), write, as });
    expect({ status, message }).toEqual({
      status: 403,
      message: expect.stringContaining('cannot impersonate'),
    });
  });

  it('a tenant with the mark of a mirror pod', async () => {
    const annotations = { 'kubernetes.io/config.mirror': 'x', [ANNOTATION]: 'alice' };
    const { spec } = podBody('') as { spec: object };
    const body = { metadata: { name: 'mirror', annotations }, spec: { ...spec, nodeName: 'worker-1' } };
    const { status, body: reply } = await world.api.call(podsPath(), { method: 'POST', body }, BOB);
    expect(status).toBe(403);
    expect(reply.message).toMatch(/'kerbridge-stamp-origin'|mirror/);
    expect((await world.api.call(`${podsPath()}/mirror`, { method: 'GET' })).status).toBe(404);
  });
});

describe('admission', () => {
  it('keeps nothing of a stamp on a mirror pod of a node, which is nobody’s', async () => {
    const alices = await world.api.must(`${podsPath()}/of-alice`, { method: 'GET' });
    const { metadata } = await world.api.must('/api/v1/nodes/worker-1', { method: 'GET' });
    const node = { apiVersion: 'v1', kind: 'Node', name: 'worker-1', uid: metadata?.uid, controller: true };
    const annotations = { ...alices.metadata?.annotations, 'kubernetes.io/config.mirror': 'x' };
    const { labels } = alices.metadata ?? {};
    const body = {
      metadata: { name: 'static-worker-1', annotations, labels, ownerReferences: [node] },
      spec: { nodeName: 'worker-1', containers: [{ name: 'main', image: 'none' }] },
    };
    const pod = await world.api.must(podsPath(), { method: 'POST', body }, KUBELET);
    expect(pod.metadata?.annotations).not.toHaveProperty([ANNOTATION]);
    expect(pod.metadata?.labels ?? {}).not.toHaveProperty(['kerbridge.dev/stamped']);
    expect(await world.stampOf(pod)).toBe('malformed');
  });
});

describe('a dry run', () => {
  it('says what would be, and makes nothing', async () => {
    const body = podBody('dry', { annotations: { [ANNOTATION]: 'alice' } });
    const pod = await world.api.must(`${podsPath()}?dryRun=All`, { method: 'POST', body }, BOB);
    expect(await world.stampOf(pod)).toMatchObject({ podName: 'dry', user: 'bob' });
    expect((await world.api.call(`${podsPath()}/dry`, { method: 'GET' })).status).toBe(404);
  });

  it('gives a stamp that is no good for another, nor for the same of somebody else', async () => {
    const path = `${podsPath()}?dryRun=All`;
    const dry = await world.api.must(path, { method: 'POST', body: podBody('later') }, ALICE);
    const copied = podBody('later', { annotations: dry.metadata?.annotations });
    const pod = await world.api.must(podsPath(), { method: 'POST', body: copied }, BOB);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'bob', requester: 'bob' });
    expect(pod.metadata?.annotations?.['kerbridge.dev/stamp']).not.toBe(
      dry.metadata?.annotations?.['kerbridge.dev/stamp'],
    );
  });
});
