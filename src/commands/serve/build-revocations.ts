import type { ServeConfig } from '../../config/serve-config.ts';
import { RevocationList, type RevocationListEvent } from '../../identity/revocation-list.ts';
import { combineRevocations, isInForce, type RevocationsNow } from '../../identity/revocations.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
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
  const { name, namespace = ownNamespace(config.kubernetes.kubeconfig) } =
    config.identity.revocationsConfigMap;
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
      logger.warn('Revocations cannot be understood; the last good ones count', {
        configMap,
        error: event.error,
      });
      return;
    case 'not-read': {
      const fix = event.error instanceof KubernetesApiError ? event.error.fix : undefined;
      logger.warn('Revocations cannot be read; soon nobody gets credentials', {
        configMap,
        error: event.error,
        ...(fix === undefined ? {} : { fix }),
      });
    }
  }
}

/** With a kubeconfig we may be in a pod of some other purpose, or in none. */
function ownNamespace(kubeconfig: string | undefined): string {
  return (kubeconfig === undefined ? readOwnNamespace() : undefined) ?? DEFAULT_NAMESPACE;
}
