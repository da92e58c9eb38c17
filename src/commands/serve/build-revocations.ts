import type { ServeConfig } from '../../config/serve-config.ts';
import { failureFields } from '../../http-api/failure-fields.ts';
import type { Dependency } from '../../http-api/readiness.ts';
import { MAX_AGE_MS, RevocationList, type RevocationListEvent } from '../../identity/revocation-list.ts';
import { combineRevocations, isInForce, type RevocationsNow } from '../../identity/revocations.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { ConfigMapId } from '../../kubernetes/operator-calls.ts';
import { readOwnNamespace } from '../../kubernetes/own-namespace.ts';
import { createRevocationsConfigMap } from '../../kubernetes/revocations-config-map.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import { parseRevocationsText } from '../revocations-text.ts';
import type { ServeFiles } from './open-files.ts';

const DEFAULT_NAMESPACE = 'kerbridge';

export interface RevocationParts {
  readonly now: () => RevocationsNow;
  /** Of the ConfigMap: who may not read it must not become ready, for it would refuse everybody. */
  readonly dependency: Dependency;
  /** Resolves after the first read, whatever came of it. */
  readonly start: () => Promise<void>;
  readonly stop: () => void;
}

export interface BuildRevocationsOptions {
  readonly config: Pick<ServeConfig, 'identity' | 'kubernetes'>;
  readonly kubernetes: Pick<KubernetesApi, 'getConfigMap' | 'createConfigMap' | 'patchConfigMap'>;
  readonly files: Pick<ServeFiles, 'revocations'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The revocations of the ConfigMap and of the file, as one list. */
export function buildRevocations(options: BuildRevocationsOptions): RevocationParts {
  const { config, kubernetes, files, metrics, logger, clock } = options;
  const { name, namespace } = revocationsConfigMapId(config);
  const configMap = createRevocationsConfigMap(kubernetes, { namespace, name });
  const list = new RevocationList({
    read: (readOptions) => configMap.read(readOptions),
    parse: parseRevocationsText,
    clock,
    onEvent: (event) => logRevocations(event, `${namespace}/${name}`, logger),
  });
  const file = files.revocations;
  const fromFile = (): RevocationsNow => ({ known: true, revocations: file?.current ?? [] });
  const now = combineRevocations(file === undefined ? [() => list.now()] : [() => list.now(), fromFile]);
  for (const kind of ['user', 'pod'] as const) {
    const count = () =>
      (now().revocations ?? []).filter((each) => kind in each && isInForce(each, clock.now())).length;
    metrics.revocationsInForce.observe(count, { kind });
  }
  metrics.revocationsLastRead.observe(
    () => (list.currentAt === undefined ? undefined : list.currentAt / 1000),
    {},
  );
  return {
    now,
    dependency: {
      name: 'revocations',
      required: 'until-first-success',
      // oxlint-disable-next-line typescript/require-await -- what it throws is what the check rejects with
      check: async () => list.assertKnown(),
    },
    start: () => list.start(),
    stop: () => list.stop(),
  };
}

function logRevocations(event: RevocationListEvent, configMap: string, logger: Logger): void {
  if (!event.changed) return;
  switch (event.type) {
    case 'read':
      logger.info('Revocations read', { configMap, revocations: event.revocations });
      return;
    case 'malformed':
    case 'not-read': {
      const { type, isFirst, error } = event;
      const until = type === 'malformed' ? 'until it is mended' : 'until they can be';
      const consequence = isFirst ? `nobody gets credentials ${until}` : STILL[type];
      logger.warn(`Revocations cannot be ${type === 'malformed' ? 'understood' : 'read'}; ${consequence}`, {
        configMap,
        error,
        ...failureFields(error),
      });
    }
  }
}

/** What follows when there was a good list once. */
const STILL = {
  malformed: 'the last good ones count',
  'not-read': `the last ones count for ${MAX_AGE_MS / 1_000} s, then nobody gets credentials`,
} as const;

/** The ConfigMap that `kerbridge revoke` writes and `serve` reads. */
export function revocationsConfigMapId({
  identity,
  kubernetes,
}: Pick<ServeConfig, 'identity' | 'kubernetes'>): ConfigMapId {
  const { name, namespace = ownNamespace(kubernetes.kubeconfig) } = identity.revocationsConfigMap;
  return { namespace, name };
}

/** Kerbridge's. With a kubeconfig we may be in a pod of some other purpose, or in none. */
export function ownNamespace(kubeconfig: string | undefined): string {
  return (kubeconfig === undefined ? readOwnNamespace() : undefined) ?? DEFAULT_NAMESPACE;
}
