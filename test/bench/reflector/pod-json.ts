import { POD_STAMP_ANNOTATION } from '../../../src/identity/stamps/stamp-annotations.ts';

/** Pods as a cluster has them: 1,000 namespaces, 100 users, some 5 KB each with managedFields. */
export const POD_COUNT = 100_000;
const NAMESPACES = 1_000;
const USERS = 100;

export const USER_ANNOTATION = 'iddecorator.username';
/** As long as a pod stamp, each pod's own. */
export const SIGNATURE_ANNOTATION = POD_STAMP_ANNOTATION;
/** When the event was sent, in ms since the epoch. */
export const SENT_ANNOTATION = 'bench.sent';

export const namespaceOf = (n: number): string => `team-${String(n % NAMESPACES).padStart(4, '0')}`;
export const nameOf = (n: number): string => `train-${hash(n, 10)}-worker-${Math.floor(n / NAMESPACES)}`;

/** The pod of that number, as the API server writes it. */
export function podJson(n: number, resourceVersion: number, sentAt?: number): string {
  const user = `user-${hash(n % USERS, 6)}`;
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: `train-${hash(n, 10)}`, uid: uidOf(n, 2) };
  const at = '2026-01-01T00:00:00Z';
  const address = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  const mount = (name: string) => ({ name, readOnly: true, mountPath: `/var/run/secrets/${name}` });
  return JSON.stringify({
    metadata: {
      name: nameOf(n),
      namespace: namespaceOf(n),
      uid: uidOf(n, 1),
      resourceVersion: String(resourceVersion),
      creationTimestamp: at,
      labels: { iddecorator: 'enabled', 'job-name': owner.name, 'controller-uid': owner.uid },
      annotations: {
        [USER_ANNOTATION]: user,
        [SIGNATURE_ANNOTATION]: `${hash(n, 122)}.${hash(n, 216)}.${hash(n, 86)}`,
        'cni.projectcalico.org/podIP': `${address}/32`,
        ...(sentAt === undefined ? {} : { [SENT_ANNOTATION]: String(sentAt) }),
      },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
      managedFields: [
        managed('kube-controller-manager', CONTROLLER_FIELDS),
        managed('kubelet', KUBELET_FIELDS),
      ],
    },
    spec: {
      volumes: [
        {
          name: 'kube-api-access',
          projected: {
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            ],
            defaultMode: 420,
          },
        },
        { name: 'hadoop-credentials', emptyDir: { medium: 'Memory' } },
      ],
      containers: [
        {
          name: 'main',
          image: 'registry.example.com/data-science/train:2026.01',
          command: ['python', '-m', 'train', '--epochs', '20', '--data', `hdfs://cluster/user/${user}/in`],
          env: [
            { name: 'HADOOP_TOKEN_FILE_LOCATION', value: '/var/run/secrets/hadoop/token' },
            { name: 'HADOOP_CONF_DIR', value: '/etc/hadoop/conf' },
            { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
          ],
          resources: { limits: { cpu: '4', memory: '16Gi' }, requests: { cpu: '2', memory: '16Gi' } },
          volumeMounts: [mount('kube-api-access'), mount('hadoop-credentials')],
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'IfNotPresent',
        },
      ],
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'trainer',
      nodeName: `node-${n % 500}`,
      schedulerName: 'default-scheduler',
      tolerations: [
        {
          key: 'node.kubernetes.io/not-ready',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
      ],
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
    },
    status: {
      phase: 'Running',
      conditions: [
        'PodReadyToStartContainers',
        'Initialized',
        'Ready',
        'ContainersReady',
        'PodScheduled',
      ].map((type) => ({ type, status: 'True', lastProbeTime: null, lastTransitionTime: at })),
      hostIP: `172.16.${n % 250}.1`,
      podIP: address,
      podIPs: [{ ip: address }],
      startTime: at,
      containerStatuses: [
        {
          name: 'main',
          state: { running: { startedAt: at } },
          ready: true,
          restartCount: 0,
          image: 'registry.example.com/data-science/train:2026.01',
          imageID: `registry.example.com/data-science/train@sha256:${hash(7, 64)}`,
          containerID: `containerd://${hash(n, 64)}`,
          started: true,
        },
      ],
      qosClass: 'Burstable',
    },
  });
}

function uidOf(n: number, kind: number): string {
  const digits = hash(n * 10 + kind, 32);
  return [0, 8, 12, 16, 20].map((at, i, starts) => digits.slice(at, starts[i + 1] ?? 32)).join('-');
}

/** Hexadecimal digits that differ from one number to the next; no more is asked of them. */
function hash(n: number, length: number): string {
  let state = (n + 1) * 2_654_435_761;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) ^ n) >>> 0;
    text += state.toString(16).padStart(8, '0');
  }
  return text.slice(0, length);
}

const managed = (manager: string, fieldsV1: object) => ({
  manager,
  operation: 'Update',
  apiVersion: 'v1',
  time: '2026-01-01T00:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1,
});
const fields = (...names: string[]): Record<string, object> =>
  Object.fromEntries(names.map((name) => [`f:${name}`, {}]));
const CONTROLLER_FIELDS = {
  'f:metadata': {
    'f:labels': fields('iddecorator', 'job-name', 'controller-uid'),
    'f:ownerReferences': { '.': {} },
  },
  'f:spec': {
    'f:containers': {
      'k:{"name":"main"}': fields(
        'command',
        'env',
        'image',
        'imagePullPolicy',
        'name',
        'resources',
        'volumeMounts',
      ),
    },
    ...fields('dnsPolicy', 'enableServiceLinks', 'restartPolicy', 'schedulerName', 'securityContext'),
    ...fields('serviceAccount', 'serviceAccountName', 'terminationGracePeriodSeconds', 'volumes'),
  },
};
const KUBELET_FIELDS = {
  'f:status': {
    'f:conditions': Object.fromEntries(
      ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady'].map((type) => [
        `k:{"type":"${type}"}`,
        fields('lastProbeTime', 'lastTransitionTime', 'observedGeneration', 'status', 'type'),
      ]),
    ),
    ...fields('containerStatuses', 'hostIP', 'hostIPs', 'phase', 'podIP', 'podIPs', 'startTime'),
  },
};
