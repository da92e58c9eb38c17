import { Secret } from '../observability/secret.ts';
import { sharedText } from './compact-text.ts';
import type { RecordedToken, TokenScope } from './token-record.ts';
import type { DelegationToken } from './token-service.ts';

/**
 * A token that is kept. There may be 100,000 of them, and an array of a few bytes takes some 250 more: so identifier and
 * password are one text, a character a byte, and arrays only while somebody looks.
 *
 * Not to be spread: that leaves out both, and the dates.
 */
class CompactToken implements DelegationToken {
  readonly kind: string;
  readonly service: string;
  readonly owner: string;
  readonly renewer: string;
  readonly realUser: string;
  readonly sequenceNumber: number;
  readonly masterKeyId: number;
  /** A bigint takes more bytes than the number, which dates are; no date is lost if it is none. */
  readonly #issueDate: number | bigint;
  readonly #maxDate: number | bigint;
  readonly #bytes: string;
  readonly #identifierLength: number;

  constructor(token: DelegationToken) {
    this.kind = sharedText(token.kind);
    this.service = sharedText(token.service);
    this.owner = sharedText(token.owner);
    this.renewer = sharedText(token.renewer);
    this.realUser = sharedText(token.realUser);
    this.#issueDate = compactDate(token.issueDate);
    this.#maxDate = compactDate(token.maxDate);
    this.sequenceNumber = token.sequenceNumber;
    this.masterKeyId = token.masterKeyId;
    this.#bytes = Buffer.concat([token.identifier, token.password.reveal()]).toString('latin1');
    this.#identifierLength = token.identifier.length;
  }

  get issueDate(): bigint {
    return BigInt(this.#issueDate);
  }

  get maxDate(): bigint {
    return BigInt(this.#maxDate);
  }

  get identifier(): Uint8Array {
    return toBytes(this.#bytes.slice(0, this.#identifierLength));
  }

  get password(): Secret<Uint8Array> {
    return new Secret(toBytes(this.#bytes.slice(this.#identifierLength)));
  }
}

function compactDate(date: bigint): number | bigint {
  const number = Number(date);
  return Number.isSafeInteger(number) ? number : date;
}

/** Its own memory: what a small Buffer has it shares with others. */
function toBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** The same, in as few bytes as it may be kept in. */
export function compactToken(recorded: RecordedToken): RecordedToken {
  const { scope, issuedAt, retiredAt, tombstonedAt } = recorded;
  return {
    cluster: sharedText(recorded.cluster),
    source: sharedText(recorded.source),
    kind: sharedText(recorded.kind),
    renewer: sharedText(recorded.renewer),
    scope: scope.type === 'namespace' ? sharedScope(scope.namespace) : scope,
    stampedUser: sharedText(recorded.stampedUser),
    token: new CompactToken(recorded.token),
    issuedAt,
    ...(retiredAt === undefined ? {} : { retiredAt }),
    ...(tombstonedAt === undefined ? {} : { tombstonedAt }),
  };
}

/** Past this many all are forgotten, and made again. */
const MAX_SCOPES = 10_000;
const scopes = new Map<string, TokenScope>();

/** One object for all tokens of a namespace. */
function sharedScope(namespace: string): TokenScope {
  const known = scopes.get(namespace);
  if (known !== undefined) return known;
  if (scopes.size >= MAX_SCOPES) scopes.clear();
  const name = sharedText(namespace);
  const scope = Object.freeze<TokenScope>({ type: 'namespace', namespace: name });
  scopes.set(name, scope);
  return scope;
}
