import { readFile } from 'node:fs/promises';
import { errorCode } from '../observability/error-code.ts';

export class CaFileError extends Error {
  override readonly name = 'CaFileError';
}

/** The PEM text that `--ca-file` names. Rejects with {@link CaFileError}. */
export async function readCaFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CaFileError(`cannot read --ca-file ${path}: ${errorCode(error)}`);
  }
}
