import { CodecError } from '../../hadoop/codec/codec-error.ts';
import { type Clock, systemClock } from '../../time/clock.ts';
import type { Terminal } from '../terminal.ts';
import { describeTokenFile } from './describe-token-file.ts';
import { formatTokenFile } from './format-token-file.ts';
import { readTokenFile, TokenFileError } from './read-token-file.ts';

/** Exit codes of `kerbridge inspect`, for scripts. */
export const INSPECT_EXIT = { readable: 0, unreadable: 1 } as const;

export interface InspectRequest {
  /** `-` for standard input. */
  readonly path: string;
  readonly json: boolean;
}

/** @returns the exit code */
export async function runInspect(
  { path, json }: InspectRequest,
  terminal: Terminal,
  clock: Clock = systemClock,
): Promise<number> {
  const name = path === '-' ? 'standard input' : path;
  try {
    const document = describeTokenFile(await readTokenFile(path), clock.now());
    terminal.out(json ? `${JSON.stringify(document, undefined, 2)}\n` : formatTokenFile(name, document));
    return INSPECT_EXIT.readable;
  } catch (error) {
    if (error instanceof TokenFileError) {
      terminal.error(`kerbridge inspect: ${error.message}\n`);
    } else if (error instanceof CodecError) {
      terminal.error(`kerbridge inspect: ${name} is no whole Hadoop token file: ${error.message}\n`);
    } else {
      throw error;
    }
    return INSPECT_EXIT.unreadable;
  }
}
