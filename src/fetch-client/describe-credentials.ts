import { CodecError } from '../hadoop/codec/codec-error.ts';
import { decodeCredentials } from '../hadoop/codec/credentials.ts';
import { decodeTokenIdentifier, type TokenIdentifier } from '../hadoop/codec/token-identifier.ts';

/** The last instant of the year 9999: Hadoop says Long.MAX for "never". */
const LATEST_MS = 253_402_300_799_999n;

export interface DescribedCredentials {
  readonly tokenCount: number;
  /** Each once; of tokens of a kind that can be read. */
  readonly sequenceNumbers: readonly string[];
  /** ms since the epoch: the first maxDate of those; undefined: none, or never. */
  readonly validUntil?: number;
}

/** What a credentials file says of itself: no secret is in it. Throws CodecError. */
export function describeCredentials(bytes: Uint8Array): DescribedCredentials {
  const { tokens } = decodeCredentials(bytes).credentials;
  const identifiers = tokens.map(({ token }) => identifierOf(token)).filter((found) => found !== undefined);
  const maxDates = identifiers.map(({ maxDate }) => maxDate).filter((maxDate) => maxDate <= LATEST_MS);
  return {
    tokenCount: tokens.length,
    sequenceNumbers: [...new Set(identifiers.map(({ sequenceNumber }) => String(sequenceNumber)))],
    ...(maxDates.length === 0 ? {} : { validUntil: Math.min(...maxDates.map(Number)) }),
  };
}

function identifierOf(token: {
  readonly kind: string;
  readonly identifier: Uint8Array;
}): TokenIdentifier | undefined {
  try {
    return decodeTokenIdentifier(token.kind, token.identifier);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
