import type { ListedToken } from '../delegation-tokens/listed-token.ts';
import { rfc3339 } from './credentials-document.ts';

/** The JSON answer of `GET /v1/tokens`: metadata only. Dates are RFC 3339 in UTC; null is "not known yet". */
export interface TokensDocument {
  /** Which process answers. */
  readonly replica: string;
  readonly tokens: readonly {
    readonly cluster: string;
    readonly source: string;
    readonly kind: string;
    readonly owner: string;
    /** Another than the owner: who asked to be the owner (`doAs`). */
    readonly stampedUser: string;
    /** null: shared by all namespaces. */
    readonly namespace: string | null;
    readonly scope: 'namespace' | 'user' | 'pod';
    readonly podUid: string | null;
    readonly renewer: string;
    readonly services: readonly string[];
    readonly sequenceNumber: number;
    readonly issuedAt: string;
    readonly expiresAt: string | null;
    readonly maxDate: string;
    readonly state: 'current' | 'retired' | 'tombstoned';
    readonly handedOutUntil: string | null;
    readonly retiredAt: string | null;
    readonly tombstonedAt: string | null;
    readonly provenAt: string | null;
    /** Pods that may hold it, as last counted. */
    readonly holders: number;
    /** Renewals that failed in a row. */
    readonly failures: number;
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
    stampedUser: token.stampedUser,
    namespace: token.namespace ?? null,
    scope: token.scope,
    podUid: token.podUid ?? null,
    renewer: token.renewer,
    services: token.services,
    sequenceNumber: token.sequenceNumber,
    issuedAt: rfc3339(token.issuedAt),
    expiresAt: token.expiresAt === undefined ? null : rfc3339(token.expiresAt),
    maxDate: rfc3339(token.maxDate),
    state: token.state,
    handedOutUntil: dateOf(token.handedOutUntil),
    retiredAt: dateOf(token.retiredAt),
    tombstonedAt: dateOf(token.tombstonedAt),
    provenAt: dateOf(token.provenAt),
    holders: token.holders,
    failures: token.failures,
  };
}

function dateOf(ms: number | undefined): string | null {
  return ms === undefined ? null : rfc3339(BigInt(Math.trunc(ms)));
}

const SORT_KEYS = ['owner', 'namespace', 'cluster', 'kind', 'source'] as const;

function byOwner(one: ListedToken, other: ListedToken): number {
  for (const key of SORT_KEYS) {
    const [mine = '', others = ''] = [one[key], other[key]];
    if (mine !== others) return mine < others ? -1 : 1;
  }
  return one.sequenceNumber - other.sequenceNumber;
}
