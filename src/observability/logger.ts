import { pino } from 'pino';
import type { Clock } from '../time/clock.ts';
import type { LogLevel } from './log-levels.ts';
import { redactFields, redactText } from './redact.ts';

export type LogFields = Readonly<Record<string, unknown>>;

/**
 * A constant message, the rest as fields. An error goes under `error` and is logged as name, message, code, stack
 * and causes. Never pass headers, bodies or tokens: redaction is the second line of defence, not the first.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  /** Where the lines go: `LogOutput` in the service. */
  readonly destination: { write(line: string): void };
}

/** One JSON object a line: `level`, `time` (RFC 3339), `message` and the fields. */
export function createLogger(options: LoggerOptions): Logger {
  const lines = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(options.clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination,
  );
  return wrap(lines, {});
}

type Lines = Pick<pino.Logger, LogLevel | 'isLevelEnabled'>;

function wrap(lines: Lines, bound: LogFields): Logger {
  const log =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (lines.isLevelEnabled(level))
        lines[level](redactFields({ ...bound, ...fields }), redactText(message));
    };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => wrap(lines, { ...bound, ...fields }),
  };
}

/** Says nothing, for tests and for commands that print for people. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
