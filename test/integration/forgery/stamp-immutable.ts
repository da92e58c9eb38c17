import type { ApiObject, PatchKind, Reply, Requester, Write } from '../api-caller.ts';
import type { PodAttempt, PolicyTable } from './attempt.ts';
import {
  differsFromAlices,
  KUBELET,
  NODE,
  podSpec,
  STAMP,
  STAMPED,
  TEMPLATE_STAMP,
  TENANT,
  USER,
} from './forgery-world.ts';
import type { ForgeryPod } from './forgery-world.ts';

interface Change {
  readonly title: string;
  readonly field: 'annotations' | 'labels';
  readonly key: string;
  /** Null removes the key. */
  readonly value: string | null;
}

const FORGERIES: readonly Change[] = [
  { title: 'another stamp', field: 'annotations', key: STAMP, value: 'stamp-of-bob' },
  { title: 'an empty stamp', field: 'annotations', key: STAMP, value: '' },
  { title: 'no stamp', field: 'annotations', key: STAMP, value: null },
  { title: 'another user', field: 'annotations', key: USER, value: 'bob' },
  { title: 'no user', field: 'annotations', key: USER, value: null },
  { title: 'another label', field: 'labels', key: STAMPED, value: 'false' },
  { title: 'no label', field: 'labels', key: STAMPED, value: null },
];
/** Means nothing on a pod. */
const TEMPLATE: readonly Change[] = [
  { title: 'a template stamp', field: 'annotations', key: TEMPLATE_STAMP, value: 'of-a-template' },
];
const HARMLESS: readonly Change[] = [
  { title: 'another annotation', field: 'annotations', key: 'team.example.com/note', value: 'changed' },
  { title: 'no other annotation', field: 'annotations', key: 'team.example.com/note', value: null },
  { title: 'a key that looks alike', field: 'annotations', key: 'kerbridge.dev/stamps', value: 'x' },
  { title: 'the name of the label as an annotation', field: 'annotations', key: STAMPED, value: 'x' },
  { title: 'another label', field: 'labels', key: 'app', value: 'changed' },
];

type Way = PatchKind | 'PUT';
const WAYS: readonly Way[] = ['merge', 'JSON', 'strategic', 'apply', 'PUT'];

const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

/** The same change, by each way that an object can be changed. */
function write(way: Way, { field, key, value }: Change, pod: ForgeryPod): Write {
  const { annotations = {}, labels = {} } = pod.object.metadata ?? {};
  const known = { annotations, labels }[field];
  const { [key]: before, ...others } = known;
  const changed = { ...others, ...(value === null ? {} : { [key]: value }) };
  switch (way) {
    case 'merge':
    case 'strategic':
      return { method: 'PATCH', kind: way, body: { metadata: { [field]: { [key]: value } } } };
    case 'JSON': {
      const path = `/metadata/${field}/${escaped(key)}`;
      const step =
        value === null
          ? { op: 'remove', path }
          : { op: before === undefined ? 'add' : 'replace', path, value };
      return { method: 'PATCH', kind: 'JSON', body: [step] };
    }
    case 'apply': {
      const metadata = { name: pod.name, annotations, labels, [field]: changed };
      const whole = { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec() };
      return { method: 'PATCH', kind: 'apply', body: whole };
    }
    case 'PUT':
      return { method: 'PUT', body: withMetadata(pod.object, { [field]: changed }) };
  }
}

function withMetadata(object: ApiObject, change: object): ApiObject {
  const { resourceVersion: _, managedFields: __, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: { ...metadata, ...change } };
}

interface Place {
  readonly title: string;
  readonly subresource?: string;
  readonly as: Requester;
  readonly nodeName?: string;
  readonly can: (change: Change, way: Way) => boolean;
}

const PODS: Place = { title: 'pods', as: TENANT, can: () => true };
// Who leaves out what it never applied through the status removes nothing.
const STATUS: Place = {
  title: 'pods/status',
  subresource: 'status',
  as: TENANT,
  can: ({ value }, way) => value !== null || way !== 'apply',
};
// NodeRestriction keeps a node from the labels by itself.
const OWN_STATUS: Place = {
  title: 'pods/status of its own pod, by the node',
  subresource: 'status',
  as: KUBELET,
  nodeName: NODE,
  can: (change, way) => change.field === 'annotations' && STATUS.can(change, way),
};

