import type { Writable } from 'node:stream';
import { endProcess } from '../end-process.ts';
import type { Terminal } from '../terminal.ts';

/** The terminal of a command that has something to undo before it ends. */
export interface CheckTerminal extends Terminal {
  /** Aborted when nobody reads our output any more: the pipe is closed, or the terminal is gone. */
  readonly closed: AbortSignal;
}

export interface CheckTerminalOptions {
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** Called with the exit code when all output has gone out; ends the process. */
  readonly end?: (code: number) => void;
}

/**
 * Unlike `processTerminal` it survives a reader that goes away (`| head`), and its `exitWith` ends the process: a file that
 * hangs must not keep a check alive whose output is complete.
 */
export function openCheckTerminal({
  stdout = process.stdout,
  stderr = process.stderr,
  end = endProcess,
}: CheckTerminalOptions = {}): CheckTerminal {
  const closing = new AbortController();
  stdout.on('error', () => closing.abort(new Error('standard output is closed')));
  // What only accompanies the output; without a reader it is lost.
  stderr.on('error', () => undefined);
  return {
    closed: closing.signal,
    out: (text) => {
      if (!closing.signal.aborted) stdout.write(text);
    },
    error: (text) => {
      stderr.write(text);
    },
    exitWith: (code) => {
      // For an end that comes before ours.
      process.exitCode = code;
      void Promise.all([flushed(stdout), flushed(stderr)]).then(() => end(code));
    },
  };
}

/** When all that was written is out, or will never be. */
const flushed = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    stream.write('', () => resolve());
  });
