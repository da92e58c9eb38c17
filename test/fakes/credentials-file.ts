import { encodeCredentials } from '../../src/hadoop/codec/credentials.ts';
import { encodeTokenIdentifier } from '../../src/hadoop/codec/token-identifier.ts';

/** A credentials file with one token that no Hadoop would take. */
export function credentialsFile(): Buffer {
  return fileOf([Buffer.from('identifier')]);
}

/** One with tokens that say how long they live and which they are. */
export function hdfsCredentialsFile(
  tokens: readonly { readonly maxDate: bigint; readonly sequenceNumber: number }[],
): Buffer {
  return fileOf(
    tokens.map((token) =>
      encodeTokenIdentifier(
        { owner: 'alice', renewer: 'kerbridge', realUser: '', issueDate: 0n, masterKeyId: 1, ...token },
        'writable',
      ),
    ),
  );
}

function fileOf(identifiers: readonly Uint8Array[]): Buffer {
  const tokens = identifiers.map((identifier, index) => {
    const service = index === 0 ? 'ha-hdfs:prod' : `ha-hdfs:prod${index}`;
    const token = { identifier, password: Buffer.from('password'), kind: 'HDFS_DELEGATION_TOKEN', service };
    return { alias: service, token };
  });
  return Buffer.from(encodeCredentials({ tokens, secrets: [] }, 'writable'));
}
