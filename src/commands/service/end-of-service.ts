import type { Logger } from '../../observability/logger.ts';

/** Exit code of every service that failed. */
const EXIT_FAILED = 1;

type ServiceProcess = Pick<NodeJS.EventEmitter, 'on'> & { readonly exit: (code: number) => void };

/** Resolves with the first SIGTERM or SIGINT; the second one ends the process at once. */
export function shutdownSignal(logger: Logger, service: ServiceProcess = process): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) {
        logger.warn('Asked to end a second time: ending at once', { signal });
        service.exit(EXIT_FAILED);
      }
      asked = true;
      resolve(signal);
    };
    service.on('SIGTERM', onSignal);
    service.on('SIGINT', onSignal);
  });
}

/** A state that nobody foresaw is no state to hand out credentials in: Kubernetes starts us anew. */
export function exitOnUnforeseen(logger: Logger, service: ServiceProcess = process): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    service.on(event, (error: unknown) => {
      logger.error('Unforeseen error: ending', { event, error });
      service.exit(EXIT_FAILED);
    });
  }
}
