import { buffer } from 'node:stream/consumers';
import {
  MAX_FILE_BYTES,
  NOT_REGULAR,
  readRegularFile,
  UnfitFileError,
} from '../../fetch-client/read-regular-file.ts';
import { errorCode } from '../../observability/error-code.ts';

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
  if (path === '-') {
    const bytes = await buffer(process.stdin);
    if (bytes.length > MAX_FILE_BYTES) throw tooLarge('standard input');
    return { bytes, mode: undefined };
  }
  try {
    return await readRegularFile(path);
  } catch (error) {
    if (error instanceof UnfitFileError) {
      throw error.code === NOT_REGULAR
        ? new TokenFileError(`${path} is not a regular file; use - for standard input`)
        : tooLarge(path);
    }
    const code = errorCode(error);
    throw new TokenFileError(`cannot read ${path}: ${FIXES[code] ?? code}`);
  }
}

function tooLarge(path: string): TokenFileError {
  return new TokenFileError(`${path} has more than ${MAX_FILE_BYTES} bytes: that is no Hadoop token file`);
}
