import { errorCode } from '../observability/error-code.ts';
import { Secret } from '../observability/secret.ts';
import { readRegularFile } from './read-regular-file.ts';

/** The projected token can't be used; the message names the file and the fix, never its content. */
export class ServiceAccountTokenFileError extends Error {
  override readonly name = 'ServiceAccountTokenFileError';
}

/**
 * Reads the projected service-account token. Read anew for every request: kubelet replaces the file at 80 % of the
 * token's life.
 */
export async function readServiceAccountToken(path: string): Promise<Secret<string>> {
  let text: string;
  try {
    text = (await readRegularFile(path)).bytes.toString('utf8');
  } catch (error) {
    const code = errorCode(error);
    throw new ServiceAccountTokenFileError(
      `cannot read the service-account token ${path}: ${code}; mount a projected serviceAccountToken volume there`,
    );
  }
  const serviceAccountToken = text.trim();
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(serviceAccountToken)) {
    throw new ServiceAccountTokenFileError(`${path} holds no service-account token (a JWT of three parts)`);
  }
  return new Secret(serviceAccountToken);
}
