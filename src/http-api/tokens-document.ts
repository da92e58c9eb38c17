import type { ListedToken } from '../delegation-tokens/token-cache.ts';
import { rfc3339 } from './credentials-document.ts';

/** The JSON answer of `GET /v1/tokens`: metadata only. Dates are RFC 3339 in UTC; null is "not known yet". */
export interface TokensDocument {
  /** Which process answers: each holds tokens of its own. */
  readonly replica: string;
  readonly tokens: readonly {
    readonly cluster: string;
    readonly source: string;
    readonly kind: string;
    readonly owner: string;
    readonly namespace: string;
    readonly renewer: string;
    readonly services: readonly string[];
    readonly sequenceNumber: number;
    readonly issuedAt: string;
    readonly expiresAt: string | null;
    readonly maxDate: string;
    readonly handedOutUntil: string | null;
  }[];
  /** There are more that fit the question: ask for one user or one namespace. */
  readonly truncated: boolean;
}

/** Sorted, so that two answers can be compared. */
export function createTokensDocument(
  replica: string,
  tokens: readonly ListedToken[],
  maxTokens: number,
): TokensDocument {
  return {
    replica,
    tokens: [...tokens].sort(byOwner).slice(0, maxTokens).map(describeToken),
    truncated: tokens.length > maxTokens,
  };
}

function describeToken(token: ListedToken): TokensDocument['tokens'][number] {
  return {
    cluster: token.cluster,
    source: token.source,
    kind: token.kind,
    owner: token.owner,
    namespace: token.namespace,
    renewer: token.renewer,
    services: token.services,
    sequenceNumber: token.sequenceNumber,
    issuedAt: rfc3339(token.issuedAt),
    expiresAt: token.expiresAt === undefined ? null : rfc3339(token.expiresAt),
    maxDate: rfc3339(token.maxDate),
    handedOutUntil:
      token.handedOutUntil === undefined ? null : rfc3339(BigInt(Math.trunc(token.handedOutUntil))),
  };
}

const SORT_KEYS = ['owner', 'namespace', 'cluster', 'kind', 'source'] as const;

function byOwner(one: ListedToken, other: ListedToken): number {
  for (const key of SORT_KEYS) {
    if (one[key] !== other[key]) return one[key] < other[key] ? -1 : 1;
  }
  return one.sequenceNumber - other.sequenceNumber;
}
