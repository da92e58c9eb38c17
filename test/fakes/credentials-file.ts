import { encodeCredentials } from '../../src/hadoop/codec/credentials.ts';

/** A credentials file with one token that no Hadoop would take. */
export function credentialsFile(): Buffer {
  const service = 'ha-hdfs:prod';
  const token = {
    identifier: Buffer.from('identifier'),
    password: Buffer.from('password'),
    kind: 'HDFS_DELEGATION_TOKEN',
    service,
  };
  return Buffer.from(encodeCredentials({ tokens: [{ alias: service, token }], secrets: [] }, 'writable'));
}
