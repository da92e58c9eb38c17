import type { SpnegoProcessEvent } from '../../kerberos/spnego-process-event.ts';
import type { Logger } from '../../observability/logger.ts';

/** The events hold no token, ticket or key. */
export function logSpnegoEvent(logger: Logger, cluster: string, event: SpnegoProcessEvent): void {
  const { type, ...fields } = event;
  const level = event.type === 'step' && event.outcome === 'ok' ? 'debug' : LEVELS[type];
  logger[level](MESSAGES[type], { cluster, ...fields });
}

const MESSAGES: Readonly<Record<SpnegoProcessEvent['type'], string>> = {
  'worker-started': 'Kerberos process started',
  'worker-ended': 'Kerberos process ended',
  step: 'Kerberos step done',
  'step-retried': 'Kerberos step failed and is made once more',
  'keytab-changed': 'Keytab changed and was read again',
  'tickets-discarded': 'Kerberos tickets discarded',
  'tickets-not-removed': 'Old Kerberos tickets could not be removed',
};

const LEVELS: Readonly<Record<SpnegoProcessEvent['type'], 'info' | 'warn'>> = {
  'worker-started': 'info',
  'worker-ended': 'info',
  step: 'warn',
  'step-retried': 'warn',
  'keytab-changed': 'info',
  'tickets-discarded': 'info',
  'tickets-not-removed': 'warn',
};
