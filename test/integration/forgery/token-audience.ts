import type { Reply, Requester, Write } from '../api-caller.ts';
import { until } from '../until.ts';
import type { Attempt, PolicyTable } from './attempt.ts';
import { ALICES, type ForgeryPod, ForgeryWorld, KUBELET, NODE, podSpec, TENANT } from './forgery-world.ts';

const OURS = 'kerbridge';
const DAY = 24 * 3600;

/** What the role edit lets people do in a namespace. */
const BOB: Requester = { user: 'bob', groups: ['analysts'] };

interface TokenRequest {
  readonly title: string;
  readonly as: Requester;
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
  /** Bound to a pod of alice's by default. */
  readonly unbound?: true;
  /** What has become of the pod: it runs by default. */
  readonly pod?: string;
}

const phase = (value: string): Write => ({
  method: 'PATCH',
  kind: 'merge',
  body: { status: { phase: value } },
});
const gone = (path: string): string => `${path}?gracePeriodSeconds=0`;

/** What becomes of the pod before the token is asked for, and what it is then asked for. */
const FATES: Readonly<Record<string, (world: ForgeryWorld, pod: ForgeryPod) => Promise<object>>> = {
  succeeded: async ({ api }, { path, uid }) => {
    await api.must(`${path}/status`, phase('Succeeded'));
    return { uid };
  },
  failed: async ({ api }, { path, uid }) => {
    await api.must(`${path}/status`, phase('Failed'));
    return { uid };
  },
  terminating: async ({ api }, { path, uid }) => {
    await api.must(`${path}/status`, phase('Running'));
    await api.must(`${path}?gracePeriodSeconds=600`, { method: 'DELETE' });
    const { metadata } = await api.must(path, { method: 'GET' });
    if (metadata?.['deletionTimestamp'] === undefined) throw new Error('it is not being deleted');
    return { uid };
  },
  're-created, by its name': async ({ api }, pod) => {
    await api.must(gone(pod.path), { method: 'DELETE' });
    await api.must(pod.path, again(pod));
    return {};
  },
  're-created, by its new UID': async ({ api }, pod) => {
    await api.must(gone(pod.path), { method: 'DELETE' });
    const { metadata } = await api.must(pod.path, again(pod));
    if (metadata?.uid === pod.uid) throw new Error('it is the same');
    return { uid: metadata?.uid };
  },
  're-created, by its old UID': async ({ api }, pod) => {
    await api.must(gone(pod.path), { method: 'DELETE' });
    await api.must(pod.path, again(pod));
    return { uid: pod.uid };
  },
  deleted: async ({ api }, { path, uid }) => {
    await api.must(gone(path), { method: 'DELETE' });
    return { uid };
  },
};

function again({ name }: ForgeryPod): Write {
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...ALICES }, spec: podSpec() };
  return { method: 'PATCH', kind: 'apply', body };
}

const request = ({
  title,
  as,
  audiences,
  expirationSeconds = 3600,
  unbound,
  pod: fate,
}: TokenRequest): Attempt => ({
  title,
  run: async (world): Promise<Reply> => {
    const serviceAccountToken = { audience: OURS, expirationSeconds: 3600, path: 'token' };
    const pod = await world.createPod({
      nodeName: NODE,
      spec: { volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken }] } }] },
    });
    const { name, uid } = pod;
    const become = fate === undefined ? undefined : FATES[fate];
    const which = become === undefined ? { uid } : await become(world, pod);
    const body = {
      spec: {
        ...(audiences === undefined ? {} : { audiences }),
        expirationSeconds,
        ...(unbound === true ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, ...which } }),
      },
    };
    const path = `/api/v1/namespaces/${ForgeryWorld.TEAM}/serviceaccounts/trainer/token`;
    let reply: Reply | undefined;
    // NodeRestriction knows pods by watching them.
    await until('the API server knows the pod', async () => {
      reply = await world.api.call(path, { method: 'POST', body }, as);
      return reply.status !== 404 || fate === 'deleted';
    });
    if (reply === undefined) throw new Error('nothing was asked');
    return reply;
  },
});

