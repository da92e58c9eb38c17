import { X509Certificate } from 'node:crypto';
import { errorCode } from '../observability/error-code.ts';
import { readRegularFile } from './read-regular-file.ts';

export class CaFileError extends Error {
  override readonly name = 'CaFileError';
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The PEM text that `--ca-file` names, at least one certificate in it and each readable: Node ignores what it can't read,
 * and the server would only seem not to be trusted. Rejects with {@link CaFileError}.
 */
export async function readCaFile(path: string): Promise<string> {
  let text: string;
  try {
    text = (await readRegularFile(path)).bytes.toString('utf8');
  } catch (error) {
    throw new CaFileError(`cannot read --ca-file ${path}: ${errorCode(error)}`);
  }
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw new CaFileError(`--ca-file ${path} holds no PEM certificate`);
  for (const [index, certificate] of certificates.entries()) {
    try {
      void new X509Certificate(certificate);
    } catch {
      throw new CaFileError(`--ca-file ${path}: certificate ${index + 1} can't be read`);
    }
  }
  return text;
}
