import type { Deadline } from '../concurrency/deadline-heap.ts';
import type { HeldToken, TokenSource } from './credentials.ts';
import { reusePeriodMs } from './reuse-period.ts';
import type { RecordedToken, RecordId, TokenScope, TokenSlot } from './token-record.ts';

/** A token that may be handed out. Another object whenever something about it changes. */
export interface CachedToken extends HeldToken {
  /** ms since the epoch by our clock, just before the token was asked for; see `SteadyClock`. */
  readonly issuedAt: number;
  /** About how long after `issuedAt` a holder should have the next one. See `reusePeriodMs`. */
  readonly reusePeriodMs: number;
}

/**
 * What is known of one token besides its record. All times are ms by the steady clock, which begins as ms since the epoch.
 */
export interface LiveToken extends Deadline {
  readonly slot: Slot;
  /** As last written; retirement and tombstone are in there. */
  recorded: RecordedToken;
  /** What is handed out; undefined while the token is not proven, or no longer current. */
  cached: CachedToken | undefined;
  /** Refused after this unless renewed; -Infinity: not known, as after a restart. */
  lapsesAt: number;
  /** When Hadoop last showed that it knows the token. */
  provenAt: number;
  /** When a proof was last tried that got no answer; undefined: none was, which takes no number of its own to keep. */
  unansweredAt: number | undefined;
  /** Renewals that failed in a row, and how many of the last ones because the server does not know the token. */
  failures: number;
  invalid: number;
  /** Since when no holder is known; undefined: there is one, or nobody has looked yet. */
  unheldSince: number | undefined;
  /** How many pods may hold it, as last counted. */
  holders: number;
  /** Is being taken out of use: nobody is handed it any more. */
  closing: boolean;
  /** The server does not know it any more; it is still to be taken out of its record. */
  dead: boolean;
  /** Neither recorded nor renewed any more. */
  gone: boolean;
}

/** All generations of one token: what one request is answered from. */
export interface Slot {
  readonly key: string;
  readonly id: RecordId;
  readonly source: TokenSource;
  readonly scope: TokenScope;
  readonly stampedUser: string;
  /** The newest that is not retired. Handed out when it is proven and young enough. */
  current: LiveToken | undefined;
  /** In no particular order, `current` included. */
  generations: readonly LiveToken[];
}

/** Kept small: there may be 100,000 of them. */
export function createLiveToken(recorded: RecordedToken, slot: Slot): LiveToken {
  return {
    dueAt: 0,
    heapIndex: -1,
    slot,
    recorded,
    cached: undefined,
    lapsesAt: Number.NEGATIVE_INFINITY,
    provenAt: Number.NEGATIVE_INFINITY,
    unansweredAt: undefined,
    failures: 0,
    invalid: 0,
    unheldSince: undefined,
    holders: 0,
    closing: false,
    dead: false,
    gone: false,
  };
}

/** What is known of its expiry now. A new `cached`, which is how others see that it changed. */
export function noteExpiry(live: LiveToken, expiresAt: bigint, lapsesAt: number): void {
  live.lapsesAt = lapsesAt;
  live.cached = {
    source: live.slot.source,
    token: live.recorded.token,
    expiresAt,
    issuedAt: live.recorded.issuedAt,
    reusePeriodMs: reusePeriodMs(live.recorded.token),
  };
}

export type TokenState = 'current' | 'retired' | 'tombstoned';

export function stateOf(live: LiveToken): TokenState {
  if (live.recorded.tombstonedAt !== undefined) return 'tombstoned';
  return live.slot.current === live ? 'current' : 'retired';
}

/** Neither a namespace, a user name nor a UID holds a line break. */
export function slotKey(owner: string, stampedUser: string, scope: TokenScope): string {
  switch (scope.type) {
    case 'namespace':
      return `${owner}\n${stampedUser}\nn${scope.namespace}`;
    case 'user':
      return `${owner}\n${stampedUser}\nu`;
    case 'pod':
      return `${owner}\n${stampedUser}\np${scope.namespace}\n${scope.podUid}`;
  }
}

export function isSameSlot(one: TokenSlot, other: TokenSlot): boolean {
  return (
    one.cluster === other.cluster &&
    one.source === other.source &&
    one.kind === other.kind &&
    one.renewer === other.renewer &&
    one.stampedUser === other.stampedUser &&
    slotKey('', '', one.scope) === slotKey('', '', other.scope)
  );
}