export const tokenAudience: PolicyTable = {
  policy: 'kerbridge-token-audience',
  advice: 'Give the pod a projected volume',
  refused: [
    request({ title: 'bob, bound to no pod', as: BOB, audiences: [OURS], unbound: true }),
    request({ title: "bob, for alice's pod", as: BOB, audiences: [OURS] }),
    request({ title: 'bob, for two audiences', as: BOB, audiences: ['other', OURS] }),
    request({
      title: 'bob, for ours and that of the API server',
      as: BOB,
      audiences: [OURS, 'https://kubernetes.default.svc'],
    }),
    request({ title: 'bob, for 400 days', as: BOB, audiences: [OURS], expirationSeconds: 400 * DAY }),
    request({ title: 'who may do everything', as: TENANT, audiences: [OURS] }),
    request({
      title: 'a service account',
      as: { user: 'system:serviceaccount:team:trainer', groups: ['tenants', 'system:serviceaccounts'] },
      audiences: [OURS],
    }),
    ...[
      'succeeded',
      'failed',
      'terminating',
      're-created, by its name',
      're-created, by its new UID',
    ].flatMap((pod) => [
      request({ title: `bob, for a pod of alice's: ${pod}`, as: BOB, audiences: [OURS], pod }),
      request({ title: `bob, at the API server, for a pod of alice's: ${pod}`, as: BOB, pod }),
    ]),
    // Whoever makes a pod with it makes it as the user of that pod.
    request({ title: "bob, for alice's pod at the API server", as: BOB }),
    request({ title: "bob, for alice's pod at whatever else", as: BOB, audiences: ['other', `${OURS}2`] }),
    request({ title: "who may do everything, for alice's pod at the API server", as: TENANT }),
    request({
      title: 'the group of nodes without the name of one',
      as: { user: 'mallory', groups: ['tenants', 'system:nodes'] },
      audiences: [OURS],
    }),
    request({
      title: 'the name of a node without the group',
      as: { user: `system:node:${NODE}`, groups: ['nobodys-nodes'] },
      audiences: [OURS],
    }),
  ],
  forged: ({ status }) => typeof (status as { token?: unknown }).token === 'string',
  allowed: [
    request({ title: 'the node, for a pod on it', as: KUBELET, audiences: [OURS] }),
    request({ title: 'the node, for a pod on it at the API server', as: KUBELET }),
    request({ title: 'bob, for another audience', as: BOB, audiences: ['other', `${OURS}2`], unbound: true }),
    request({ title: 'bob, for the API server', as: BOB, unbound: true }),
    {
      title: 'who may, for a pod in a namespace that is not opted in',
      run: async ({ api }) => {
        const namespace = `/api/v1/namespaces/${ForgeryWorld.OTHERS}`;
        const body = { metadata: { generateName: 'pod-' }, spec: podSpec() };
        const { metadata } = await api.must(`${namespace}/pods`, { method: 'POST', body });
        const { name = '', uid = '' } = metadata ?? {};
        const spec = { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } };
        return await api.call(
          `${namespace}/serviceaccounts/trainer/token`,
          { method: 'POST', body: { spec } },
          TENANT,
        );
      },
    },
    request({
      title: 'an operator, for the audience of operators',
      as: BOB,
      audiences: [`${OURS}-admin`],
      unbound: true,
    }),
  ],
};

/** Not by this policy: NodeRestriction and the node authorizer see to it. */
export const OTHER_NODE = request({
  title: 'another node',
  as: { user: 'system:node:worker-2', groups: ['system:nodes'] },
  audiences: [OURS],
});

/** Of pods that are no more: by the policy, and where that is not there by the API server itself. */
export const OF_THE_PAST: readonly (Attempt & { readonly status: number; readonly itself: RegExp })[] = [
  {
    ...request({
      title: 'by the UID of a pod in whose place is another',
      as: BOB,
      audiences: [OURS],
      pod: 're-created, by its old UID',
    }),
    status: 409,
    itself: /the UID in the bound object reference \S+ does not match the UID in record/,
  },
  {
    ...request({ title: 'of a pod that was deleted', as: BOB, audiences: [OURS], pod: 'deleted' }),
    status: 404,
    itself: /pods "pod-\w+" not found/,
  },
];

/** Where that is the one of `serve`. */
export const OTHER_AUDIENCE = request({ title: 'bob', as: BOB, audiences: ['our-hadoop'], unbound: true });
