import { close as closeOf, constants, write as writeTo } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Clock } from '../time/clock.ts';
import { reopenPipe } from './reopen-pipe.ts';

const closeDescriptor = promisify(closeOf);
const write = promisify(writeTo);

/** Where audit lines go. One caller at a time. Methods reject with the system's error. */
export interface AuditDestination {
  /**
   * Called before each batch; opens what is not open.
   * @returns whether the next byte comes to stand within a line that somebody left unfinished; undefined, at once or
   *   later: nothing was opened, so it is as the last write left it
   */
  prepare(): Promise<{ readonly withinLine: boolean } | undefined> | undefined;
  /**
   * Of bytes in one write, so many at most are never mixed with what others write. Undefined: what POSIX says of a pipe.
   */
  readonly wholeBytes?: number | undefined;
  /** @returns how many bytes were taken. Rejects with EAGAIN when there is no room now. */
  write(bytes: Uint8Array): Promise<number>;
  /** What comes later opens it again. */
  close(): Promise<void>;
}

/** How often a file is compared with what its path names now. */
export const ROTATION_CHECK_MS = 1_000;

/** Linux appends to a file under its lock, however much it is. */
const FILE_WHOLE_BYTES = 64 * 1024;

/**
 * A file that is appended to; made with mode 0600 if it is not there. When its path names another file, or none (it was
 * rotated), the path is opened anew. A FIFO without a reader is an error (ENXIO), a full one EAGAIN: neither ever waits.
 */
export function auditFile(path: string, clock: Clock): AuditDestination {
  let handle: FileHandle | undefined;
  let checkedAt = 0;
  let isFile = false;
  const close = async (): Promise<void> => {
    const closing = handle;
    handle = undefined;
    await closing?.close();
  };
  const openAnew = async (): Promise<{ readonly withinLine: boolean } | undefined> => {
    if (handle !== undefined) {
      if (await isAt(handle, path)) return undefined;
      await close();
    }
    const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;
    handle = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o600);
    isFile = (await handle.stat()).isFile();
    return { withinLine: await endsWithinLine(handle, path) };
  };
  return {
    prepare() {
      const age = clock.now() - checkedAt;
      if (handle !== undefined && age >= 0 && age < ROTATION_CHECK_MS) return undefined;
      checkedAt = clock.now();
      return openAnew();
    },
    get wholeBytes() {
      return isFile ? FILE_WHOLE_BYTES : undefined;
    },
    write: async (bytes) => {
      if (handle === undefined) throw new Error('the audit file is not open');
      return (await write(handle.fd, bytes)).bytesWritten;
    },
    close,
  };
}

/**
 * A descriptor that is open already, such as 2. A pipe is opened a second time, without waiting: a write that waits for a
 * reader would hold one of libuv's threads, and with it the end of the process.
 */
export function auditDescriptor(descriptor: number): AuditDestination {
  let reopened: number | undefined;
  let looked = false;
  return {
    async prepare() {
      if (!looked) reopened = await Promise.resolve(reopenPipe(descriptor));
      looked = true;
      return undefined;
    },
    write: async (bytes) => (await write(reopened ?? descriptor, bytes)).bytesWritten,
    close: async () => {
      const closing = reopened;
      reopened = undefined;
      looked = false;
      if (closing !== undefined) await closeDescriptor(closing);
    },
  };
}

async function isAt(handle: FileHandle, path: string): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  const own = await handle.stat();
  return there?.ino === own.ino && there.dev === own.dev;
}

/** A process that was killed, or a disk that was full, leaves half a line. If it can't be read, an empty line does no harm. */
async function endsWithinLine(handle: FileHandle, path: string): Promise<boolean> {
  const own = await handle.stat();
  if (!own.isFile() || own.size === 0) return false;
  try {
    const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { buffer } = await reader.read({ buffer: Buffer.alloc(1), position: own.size - 1 });
      return buffer[0] !== 0x0a;
    } finally {
      await reader.close();
    }
  } catch {
    return true;
  }
}
