import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';

import { errorCode } from '../../observability/error-code.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';

const CHUNK_BYTES = 64 * 1024;

export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/**
 * The bytes of a regular file, undefined if there is no such file. Pipes and devices, which could block or never end,
 * and files above the limit are refused with HadoopConfigurationError.
 */
export async function readRegularFile(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await handle.stat()).isFile()) {
      throw new HadoopConfigurationError({ file, message: 'is not a regular file' });
    }
    // The size that stat tells may change while we read.
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(CHUNK_BYTES));
      if (bytesRead === 0) return Buffer.concat(chunks, length);
      chunks.push(buffer.subarray(0, bytesRead));
      length += bytesRead;
      if (length > maxBytes) {
        const message = `is larger than ${maxBytes} bytes; that is hardly a Hadoop configuration file`;
        throw new HadoopConfigurationError({ file, message });
      }
    }
  } catch (error) {
    if (error instanceof HadoopConfigurationError) throw error;
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const fix = code === 'EACCES' ? '; let the user that runs this process read it' : '';
    throw new HadoopConfigurationError({ file, message: `cannot be read (${code})${fix}` });
  }
}
