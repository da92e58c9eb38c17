import type { DelegationToken } from './token-service.ts';

/**
 * Which pods may hold one token. Whoever holds a token can cancel it, so it is shared no wider than trust reaches: by
 * default in one namespace, the unit of trust in Kubernetes.
 */
export type TokenScope =
  | { readonly type: 'namespace'; readonly namespace: string }
  /** All namespaces. */
  | { readonly type: 'user' }
  | { readonly type: 'pod'; readonly namespace: string; readonly podUid: string };

/** A record is all that one owner has in one namespace; undefined: tokens that are shared by all namespaces. */
export interface RecordId {
  readonly namespace: string | undefined;
  /** Short name of the Hadoop user that the tokens are for. */
  readonly owner: string;
}

/** What tells two tokens of one record apart that are not generations of each other. */
export interface TokenSlot {
  /** Name of the Hadoop cluster in our configuration. */
  readonly cluster: string;
  /** Name of the source within (cluster, kind), for example the nameservice. */
  readonly source: string;
  readonly kind: string;
  /** Short name of who may renew the token. */
  readonly renewer: string;
  readonly scope: TokenScope;
  /** The user stamped on the pods that may hold it: the owner, or who asks to be the owner (`doAs`). */
  readonly stampedUser: string;
}

/** All times are ms since the epoch by our clock. */
export interface RecordedToken extends TokenSlot {
  readonly token: DelegationToken;
  /** Just before it was asked for. */
  readonly issuedAt: number;
  /** Since then nobody is handed it any more; pods that were created before may hold it. */
  readonly retiredAt?: number;
  /** Since then it is to be cancelled, unless somebody turns out to hold it. */
  readonly tombstonedAt?: number;
}

/** A replica is about to ask Hadoop for the slot's token: others wait, so that there is one token and not two. */
export interface IssueClaim extends TokenSlot {
  /** Which process, for example the name of its pod and something random. */
  readonly replica: string;
  /** ms since the epoch. Whoever made it may have died: it counts for a limited time. */
  readonly claimedAt: number;
}

export interface TokenRecord extends RecordId {
  readonly tokens: readonly RecordedToken[];
  readonly claims: readonly IssueClaim[];
}
