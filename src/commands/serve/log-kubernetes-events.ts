import type { SigningKeysRefresh } from '../../authentication/signing-keys.ts';
import { failureFields } from '../../http-api/failure-fields.ts';
import type { PodReflectorEvent } from '../../kubernetes/pod-reflector/pod-reflector.ts';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';

/** Counts and logs what the reading of the API server's signing keys came to; what is the same again is logged once. */
export function createSigningKeysLog(
  logger: Logger,
  metrics: Pick<Metrics, 'signingKeyRefreshes'>,
): (refresh: SigningKeysRefresh) => void {
  let logged = '';
  return (refresh) => {
    metrics.signingKeyRefreshes.inc({ outcome: refresh.outcome });
    const { outcome, ...rest } = refresh;
    const summary = outcome === 'failed' ? `failed ${failureOf(refresh.cause)}` : JSON.stringify(rest);
    if (summary === logged) return;
    logged = summary;
    if (outcome === 'refreshed') logger.info('Signing keys of the API server read', rest);
    else {
      logger.warn(
        'Signing keys of the API server cannot be read; those at hand are used, the rest is left to it',
        { error: refresh.cause, ...failureFields(refresh.cause) },
      );
    }
  };
}

/** Counts and logs what the pod reflector tells. */
export function createPodReflectorLog(
  logger: Logger,
  metrics: Pick<Metrics, 'podReflectorEvents' | 'podReflectorRelists' | 'podReflectorReconnects'>,
): (event: PodReflectorEvent) => void {
  let isFirstList = true;
  return (event) => {
    switch (event.type) {
      case 'put':
      case 'delete':
      case 'bookmark':
        metrics.podReflectorEvents.inc({ type: event.type });
        return;
      case 'listed': {
        metrics.podReflectorRelists.inc({ reason: isFirstList ? 'start' : 'failed' });
        isFirstList = false;
        const { type: _type, ...fields } = event;
        logger.info('Pods listed', fields);
        return;
      }
      case 'watching':
        logger.debug('Pods watched');
        return;
      case 'watch-ended':
        metrics.podReflectorReconnects.inc({ reason: 'ended' });
        return;
      case 'failed': {
        const { step, relist, retryInMs, error } = event;
        metrics.podReflectorReconnects.inc({ reason: `${step}-failed` });
        logger.warn('Pods cannot be watched; until they are, each is looked up when it asks', {
          relist,
          retryInMs,
          error,
          ...failureFields(error),
        });
        return;
      }
      case 'callback-failed':
        logger.error('Pod reflector callback failed', { error: event.error });
    }
  };
}

/** One of our own words: fit for a metric. */
function failureOf(error: unknown): string {
  return error instanceof KubernetesApiError ? error.code : 'internal';
}
