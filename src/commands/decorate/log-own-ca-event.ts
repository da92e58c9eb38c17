import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { OwnCaEvent } from './own-ca.ts';

/** Counts and logs what becomes of the certificates of our own authority. */
export function logOwnCaEvent(
  event: OwnCaEvent,
  {
    logger,
    metrics,
    secretName,
  }: {
    readonly logger: Logger;
    readonly metrics: Pick<Metrics, 'ownCaEvents'>;
    readonly secretName: string;
  },
): void {
  metrics.ownCaEvents.inc({ type: event.event });
  switch (event.event) {
    case 'changed':
      logger.info('Certificates of the webhook were made', { secretName, actions: event.actions });
      break;
    case 'outrun':
      logger.info('Another replica has made the certificates of the webhook', { secretName });
      break;
    case 'bundle-written':
      logger.info('Webhook configurations have a new caBundle', { secretName });
      break;
    case 'bundle-failed':
      logger.warn('Webhook configurations cannot be given their caBundle', {
        secretName,
        error: event.error,
      });
      break;
    case 'failed':
      logger.warn('Certificates of the webhook cannot be read or written; those at hand stay in use', {
        secretName,
        error: event.error,
      });
      break;
  }
}
