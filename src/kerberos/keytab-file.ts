import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { errorCode } from '../observability/error-code.ts';
import { decodeKeytab, KeytabError, MAX_KEYTAB_BYTES, type Keytab } from './keytab.ts';

/** Where the initiator learns about its keytab, and that it changed. Both methods reject with {@link KeytabError}. */
export interface KeytabSource {
  /** Equal as long as the file is the same: cheap enough to ask before every use. */
  fingerprint(): Promise<string>;
  read(): Promise<Keytab>;
}

const PROBLEM_OF_CODE: Readonly<Record<string, KeytabError['problem']>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'unreadable',
  EPERM: 'unreadable',
  EISDIR: 'not-a-file',
};

const toKeytabError = (path: string, error: unknown): KeytabError => {
  if (error instanceof KeytabError) {
    return error;
  }
  const code = errorCode(error);
  const problem = PROBLEM_OF_CODE[code] ?? 'unreadable';
  return new KeytabError(
    problem,
    problem === 'missing'
      ? `there is no keytab at ${path}`
      : `the keytab ${path} cannot be read by this process (${code})`,
  );
};

const readBounded = async (path: string): Promise<Keytab> => {
  // Without O_NONBLOCK a named pipe at this path would hold a thread of the pool for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) {
      throw new KeytabError('not-a-file', `the keytab path ${path} is not a file`);
    }
    const { size } = stats;
    if (size > MAX_KEYTAB_BYTES) {
      throw new KeytabError('too-large', `the keytab ${path} is larger than ${MAX_KEYTAB_BYTES} bytes`);
    }
    const bytes = Buffer.alloc(size);
    try {
      let filled = 0;
      while (filled < size) {
        const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
        if (bytesRead === 0) {
          break;
        }
        filled += bytesRead;
      }
      return decodeKeytab(bytes.subarray(0, filled));
    } finally {
      bytes.fill(0); // it held keys
    }
  } finally {
    await file.close();
  }
};

/** The keytab at `path`; symbolic links are followed, since a mounted Kubernetes Secret changes by swapping one. */
export const keytabFile = (path: string): KeytabSource => ({
  fingerprint: async () => {
    try {
      const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
      return [dev, ino, size, mtimeNs].join(':');
    } catch (error) {
      throw toKeytabError(path, error);
    }
  },
  read: async () => {
    try {
      return await readBounded(path);
    } catch (error) {
      throw toKeytabError(path, error);
    }
  },
});
