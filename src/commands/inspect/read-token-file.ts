import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { errorCode } from '../../observability/error-code.ts';

/** As `fetch` takes it: far above any real credentials file. */
const MAX_BYTES = 4 * 1024 * 1024;

/** The file can't be read; the message names it and the fix. */
export class TokenFileError extends Error {
  override readonly name = 'TokenFileError';
}

export interface TokenFile {
  readonly bytes: Uint8Array;
  /** Permission bits; undefined for standard input. */
  readonly mode: number | undefined;
}

const FIXES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; has the fetcher written it?',
  EACCES: 'run this as the user whose file it is',
};

/**
 * Standard input for `-`. A pipe or device by name is refused, it could block for ever.
 * @throws {TokenFileError}
 */
export async function readTokenFile(path: string): Promise<TokenFile> {
  if (path === '-')
    return { bytes: requireBounded('standard input', await buffer(process.stdin)), mode: undefined };
  try {
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (!stats.isFile()) throw new TokenFileError(`${path} is not a regular file; use - for standard input`);
    requireBounded(path, { length: stats.size });
    return { bytes: requireBounded(path, await handle.readFile()), mode: stats.mode & 0o7777 };
  } catch (error) {
    if (error instanceof TokenFileError) throw error;
    const code = errorCode(error);
    throw new TokenFileError(`cannot read ${path}: ${FIXES[code] ?? code}`);
  }
}

function requireBounded<T extends { readonly length: number }>(path: string, bytes: T): T {
  if (bytes.length <= MAX_BYTES) return bytes;
  throw new TokenFileError(`${path} has more than ${MAX_BYTES} bytes: that is no Hadoop token file`);
}
