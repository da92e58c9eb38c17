import { randomBytes } from 'node:crypto';
import { type CredentialsFormat, encodeCredentials } from '../../../src/hadoop/codec/credentials.ts';
import { encodeTokenIdentifier } from '../../../src/hadoop/codec/token-identifier.ts';

export interface TokensFileOptions {
  readonly sequenceNumbers?: readonly number[];
  /** Seconds from now until the maxDate. */
  readonly validFor?: number;
  readonly format?: CredentialsFormat;
}

const WEEK_SECONDS = 7 * 86_400;

/** What the passwords begin with: it may be seen in no line and no argument. */
export const PASSWORD = 'password-of-a-delegation-token';

/** A whole Hadoop credentials file, each time another, with identifiers as Hadoop writes them. */
export function tokensFile(options: TokensFileOptions = {}): Buffer {
  const { sequenceNumbers = [12], validFor = WEEK_SECONDS, format = 'writable' } = options;
  const now = Date.now();
  const tokens = sequenceNumbers.map((sequenceNumber) => {
    const service = `ha-hdfs:prod-${sequenceNumber}`;
    const identifier = encodeTokenIdentifier(
      {
        owner: 'alice',
        renewer: 'kerbridge',
        realUser: 'kerbridge',
        issueDate: BigInt(now),
        maxDate: BigInt(now + validFor * 1000),
        sequenceNumber,
        masterKeyId: 2,
      },
      'writable',
    );
    const password = Buffer.from(`${PASSWORD}-${randomBytes(8).toString('hex')}`);
    return { alias: service, token: { identifier, password, kind: 'HDFS_DELEGATION_TOKEN', service } };
  });
  return Buffer.from(encodeCredentials({ tokens, secrets: [] }, format));
}
