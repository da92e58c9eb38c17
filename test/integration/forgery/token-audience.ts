import type { Reply, Requester } from '../api-caller.ts';
import { until } from '../until.ts';
import type { Attempt, PolicyTable } from './attempt.ts';
import { ForgeryWorld, KUBELET, NODE, podSpec, TENANT } from './forgery-world.ts';

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
}

const request = ({ title, as, audiences, expirationSeconds = 3600, unbound }: TokenRequest): Attempt => ({
  title,
  run: async (world): Promise<Reply> => {
    const serviceAccountToken = { audience: OURS, expirationSeconds: 3600, path: 'token' };
    const { name, uid } = await world.createPod({
      nodeName: NODE,
      spec: { volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken }] } }] },
    });
    const body = {
      spec: {
        ...(audiences === undefined ? {} : { audiences }),
        expirationSeconds,
        ...(unbound === true ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } }),
      },
    };
    const path = `/api/v1/namespaces/${ForgeryWorld.TEAM}/serviceaccounts/trainer/token`;
    let reply: Reply | undefined;
    // NodeRestriction knows pods by watching them.
    await until('the API server knows the pod', async () => {
      reply = await world.api.call(path, { method: 'POST', body }, as);
      return reply.status !== 404;
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

/** Where that is the one of `serve`. */
export const OTHER_AUDIENCE = request({ title: 'bob', as: BOB, audiences: ['our-hadoop'], unbound: true });
