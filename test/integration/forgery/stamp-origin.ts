import type { Reply, Requester } from '../api-caller.ts';
import type { Attempt, PolicyTable } from './attempt.ts';
import {
  ALICES,
  ForgeryWorld,
  KUBELET,
  MIRROR,
  NODE,
  podSpec,
  STAMP,
  STAMPED,
  TEMPLATE_STAMP,
  TENANT,
  unique,
  USER,
} from './forgery-world.ts';

interface Creation {
  readonly title: string;
  readonly namespace?: string;
  readonly by?: 'POST' | 'apply';
  readonly metadata: object;
  readonly spec?: object;
  readonly as?: Requester;
}

const create = ({ title, namespace = ForgeryWorld.OTHERS, by = 'POST', ...pod }: Creation): Attempt => ({
  title,
  run: async (world: ForgeryWorld): Promise<Reply> => {
    const name = `pod-${unique()}`;
    const pods = `/api/v1/namespaces/${namespace}/pods`;
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, ...pod.metadata },
      spec: podSpec(pod.spec),
    };
    return by === 'POST'
      ? await world.api.call(pods, { method: 'POST', body }, pod.as ?? TENANT)
      : await world.api.call(`${pods}/${name}`, { method: 'PATCH', kind: 'apply', body }, pod.as ?? TENANT);
  },
});

export const stampOrigin: PolicyTable = {
  policy: 'kerbridge-stamp-origin',
  advice: 'Take it out of the manifest',
  refused: [
    create({ title: 'a copy of a stamp, outside', metadata: ALICES }),
    create({ title: 'a stamp alone', metadata: { annotations: { [STAMP]: 'stamp-of-alice' } } }),
    create({
      title: 'a stamp by apply',
      by: 'apply',
      metadata: { annotations: { [STAMP]: 'stamp-of-alice' } },
    }),
    create({ title: 'the label alone', metadata: { labels: { [STAMPED]: 'true' } } }),
    create({ title: 'the label with another value', metadata: { labels: { [STAMPED]: '' } } }),
    create({
      title: 'a stamp on a mirror pod in an opted-in namespace',
      namespace: ForgeryWorld.TEAM,
      metadata: { annotations: { [MIRROR]: 'x', [STAMP]: 'stamp-of-alice' } },
      spec: { nodeName: NODE, serviceAccountName: undefined },
    }),
  ],
  forged: ({ metadata }) =>
    metadata?.annotations?.[STAMP] !== undefined || metadata?.labels?.[STAMPED] !== undefined,
  allowed: [
    create({ title: 'in an opted-in namespace', namespace: ForgeryWorld.TEAM, metadata: ALICES }),
    create({ title: 'no annotation', metadata: {} }),
    create({
      title: "Kube2Hadoop's annotation, which is no proof",
      metadata: { annotations: { [USER]: 'alice' } },
    }),
    create({
      title: 'a template stamp, as a workload of a namespace that left has it',
      metadata: { annotations: { [TEMPLATE_STAMP]: 'of-a-template' } },
    }),
    {
      title: 'the mirror pod of a static pod, by the kubelet',
      run: async (world) => {
        const { metadata: node } = await world.api.must(`/api/v1/nodes/${NODE}`, { method: 'GET' });
        const controller = { apiVersion: 'v1', kind: 'Node', name: NODE, uid: node?.uid, controller: true };
        const body = {
          metadata: {
            name: `static-${unique()}`,
            annotations: { [MIRROR]: 'x' },
            ownerReferences: [controller],
          },
          spec: { ...podSpec({ nodeName: NODE }), serviceAccountName: undefined },
        };
        const path = `/api/v1/namespaces/${ForgeryWorld.TEAM}/pods`;
        return await world.api.call(path, { method: 'POST', body }, KUBELET);
      },
    },
  ],
};
