import { CodecError } from '../../src/hadoop/codec/codec-error.ts';
import { decodeTokenIdentifier } from '../../src/hadoop/codec/token-identifier.ts';
import { decodeTokenUrlString } from '../../src/hadoop/codec/token.ts';
import type { Token } from '../../src/hadoop/codec/token.ts';
import { ACCESS_CONTROL, ILLEGAL_ARGUMENT, INVALID_TOKEN, json, remote } from './fake-namenode-replies.ts';
import type { FakeReply } from './fake-namenode-replies.ts';
import type { FakeTokenLedger, LedgerEntry } from './fake-token-ledger.ts';

export interface OperationContext {
  readonly ledger: FakeTokenLedger;
  readonly now: number;
  /** Short name of the caller, after impersonation. */
  readonly user: string;
  readonly query: ReadonlyMap<string, string>;
  /** Default for the token's service. */
  readonly rpcAddress: string;
  /** What to put into the next token instead of what was asked. */
  readonly issueAs: { owner?: string; renewer?: string; kind?: string; realUser?: string };
}

/** What the real ones do with the token operations (`AbstractDelegationTokenSecretManager`). */
export const operations: Readonly<Record<string, (context: OperationContext) => FakeReply>> = {
  GETDELEGATIONTOKEN({ ledger, now, user, query, rpcAddress, issueAs }) {
    const urlString = ledger.issue({
      owner: user,
      renewer: query.get('renewer') ?? user,
      kind: query.get('kind') ?? 'WEBHDFS delegation',
      service: query.get('service') ?? rpcAddress,
      now,
      ...issueAs,
    });
    return json({ Token: { urlString } });
  },

  RENEWDELEGATIONTOKEN({ ledger, now, user, query }) {
    return withToken('RENEWDELEGATIONTOKEN', query, ledger, ({ token, said, entry }) => {
      const id = describe(said);
      if (entry === undefined) return remote(INVALID_TOKEN, `Renewal request for unknown token (${id})`);
      if (entry.maxDate < BigInt(now))
        return remote(INVALID_TOKEN, `${user} tried to renew an expired token (${id})`);
      if (entry.renewer !== user) {
        return remote(
          ACCESS_CONTROL,
          `${user} tries to renew a token (${id}) with non-matching renewer ${entry.renewer}`,
        );
      }
      if (!Buffer.from(entry.password).equals(token.password)) {
        return remote(ACCESS_CONTROL, `${user} is trying to renew a token (${id}) with wrong password`);
      }
      const expiry = BigInt(now) + ledger.renewIntervalMs;
      return { ...json({}), body: `{"long":${expiry < entry.maxDate ? expiry : entry.maxDate}}` };
    });
  },

  CANCELDELEGATIONTOKEN({ ledger, user, query }) {
    return withToken('CANCELDELEGATIONTOKEN', query, ledger, ({ said, entry }) => {
      if (entry === undefined) return remote(INVALID_TOKEN, `Token not found (${describe(said)})`);
      if (user !== entry.owner && user !== entry.renewer) {
        return remote(ACCESS_CONTROL, `${user} is not authorized to cancel the token (${describe(said)})`);
      }
      ledger.live.delete(entry.sequenceNumber);
      return { status: 200, headers: { 'Content-Type': 'application/octet-stream' }, body: '' };
    });
  },
};

interface ReadToken {
  readonly token: Token;
  readonly said: Omit<LedgerEntry, 'password'>;
  readonly entry: LedgerEntry | undefined;
}

function withToken(
  operation: string,
  query: ReadonlyMap<string, string>,
  ledger: FakeTokenLedger,
  work: (read: ReadToken) => FakeReply,
): FakeReply {
  const urlString = query.get('token') ?? '';
  if (urlString === '') {
    return remote(ILLEGAL_ARGUMENT, `Required param token for op: ${operation} is null or empty`, 400);
  }
  const read = readToken(urlString, ledger);
  return 'status' in read ? read : work(read);
}

/** The token, or what a server says to a string that is none. */
export function readToken(urlString: string, ledger: FakeTokenLedger): ReadToken | FakeReply {
  try {
    const token = decodeTokenUrlString(urlString);
    const said = decodeTokenIdentifier('HDFS_DELEGATION_TOKEN', token.identifier);
    return { token, said, entry: ledger.live.get(said.sequenceNumber) };
  } catch (error) {
    return error instanceof CodecError && error.code === 'length-out-of-range'
      ? remote('java.lang.NegativeArraySizeException', '-1', 500)
      : remote('java.io.EOFException', null);
  }
}

export function describe(said: Omit<LedgerEntry, 'password'>): string {
  return (
    `token for ${said.owner}: HDFS_DELEGATION_TOKEN owner=${said.owner}, renewer=${said.renewer}, ` +
    `realUser=${said.realUser}, issueDate=${said.issueDate}, maxDate=${said.maxDate}, ` +
    `sequenceNumber=${said.sequenceNumber}, masterKeyId=${said.masterKeyId}`
  );
}
