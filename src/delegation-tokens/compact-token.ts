import { Secret } from '../observability/secret.ts';
import type { RecordedToken } from './token-record.ts';
import type { DelegationToken } from './token-service.ts';

/**
 * A token that is kept. There may be 100,000 of them, and an array of a few bytes takes some 250 more: so identifier and
 * password are one text, a character a byte, and arrays only while somebody looks.
 *
 * Not to be spread: that leaves out both.
 */
class CompactToken implements DelegationToken {
  readonly kind: string;
  readonly service: string;
  readonly owner: string;
  readonly renewer: string;
  readonly realUser: string;
  readonly issueDate: bigint;
  readonly maxDate: bigint;
  readonly sequenceNumber: number;
  readonly masterKeyId: number;
  readonly #bytes: string;
  readonly #identifierLength: number;

  constructor(token: DelegationToken) {
    this.kind = same(token.kind);
    this.service = same(token.service);
    this.owner = same(token.owner);
    this.renewer = same(token.renewer);
    this.realUser = same(token.realUser);
    this.issueDate = token.issueDate;
    this.maxDate = token.maxDate;
    this.sequenceNumber = token.sequenceNumber;
    this.masterKeyId = token.masterKeyId;
    this.#bytes = Buffer.concat([token.identifier, token.password.reveal()]).toString('latin1');
    this.#identifierLength = token.identifier.length;
  }

  get identifier(): Uint8Array {
    return toBytes(this.#bytes.slice(0, this.#identifierLength));
  }

  get password(): Secret<Uint8Array> {
    return new Secret(toBytes(this.#bytes.slice(this.#identifierLength)));
  }
}

/** Its own memory: what a small Buffer has it shares with others. */
function toBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** Names of users and kinds, each once, however many tokens have it. Past this many all are forgotten, and learnt again. */
const MAX_TEXTS = 100_000;
const texts = new Map<string, string>();

function same(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= MAX_TEXTS) texts.clear();
  texts.set(text, text);
  return text;
}

/** The same, in as few bytes as it may be kept in. */
export function compactToken(recorded: RecordedToken): RecordedToken {
  const { scope, issuedAt, retiredAt, tombstonedAt } = recorded;
  return {
    cluster: same(recorded.cluster),
    source: same(recorded.source),
    kind: same(recorded.kind),
    renewer: same(recorded.renewer),
    scope: scope.type === 'namespace' ? { type: scope.type, namespace: same(scope.namespace) } : scope,
    stampedUser: same(recorded.stampedUser),
    token: new CompactToken(recorded.token),
    issuedAt,
    ...(retiredAt === undefined ? {} : { retiredAt }),
    ...(tombstonedAt === undefined ? {} : { tombstonedAt }),
  };
}
