import type { Logger } from '../../observability/logger.ts';

/** Exit code of every service that failed. */
const EXIT_FAILED = 1;

/** Resolves with the first SIGTERM or SIGINT; the second one ends the process at once. */
export function shutdownSignal(logger: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) {
        logger.warn('Asked to end a second time: ending at once', { signal });
        process.exit(EXIT_FAILED);
      }
      asked = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** A state that nobody foresaw is no state to hand out credentials in: Kubernetes starts us anew. */
export function exitOnUnforeseen(logger: Logger): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.error('Unforeseen error: ending', { event, error });
      process.exit(EXIT_FAILED);
    });
  }
}