const attempts = (places: readonly Place[], changes: readonly Change[]): PodAttempt[] =>
  places.flatMap(({ title, subresource, as, nodeName, can }) =>
    changes.flatMap((change) =>
      WAYS.filter((way) => can(change, way)).map((way) => ({
        title: `${title}: ${change.title} by ${way}`,
        run: async (world): Promise<Reply> => {
          const pod = await world.createPod(nodeName === undefined ? {} : { nodeName });
          const path = subresource === undefined ? pod.path : `${pod.path}/${subresource}`;
          return await world.api.call(path, write(way, change, pod), as);
        },
      })),
    ),
  );

const PLACES: readonly Place[] = [PODS, STATUS, OWN_STATUS];
export const FORGED: readonly PodAttempt[] = attempts(PLACES, FORGERIES);
export const NOT_FORGED: readonly PodAttempt[] = attempts(PLACES, HARMLESS);
export const TEMPLATE_STAMPED: readonly PodAttempt[] = attempts(PLACES, TEMPLATE);

/** Not by this policy: NodeRestriction and the node authorizer see to it, whatever the label. */
export const LABELS_BY_NODE: readonly PodAttempt[] = attempts(
  [{ ...OWN_STATUS, can: (change, way) => change.field === 'labels' && STATUS.can(change, way) }],
  [...FORGERIES, ...HARMLESS],
);
/** The same, but that the node may write no pod as a whole. */
export const OWN_POD: readonly PodAttempt[] = attempts(
  [{ ...PODS, title: 'its own pod, by the node', as: KUBELET, nodeName: NODE }],
  FORGERIES,
);

const RUNNING = { status: { phase: 'Running', podIP: '10.1.2.3', podIPs: [{ ip: '10.1.2.3' }] } };

export const stampImmutable: PolicyTable = {
  policy: 'kerbridge-stamp-immutable',
  advice: 'create a new pod as that person',
  refused: [...FORGED, ...TEMPLATE_STAMPED],
  forged: differsFromAlices,
  allowed: [
    ...NOT_FORGED,
    {
      title: 'a status as kubelets report it',
      run: async (world) => {
        const { path } = await world.createPod({ nodeName: NODE });
        return await world.api.call(
          `${path}/status`,
          { method: 'PATCH', kind: 'strategic', body: RUNNING },
          KUBELET,
        );
      },
    },
    {
      title: 'a finalizer',
      run: async (world) => {
        const { path } = await world.createPod();
        const patch = (finalizers: readonly string[]): Write => ({
          method: 'PATCH',
          kind: 'merge',
          body: { metadata: { finalizers } },
        });
        await world.api.must(path, patch(['example.com/hold']), TENANT);
        return await world.api.call(path, patch([]), TENANT);
      },
    },
    {
      title: 'an ephemeral container, as far as this policy is asked',
      run: async (world) => {
        const { path } = await world.createPod();
        const body = { spec: { ephemeralContainers: [{ name: 'debug', image: 'none' }] } };
        return await world.api.call(
          `${path}/ephemeralcontainers`,
          { method: 'PATCH', kind: 'strategic', body },
          TENANT,
        );
      },
    },
    {
      title: 'an eviction',
      run: async (world) => {
        const { name, path } = await world.createPod();
        return await world.api.call(
          `${path}/eviction`,
          { method: 'POST', body: { metadata: { name } } },
          TENANT,
        );
      },
    },
    {
      title: 'a deletion',
      run: async (world) => {
        const { path } = await world.createPod();
        return await world.api.call(path, { method: 'DELETE' }, TENANT);
      },
    },
  ],
};

/** Subresources through which the API server takes nothing of the metadata: a test sees a version that does. */
export const NO_METADATA: readonly { readonly subresource: string; readonly body: object }[] = [
  {
    subresource: 'ephemeralcontainers',
    body: { spec: { ephemeralContainers: [{ name: 'debug', image: 'none' }] } },
  },
  {
    subresource: 'resize',
    body: { spec: { containers: [{ name: 'main', resources: { requests: { cpu: '20m' } } }] } },
  },
];
