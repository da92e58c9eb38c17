import { constants, fstatSync, openSync } from 'node:fs';

/**
 * A descriptor that writes to the same pipe and never waits for a reader (EAGAIN). The one that is given stays as it is,
 * because whoever else has it may count on its waiting. Only a pipe is opened a second time: a second opening of a file
 * has an offset of its own, and what others write to the first would overwrite the lines.
 * @returns undefined if it is no pipe, or can't be opened. Throws the system's error for a descriptor that is closed.
 */
export function reopenPipe(descriptor: number): number | undefined {
  if (!fstatSync(descriptor).isFIFO()) return undefined;
  try {
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}
