import type { SpnegoProcessEvent } from '../../kerberos/spnego-process-event.ts';
import type { Logger } from '../../observability/logger.ts';

/** The events hold no token, ticket or key. */
export function logSpnegoEvent(logger: Logger, cluster: string, event: SpnegoProcessEvent): void {
  const { type, ...fields } = event;
  if (event.type === 'step' && event.outcome === 'ok') {
    logger.debug('Kerberos step done', { cluster, ...fields });
  } else {
    logger[LEVELS[type]](MESSAGES[type], { cluster, ...fields });
  }
}

const MESSAGES: Readonly<Record<SpnegoProcessEvent['type'], string>> = {
  'worker-started': 'Kerberos process started',
  'worker-ended': 'Kerberos process ended',
  step: 'Kerberos step failed',
  'step-retried': 'Kerberos step failed and is made once more',
  'keytab-changed': 'Keytab changed and was read again',
  'keytab-unusable': 'Keytab cannot be used; the tickets at hand are, until they end',
  'tickets-discarded': 'Kerberos tickets discarded',
  'tickets-not-removed': 'Old Kerberos tickets could not be removed',
};

const LEVELS: Readonly<Record<SpnegoProcessEvent['type'], 'info' | 'warn'>> = {
  'worker-started': 'info',
  'worker-ended': 'info',
  step: 'warn',
  'step-retried': 'warn',
  'keytab-changed': 'info',
  'keytab-unusable': 'warn',
  'tickets-discarded': 'info',
  'tickets-not-removed': 'warn',
};
