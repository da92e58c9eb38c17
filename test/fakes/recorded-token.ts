import { randomBytes } from 'node:crypto';
import type {
  IssueClaim,
  RecordedToken,
  RecordId,
  TokenRecord,
  TokenSlot,
} from '../../src/delegation-tokens/token-record.ts';
import { toDelegationToken } from '../../src/hadoop/codec/delegation-token.ts';
import { encodeTokenIdentifier } from '../../src/hadoop/codec/token-identifier.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const KIND = 'HDFS_DELEGATION_TOKEN';

/** The slot of a token that the pods of the record's namespace share. */
export function slotOf({ namespace, owner }: RecordId): TokenSlot {
  return {
    cluster: 'prod',
    source: 'ns1',
    kind: KIND,
    renewer: 'kerbridge',
    scope: namespace === undefined ? { type: 'user' } : { type: 'namespace', namespace },
    stampedUser: owner,
  };
}

/** A token as a NameNode makes it, with a password of its own. */
export function recordedToken(
  id: RecordId,
  { sequenceNumber = 1, ...change }: Partial<RecordedToken> & { readonly sequenceNumber?: number } = {},
): RecordedToken {
  const slot = slotOf(id);
  const identifier = encodeTokenIdentifier(
    {
      owner: id.owner,
      renewer: slot.renewer,
      realUser: 'kerbridge',
      issueDate: BigInt(NOW),
      maxDate: BigInt(NOW + 7 * 24 * 3_600_000),
      sequenceNumber,
      masterKeyId: 2,
    },
    'writable',
  );
  const password = Uint8Array.from(randomBytes(20));
  return {
    ...slot,
    token: toDelegationToken({ identifier, password, kind: slot.kind, service: 'ha-hdfs:ns1' }),
    issuedAt: NOW,
    ...change,
  };
}

export function claimOf(id: RecordId, replica = 'kerbridge-0/1'): IssueClaim {
  return { ...slotOf(id), replica, claimedAt: NOW };
}

export function recordOf(
  id: RecordId,
  { tokens = [recordedToken(id)], claims = [] }: Partial<Pick<TokenRecord, 'tokens' | 'claims'>> = {},
): TokenRecord {
  return { ...id, tokens, claims };
}

/** All of it in the open, passwords too, to be compared. */
export function revealed({ namespace, owner, tokens, claims }: TokenRecord): object {
  return {
    namespace,
    owner,
    claims,
    tokens: tokens.map(({ token, ...rest }) => ({
      ...rest,
      token: {
        ...token,
        issueDate: token.issueDate,
        maxDate: token.maxDate,
        identifier: Buffer.from(token.identifier).toString('hex'),
        password: Buffer.from(token.password.reveal()).toString('hex'),
      },
    })),
  };
}
