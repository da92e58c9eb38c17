import { Command, InvalidArgumentError } from 'commander';
import { parseDurationMs } from './duration.ts';
import { parsePort } from './ports.ts';
import type { Ports } from './ports.ts';
import { messageOf } from './errors.ts';

/** Turns the error of a parser into commander's, which prints it with the option's name and the usage. */
export function asArgument<T extends unknown[], R>(parse: (...input: T) => R): (...input: T) => R {
  return (...input) => {
    try {
      return parse(...input);
    } catch (error) {
      throw new InvalidArgumentError(messageOf(error));
    }
  };
}

/** One more `--port name=number`. */
export function addPort(text: string, before: Partial<Ports> = {}): Partial<Ports> {
  const [name, port] = parsePort(text);
  if (before[name] !== undefined) {
    throw new Error(`port ${name} is given twice`);
  }
  return { ...before, [name]: port };
}

export const durationArgument = asArgument((text: string) => parseDurationMs(text));

/** A command whose wrong usage ends with exit code 2: 1 means that the work failed. */
export function stackCommand(name: string): Command {
  return new Command(name).exitOverride().showHelpAfterError('(add --help for the options)');
}
