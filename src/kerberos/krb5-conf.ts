import { access, constants } from 'node:fs/promises';
import { SpnegoError } from '../hadoop/spnego.ts';

/**
 * Rejects with {@link SpnegoError} 'configuration' when none of the files of a KRB5_CONFIG value can be read. MIT would
 * go on without one, ask DNS for the realm, and in the end say "Cannot find KDC for realm".
 */
export const assertKrb5ConfReadable = async (krb5Conf: string): Promise<void> => {
  const files = await Promise.all(
    krb5Conf.split(':').map((path) =>
      access(path, constants.R_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (!files.includes(true)) {
    throw new SpnegoError('configuration', `there is no readable krb5.conf at ${krb5Conf}`, {
      fix: 'Mount the krb5.conf of the realm there, or correct the configured path',
    });
  }
};
