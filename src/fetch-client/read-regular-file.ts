import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';

/** Far above any real credentials file, CA bundle, token or status, far below what would hurt a small pod. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

export const NOT_REGULAR = 'not a regular file';

export interface RegularFile {
  readonly bytes: Buffer;
  readonly mode: number;
  readonly mtimeMs: number;
}

/** The file is there, but nothing to read whole. `code` says why, as the system's would. */
export class UnfitFileError extends Error {
  override readonly name = 'UnfitFileError';
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/**
 * The whole of a file that others may have put there: a FIFO, which would wait for ever and for no signal, a device or
 * folder is refused with {@link UnfitFileError}, and so is what has more bytes than anybody means.
 */
export async function readRegularFile(path: string): Promise<RegularFile> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = await handle.stat();
  if (!stats.isFile()) throw new UnfitFileError(NOT_REGULAR);
  if (stats.size > MAX_FILE_BYTES) throw tooLarge();
  // Not up to the size: it may grow meanwhile, and in some file systems it is 0.
  const bytes = await buffer(handle.createReadStream({ autoClose: false, end: MAX_FILE_BYTES }));
  if (bytes.length > MAX_FILE_BYTES) throw tooLarge();
  return { bytes, mode: stats.mode & 0o7777, mtimeMs: stats.mtimeMs };
}

const tooLarge = (): UnfitFileError => new UnfitFileError(`more than ${MAX_FILE_BYTES} bytes`);
