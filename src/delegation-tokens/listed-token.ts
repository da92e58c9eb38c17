import { type LiveToken, stateOf, type TokenState } from './live-token.ts';
import { handedOutUntil } from './reuse-period.ts';
import type { TokenScope } from './token-record.ts';

/** What may be told of a live token: nothing that authenticates. Times are ms since the epoch, by our clock unless it says otherwise. */
export interface ListedToken {
  readonly cluster: string;
  /** Name of the source within (cluster, kind), for example the nameservice. */
  readonly source: string;
  readonly kind: string;
  readonly services: readonly string[];
  readonly owner: string;
  /** The user stamped on the pods that may hold it: the owner, or who asks to be the owner. */
  readonly stampedUser: string;
  /** undefined: shared by all namespaces. */
  readonly namespace: string | undefined;
  readonly scope: TokenScope['type'];
  /** Of scope `pod`. */
  readonly podUid: string | undefined;
  readonly renewer: string;
  readonly sequenceNumber: number;
  /** Hadoop's clock. */
  readonly issuedAt: bigint;
  /** Hadoop's clock. */
  readonly maxDate: bigint;
  /** Hadoop's clock; undefined: not renewed since the start, so not known. */
  readonly expiresAt: bigint | undefined;
  readonly state: TokenState;
  /** Until when the next request still gets this token; undefined: nobody gets it any more, or not yet. */
  readonly handedOutUntil: number | undefined;
  readonly retiredAt: number | undefined;
  readonly tombstonedAt: number | undefined;
  /** When Hadoop last showed that it knows it; undefined: not since the start. */
  readonly provenAt: number | undefined;
  /** Pods that may hold it, as last counted. */
  readonly holders: number;
  /** Renewals that failed in a row. */
  readonly failures: number;
}

/** Field by field: what is added to a token later does not get out by itself. */
export function describeLiveToken(live: LiveToken): ListedToken {
  const { slot, recorded, cached, provenAt, holders, failures } = live;
  const { token, retiredAt, tombstonedAt } = recorded;
  const { source, scope } = slot;
  const isHandedOut = cached !== undefined && stateOf(live) === 'current';
  return {
    cluster: source.cluster,
    source: source.name,
    kind: source.kind,
    services: source.services,
    owner: token.owner,
    stampedUser: slot.stampedUser,
    namespace: slot.id.namespace,
    scope: scope.type,
    podUid: scope.type === 'pod' ? scope.podUid : undefined,
    renewer: token.renewer,
    sequenceNumber: token.sequenceNumber,
    issuedAt: token.issueDate,
    maxDate: token.maxDate,
    expiresAt: cached?.expiresAt,
    state: stateOf(live),
    handedOutUntil: isHandedOut ? handedOutUntil(cached.issuedAt, cached.reusePeriodMs) : undefined,
    retiredAt,
    tombstonedAt,
    provenAt: provenAt === Number.NEGATIVE_INFINITY ? undefined : provenAt,
    holders,
    failures,
  };
}
