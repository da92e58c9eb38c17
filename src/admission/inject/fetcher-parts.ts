import { childOf, type JsonValue } from '../patch/json-value.ts';
import {
  ACCOUNT_FOLDER,
  ACCOUNT_VOLUME,
  AUTHORITY_FOLDER,
  AUTHORITY_VOLUME,
  CONF_VOLUME,
  INIT_CONTAINER,
  type Injection,
  SIDECAR_CONTAINER,
  TOKEN_FILE,
  TOKENS_FOLDER,
  TOKENS_VOLUME,
} from './injection.ts';
import type { InjectionWish } from './injection-wish.ts';

/** A volume or container. */
export interface Part {
  readonly name: string;
  readonly [key: string]: JsonValue;
}

/** The user of our images, for pods that are root's. */
const NON_ROOT = 65_532;
/** What `serve` takes at most; the kubelet renews it at 80 % of that. */
const ACCOUNT_TOKEN_SECONDS = 3_600;
const AUTHORITY_FILE = 'ca.crt';

export function volumesFor(injection: Injection, hasConf: boolean): readonly Part[] {
  const { audience, authority, hadoopConf } = injection;
  const serviceAccountToken = { path: 'token', audience, expirationSeconds: ACCOUNT_TOKEN_SECONDS };
  return [
    { name: TOKENS_VOLUME, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    { name: ACCOUNT_VOLUME, projected: { sources: [{ serviceAccountToken }] } },
    ...(authority === undefined
      ? []
      : [
          {
            name: AUTHORITY_VOLUME,
            configMap: { name: authority.configMap, items: [{ key: authority.key, path: AUTHORITY_FILE }] },
          },
        ]),
    ...(hadoopConf === undefined || !hasConf
      ? []
      : [{ name: CONF_VOLUME, configMap: { name: hadoopConf.configMap } }]),
  ];
}

interface Fetchers {
  readonly injection: Injection;
  readonly wish: InjectionWish;
  readonly pod: unknown;
}

/** In the order in which they start. */
export function fetchersFor({ injection, wish, pod }: Fetchers): readonly Part[] {
  const isNode = injection.program === 'kerbridge';
  const args = (...options: string[]): { readonly args?: readonly string[] } => {
    const all = [...(isNode ? ['fetch'] : []), ...options];
    return all.length === 0 ? {} : { args: all };
  };
  const common = commonParts(injection, wish, pod);
  const exec = {
    command: [
      ...(isNode ? ['kerbridge', 'fetch'] : ['fetch-credentials.sh']),
      '--healthy',
      `--output=${TOKEN_FILE}`,
    ],
  };
  const init = { name: INIT_CONTAINER, ...args(), ...common };
  const sidecar = {
    name: SIDECAR_CONTAINER,
    ...args('--watch'),
    restartPolicy: 'Always',
    // Without an init container before it, it is this one that the others wait for: longer than it tries.
    ...(wish.init
      ? {}
      : { startupProbe: { exec, periodSeconds: 2, timeoutSeconds: 10, failureThreshold: 160 } }),
    livenessProbe: { exec, periodSeconds: 60, timeoutSeconds: 10, failureThreshold: 3 },
    ...common,
  };
  return [...(wish.init ? [init] : []), ...(wish.sidecar ? [sidecar] : [])];
}

function commonParts(injection: Injection, wish: InjectionWish, pod: unknown): Omit<Part, 'name'> {
  const { image, url, authority, group, resources } = injection;
  const cluster = wish.cluster ?? injection.cluster;
  const { cpu, memory, cpuLimit } = resources;
  const isRoots = childOf(childOf(childOf(pod, 'spec'), 'securityContext'), 'runAsUser') === 0;
  const variable = (name: string, value: string | undefined): readonly Part[] =>
    value === undefined ? [] : [{ name, value }];
  return {
    image,
    env: [
      ...variable('KERBRIDGE_URL', url),
      ...variable('HADOOP_TOKEN_FILE_LOCATION', TOKEN_FILE),
      // For whatever users the containers run as: all of the pod are in the group.
      ...variable('KERBRIDGE_MODE', '0640'),
      ...variable('KERBRIDGE_GROUP', String(group)),
      ...variable('KERBRIDGE_CA_FILE', authority && `${AUTHORITY_FOLDER}/${AUTHORITY_FILE}`),
      ...variable('KERBRIDGE_CLUSTER', cluster),
    ],
    resources: {
      requests: { cpu, memory },
      limits: { ...(cpuLimit === undefined ? {} : { cpu: cpuLimit }), memory },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      ...(isRoots ? { runAsUser: NON_ROOT } : {}),
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [
      { name: TOKENS_VOLUME, mountPath: TOKENS_FOLDER },
      { name: ACCOUNT_VOLUME, mountPath: ACCOUNT_FOLDER, readOnly: true },
      ...(authority === undefined
        ? []
        : [{ name: AUTHORITY_VOLUME, mountPath: AUTHORITY_FOLDER, readOnly: true }]),
    ],
  };
}
