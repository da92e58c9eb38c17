import { reviewText } from '../../fakes/admission-reviews.ts';

const CONTAINERS = 24;
const ENV_IN_CONTAINER = 40;
const VOLUMES = 40;

export interface PodOrder {
  readonly name: string;
  readonly namespace: string;
  /** Of its JSON; it has a few hundred more at most. */
  readonly bytes: number;
}

/**
 * A pod as the API server shows it to webhooks: defaults are in, managedFields and status are not. The more bytes it may
 * have, the more containers, environment and volumes it gets, as a generated pod of a large application has them.
 */
export function podOfSize({ name, namespace, bytes }: PodOrder): object {
  const share = Math.min(1, bytes / 100_000);
  const volumes = Array.from({ length: Math.ceil(VOLUMES * share) }, (_, n) => volumeOf(n));
  const mounts = volumes.map((volume) => ({
    name: volume.name,
    mountPath: `/etc/app/${volume.name}`,
    readOnly: true,
  }));
  const containers: { readonly env: object[] }[] = Array.from(
    { length: Math.ceil(CONTAINERS * share) },
    (_, n) => containerOf(n, mounts.slice(0, 8)),
  );
  const pod = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      namespace,
      creationTimestamp: null,
      labels: { app: 'train', 'app.kubernetes.io/name': 'train', 'app.kubernetes.io/instance': name },
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090' },
    },
    spec: {
      volumes,
      containers,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 0,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      serviceAccount: 'default',
      securityContext: {},
      // Of its own, which there is not: it stays where it is.
      schedulerName: 'nobody',
      tolerations: ['not-ready', 'unreachable'].map((key) => ({
        key: `node.kubernetes.io/${key}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      })),
      enableServiceLinks: true,
    },
    status: {},
  };
  let missing = bytes - JSON.stringify(pod).length;
  for (let n = 0; n < ENV_IN_CONTAINER * CONTAINERS * 4 && missing > 0; n += 1) {
    const variable = variableOf(n);
    missing -= JSON.stringify(variable).length + 1;
    containers[n % containers.length]?.env.push(variable);
  }
  return pod;
}

/** A Deployment whose template is that pod. */
export function deploymentOfSize(order: PodOrder): object {
  const { metadata, spec } = podOfSize(order) as {
    readonly metadata: { readonly labels: object; readonly annotations: object };
    readonly spec: object;
  };
  const { labels, annotations } = metadata;
  return {
    kind: 'Deployment',
    apiVersion: 'apps/v1',
    metadata: { name: order.name, namespace: order.namespace, creationTimestamp: null, labels },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'train' } },
      template: { metadata: { creationTimestamp: null, labels, annotations }, spec },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    },
    status: {},
  };
}

export interface ReviewOrder {
  readonly uid: string;
  readonly user: string;
  readonly object: object;
  /** Given: an UPDATE. */
  readonly oldObject?: object;
}

/** As the API server sends it. */
export function reviewBytesOf({ uid, user, object, oldObject }: ReviewOrder): Buffer {
  const { kind, apiVersion, metadata } = object as {
    readonly kind: string;
    readonly apiVersion: string;
    readonly metadata: { readonly name: string; readonly namespace: string };
  };
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const kinds = { group, version, kind };
  const resource = { group, version, resource: `${kind.toLowerCase()}s` };
  const options = oldObject === undefined ? 'CreateOptions' : 'UpdateOptions';
  return Buffer.from(
    reviewText({
      uid,
      kind: kinds,
      resource,
      requestKind: kinds,
      requestResource: resource,
      name: metadata.name,
      namespace: metadata.namespace,
      operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
      userInfo: { username: user, groups: ['analysts', 'system:authenticated'] },
      object,
      oldObject: oldObject ?? null,
      dryRun: false,
      options: { kind: options, apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl-create' },
    }),
  );
}

function volumeOf(n: number): { readonly name: string } {
  const name = `settings-${n}`;
  switch (n % 4) {
    case 0:
      return { name, ...{ configMap: { name: `train-settings-${n}`, defaultMode: 420 } } };
    case 1:
      return { name, ...{ secret: { secretName: `train-secret-${n}`, defaultMode: 420 } } };
    case 2:
      return { name, ...{ emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } } };
    default:
      return {
        name,
        ...{
          projected: {
            sources: [
              { serviceAccountToken: { audience: `vault-${n}`, expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            ],
            defaultMode: 420,
          },
        },
      };
  }
}

function containerOf(n: number, volumeMounts: readonly object[]): { readonly env: object[] } {
  const probe = {
    httpGet: { path: '/healthz', port: 8080 + n, scheme: 'HTTP' },
    initialDelaySeconds: 5,
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  };
  return {
    ...{
      name: `worker-${n}`,
      image: `registry.example.com/data-science/train-worker-${n}:2026.01.4`,
      command: ['/bin/sh', '-c'],
      args: [`exec python -m train.worker --index ${n} --data "hdfs://cluster/user/in" \\\n  --epochs 20`],
      ports: [{ name: `http-${n}`, containerPort: 8080 + n, protocol: 'TCP' }],
      resources: { limits: { cpu: '4', memory: '16Gi' }, requests: { cpu: '2', memory: '16Gi' } },
      volumeMounts,
      livenessProbe: probe,
      readinessProbe: probe,
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      imagePullPolicy: 'IfNotPresent',
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    },
    env: [],
  };
}

function variableOf(n: number): object {
  const name = `TRAIN_SETTING_${n}`;
  if (n % 5 === 0)
    return { name, valueFrom: { configMapKeyRef: { name: 'train-settings', key: `setting-${n}` } } };
  if (n % 7 === 0) return { name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } };
  return { name, value: `https://service-${n}.team.svc.cluster.local:8443/api?limit=${n}&format="json"` };
}
