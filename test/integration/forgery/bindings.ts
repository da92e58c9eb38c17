import type { Reply } from '../api-caller.ts';
import type { PodAttempt, PolicyTable } from './attempt.ts';
import {
  differsFromAlices,
  ForgeryWorld,
  NODE,
  STAMP,
  STAMPED,
  TEMPLATE_STAMP,
  TENANT,
  USER,
} from './forgery-world.ts';
import type { ForgeryPod } from './forgery-world.ts';

const RESOURCES: Readonly<Record<string, (pod: ForgeryPod) => string>> = {
  'pods/binding': ({ path }) => `${path}/binding`,
  bindings: () => `/api/v1/namespaces/${ForgeryWorld.TEAM}/bindings`,
};

const bind = (title: string, metadata: object): PodAttempt[] =>
  Object.entries(RESOURCES).map(([resource, pathOf]) => ({
    title: `${resource}: ${title}`,
    run: async (world): Promise<Reply> => {
      const pod = await world.createPod();
      const body = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: pod.name, ...metadata },
        target: { apiVersion: 'v1', kind: 'Node', name: NODE },
      };
      const reply = await world.api.call(pathOf(pod), { method: 'POST', body }, TENANT);
      return reply.status < 300 ? await world.api.call(pod.path, { method: 'GET' }) : reply;
    },
  }));

/** Of what says who the pod speaks for. */
export const MARKED: readonly PodAttempt[] = [
  ...bind('another stamp', { annotations: { [STAMP]: 'stamp-of-bob' } }),
  ...bind('an empty stamp', { annotations: { [STAMP]: '' } }),
  ...bind('another user', { annotations: { [USER]: 'bob' } }),
  ...bind('another label', { labels: { [STAMPED]: 'false' } }),
];
export const UNMARKED: readonly PodAttempt[] = [
  ...bind('nothing else, as the scheduler does it', {}),
  ...bind('another annotation', { annotations: { 'team.example.com/note': 'x', [STAMPED]: 'x' } }),
  ...bind('another label', { labels: { app: 'changed' } }),
];

export const bindings: PolicyTable = {
  policy: 'kerbridge-binding-without-stamp',
  advice: 'Take it out of the Binding',
  refused: [...MARKED, ...bind('a template stamp', { annotations: { [TEMPLATE_STAMP]: 'of-a-template' } })],
  forged: differsFromAlices,
  allowed: UNMARKED,
};
