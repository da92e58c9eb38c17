import { createLogger, type Logger, type LoggerOptions } from '../../observability/logger.ts';
import { LogOutput } from '../../observability/log-output.ts';

export interface OpenLog {
  readonly logger: Logger;
  readonly output: LogOutput;
}

/** The log of the service. Says itself when lines of it were dropped. */
export function openLog({
  descriptor,
  ...options
}: Omit<LoggerOptions, 'destination'> & { readonly descriptor: number }): OpenLog {
  const output = new LogOutput({ descriptor, clock: options.clock });
  const logger = createLogger({ ...options, destination: output });
  // As an error, so that it is there at every level.
  output.reportDropped((lines) => logger.error('Log lines dropped', { lines }));
  return { logger, output };
}
