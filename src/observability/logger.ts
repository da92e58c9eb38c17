import { pino } from 'pino';
import type { Clock } from '../time/clock.ts';
import type { LogLevel } from './log-levels.ts';
import { InstantFormatter } from '../time/format-instant.ts';
import { type CommonFields, membersOf, toPlainJson } from './plain-json.ts';
import { redactFields, redactText } from './redact.ts';

export type LogFields = Readonly<Record<string, unknown>>;

/**
 * A constant message, the rest as fields. An error goes under `error` and is logged as name, message, code, stack
 * and causes. Never pass headers, bodies or tokens: redaction is the second line of defence, not the first.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  /** @param common stand behind the others */
  info(message: string, fields?: LogFields, common?: CommonFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  /** Where the lines go: `LogOutput` in the service. Most of those below `warn` may be written a moment later. */
  readonly destination: { write(line: string): void; writeSoon?(line: string): void };
}

/** One JSON object a line: `level`, `time` (RFC 3339), `message` and the fields. */
export function createLogger(options: LoggerOptions): Logger {
  const instants = new InstantFormatter();
  const timeOf = (): string => `,"time":"${instants.format(options.clock.now())}"`;
  const lines = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: timeOf,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination,
  );
  const writeSoon = (line: string): void => {
    if (options.destination.writeSoon === undefined) options.destination.write(line);
    else options.destination.writeSoon(line);
  };
  const write: WriteLine = (level, message, fields, common) => {
    if (!lines.isLevelEnabled(level)) return;
    // As pino writes it, and for the usual line a tenth of the work.
    const plain = toPlainJson(fields);
    const plainCommon = common === undefined ? '' : common.json;
    if (plain === undefined || plainCommon === undefined) {
      lines[level](redactFields({ ...fields, ...common?.fields }), redactText(message));
    } else {
      const members = membersOf(plain) + plainCommon;
      const line = `{"level":"${level}"${timeOf()}${members},"message":${jsonOf(message)}}\n`;
      if (level === 'info' || level === 'debug') writeSoon(line);
      else options.destination.write(line);
    }
  };
  return wrap(write, {});
}

type WriteLine = (level: LogLevel, message: string, fields: LogFields, common?: CommonFields) => void;

const MAX_MESSAGES = 500;
const messages = new Map<string, string>();

/** Messages are constant, so there are few. */
function jsonOf(message: string): string {
  const known = messages.get(message);
  if (known !== undefined) return known;
  const json = JSON.stringify(redactText(message));
  if (messages.size < MAX_MESSAGES) messages.set(message, json);
  return json;
}

function wrap(write: WriteLine, bound: LogFields): Logger {
  const isBound = Object.keys(bound).length > 0;
  const log =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}, common?: CommonFields) => {
      write(level, message, isBound ? { ...bound, ...fields } : fields, common);
    };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => wrap(write, { ...bound, ...fields }),
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
