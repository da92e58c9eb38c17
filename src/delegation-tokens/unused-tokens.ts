import { withDeadline } from '../concurrency/deadline.ts';
import { inTurns } from '../concurrency/in-turns.ts';
import type { Clock } from '../time/clock.ts';
import type { PodHolders } from './holders.ts';
import { HolderIndex } from './holder-index.ts';
import type { LiveToken } from './live-token.ts';
import { isInUse, isSameToken, type LiveTokens } from './live-tokens.ts';
import type { RecordBook } from './record-book.ts';
import type { Sharing } from './sharing.ts';
import type { RecordedToken, TokenScope } from './token-record.ts';
import { TokenServiceError } from './token-service.ts';

/** Where a process may die, for tests that make it die there. */
export type CancelStep = 'tombstoned' | 'unheld' | 'cancelled' | 'dropped';

export type CancelEvent =
  | { readonly type: 'tombstoned' | 'cancelled'; readonly live: LiveToken }
  /** Somebody turned out to hold it: it lives on, for whoever has it. */
  | { readonly type: 'kept'; readonly live: LiveToken }
  /** Hadoop or the store could not be asked; tried again with the next look. */
  | { readonly type: 'failed'; readonly live: LiveToken; readonly error: unknown }
  /** The pods could not be listed: nothing is cancelled. */
  | { readonly type: 'holders-unknown'; readonly error: unknown };

export interface UnusedTokensOptions {
  readonly tokens: LiveTokens;
  readonly book: RecordBook;
  readonly holders: PodHolders;
  readonly sharing: Sharing;
  readonly clock: Clock;
  /** ms by the steady clock. */
  readonly now: () => number;
  /** How long nobody may hold a token before it is cancelled. */
  readonly idleMs: number;
  /** For how long after a tombstone was written somebody may still hand the token out. */
  readonly stalenessMs: number;
  /** Of one write, or one cancellation. */
  readonly timeoutMs: number;
  /** Nobody holds it: it need not be renewed any more. */
  readonly onSettled: (live: LiveToken) => void;
  /** It is to be renewed again, at once: nobody knows since when it was not. */
  readonly onKept: (live: LiveToken) => void;
  readonly onEvent?: (event: CancelEvent) => void;
  readonly onStep?: (step: CancelStep) => void;
  readonly breathe: () => Promise<void>;
}

/** A token, and the tombstone that it had when it was looked at. */
interface Judged {
  readonly live: LiveToken;
  readonly tombstonedAt: number;
}

/** How many are tombstoned, or cancelled, at once. */
const AT_ONCE = 8;

/**
 * Cancels tokens that nobody holds any more, and never one that somebody may hold: a token that had no holder for the idle
 * time is no longer handed out from the moment when its tombstone is written; when that has reached everybody, the pods are
 * listed by the API server itself; and only if none of them may hold it, Hadoop is told. A process that dies on the way is
 * followed by one that finds the tombstone and goes on from there.
 */
export class UnusedTokens {
  readonly #options: UnusedTokensOptions;
  /** Tombstones, and when each was first seen, in ms by the clock that nobody sets. */
  readonly #seen = new WeakMap<LiveToken, { readonly tombstonedAt: number; readonly at: number }>();

  constructor(options: UnusedTokensOptions) {
    this.#options = options;
  }

  /** Looks once at all tokens. Does not reject. */
  async look(): Promise<void> {
    await this.#judgeTombstoned();
    await this.#findUnheld();
  }

  async #findUnheld(): Promise<void> {
    const { tokens, holders, now, idleMs, sharing, stalenessMs, breathe } = this.#options;
    const pods = holders.lastSeen();
    if (pods === undefined) return;
    const turns = { size: LOOK_CHUNK, breathe };
    const scopes = new Set<TokenScope['type']>();
    await inTurns(tokens.values(), turns, (live) => scopes.add(live.slot.scope.type));
    const index = await HolderIndex.of(pods, { scopes, breathe });
    const unheld: LiveToken[] = [];
    await inTurns(tokens.values(), turns, (live) => {
      if (live.recorded.tombstonedAt !== undefined || live.gone) return;
      // The first of its scope, and newer than the index: it is looked at the next time.
      if (!scopes.has(live.slot.scope.type)) return;
      live.holders = index.holdersOf(live, stalenessMs);
      if (live.holders > 0) live.unheldSince = undefined;
      else live.unheldSince ??= now();
      const isIdle = live.unheldSince !== undefined && now() - live.unheldSince >= idleMs;
      const { id, stampedUser } = live.slot;
      if (isIdle && sharing.cancelPolicyOf(id.namespace, stampedUser) === 'when-unused') unheld.push(live);
    });
    await inParallel(unheld, (live) => this.#tombstone(live));
  }

  async #tombstone(live: LiveToken): Promise<void> {
    const { tokens, now, onEvent, onStep } = this.#options;
    live.closing = true;
    tokens.settle(live.slot);
    try {
      await this.#write(live, (recorded) => ({
        ...recorded,
        retiredAt: recorded.retiredAt ?? now(),
        tombstonedAt: now(),
      }));
      if (live.recorded.tombstonedAt !== undefined) this.#msSinceSeen(live, live.recorded.tombstonedAt);
      onStep?.('tombstoned');
      onEvent?.({ type: 'tombstoned', live });
    } catch (error) {
      onEvent?.({ type: 'failed', live, error });
    } finally {
      // The record says it now; or nothing was written, or it is not known, and then the store will tell.
      live.closing = false;
      tokens.settle(live.slot);
    }
  }

  async #judgeTombstoned(): Promise<void> {
    const { tokens, now, stalenessMs, holders, breathe, sharing, onEvent } = this.#options;
    const ripe: Judged[] = [];
    const kept: Judged[] = [];
    await inTurns(tokens.values(), { size: LOOK_CHUNK, breathe }, (live) => {
      const { tombstonedAt } = live.recorded;
      if (tombstonedAt === undefined) return;
      const hasReachedAll = this.#msSinceSeen(live, tombstonedAt) > stalenessMs;
      if (!hasReachedAll || now() - (live.unansweredAt ?? -Infinity) < pauseMs(live.failures)) return;
      // The rules may be others than when it was tombstoned.
      const { id, stampedUser } = live.slot;
      const isKept = sharing.cancelPolicyOf(id.namespace, stampedUser) === 'never';
      (isKept ? kept : ripe).push({ live, tombstonedAt });
    });
    await inParallel(kept, (judged) => this.#keep(judged));
    // One list for all of a namespace; for what all namespaces share, one of everything.
    const byNamespace = Map.groupBy(ripe, ({ live }) => live.slot.id.namespace);
    for (const [namespace, ofNamespace] of byNamespace) {
      try {
        const scopes = new Set(ofNamespace.map(({ live }) => live.slot.scope.type));
        const index = await HolderIndex.of(await holders.listNow(namespace), { scopes, breathe });
        await inParallel(ofNamespace, (judged) =>
          index.holdersOf(judged.live, stalenessMs) > 0 ? this.#keep(judged) : this.#cancel(judged),
        );
      } catch (error) {
        onEvent?.({ type: 'holders-unknown', error });
      }
    }
  }

  /**
   * Since the tombstone was seen here, so after it was written. Not since the time in it: the clock may have been set since,
   * it may be another replica's, and a write may be long on its way.
   */
  #msSinceSeen(live: LiveToken, tombstonedAt: number): number {
    const uptime = this.#options.clock.uptime();
    const seen = this.#seen.get(live);
    if (seen?.tombstonedAt === tombstonedAt) return uptime - seen.at;
    this.#seen.set(live, { tombstonedAt, at: uptime });
    return 0;
  }

  async #keep({ live, tombstonedAt: judgedAt }: Judged): Promise<void> {
    const { onKept, onEvent } = this.#options;
    onKept(live);
    try {
      // Nobody has needed a newer one since: then it is the one that is handed out, as before.
      const isLatest = !live.slot.generations.some((other) => other !== live && isInUse(other));
      await this.#write(live, (known) => {
        const { tombstonedAt, retiredAt, ...recorded } = known;
        // Somebody else is about to cancel it, and has listed the pods later: whom we have seen there has ended.
        if (tombstonedAt !== judgedAt) return known;
        return isLatest || retiredAt === undefined ? recorded : { ...recorded, retiredAt };
      });
      if (live.recorded.tombstonedAt !== undefined) return;
      live.unheldSince = undefined;
      onEvent?.({ type: 'kept', live });
    } catch (error) {
      onEvent?.({ type: 'failed', live, error });
    }
  }

  async #cancel(judged: Judged): Promise<void> {
    const { clock, now, timeoutMs, onSettled, onEvent, onStep } = this.#options;
    const { live } = judged;
    onStep?.('unheld');
    try {
      // Kept by somebody else, who may have handed it out again, or seen to by him.
      if (!(await this.#renewTombstone(judged))) return;
      onSettled(live);
      const onTimeout = () => new TokenServiceError('unreachable', `not cancelled within ${timeoutMs} ms`);
      const deadline = clock.now() + timeoutMs;
      await withDeadline({ clock, timeoutMs, onTimeout }, (signal) =>
        live.slot.source.tokenService.cancel(live.recorded.token, { signal, deadline, urgency: 'cancel' }),
      );
      onStep?.('cancelled');
      await this.#write(live, () => undefined);
      onStep?.('dropped');
      onEvent?.({ type: 'cancelled', live });
    } catch (error) {
      live.failures += 1;
      live.unansweredAt = now();
      onEvent?.({ type: 'failed', live, error });
    }
  }

  /**
   * Writes another tombstone in the place of the one that was judged, so that of two who have judged the same, one to keep
   * the token and one to cancel it, only the first has his way. False: the one that was judged is not there any more.
   */
  async #renewTombstone({ live, tombstonedAt }: Judged): Promise<boolean> {
    const again = Math.max(this.#options.now(), tombstonedAt + 1);
    await this.#write(live, (known) =>
      known.tombstonedAt === tombstonedAt ? { ...known, tombstonedAt: again } : known,
    );
    if (live.gone || live.recorded.tombstonedAt !== again) return false;
    this.#msSinceSeen(live, again);
    return true;
  }

  /** Changes the token in its record; undefined takes it out, and what it is leaves it as it is. */
  async #write(
    { slot, recorded }: LiveToken,
    change: (recorded: RecordedToken) => RecordedToken | undefined,
  ): Promise<void> {
    const { book, clock, timeoutMs } = this.#options;
    await changeToken(book, { clock, timeoutMs }, { id: slot.id, recorded }, change);
  }
}

/** Tokens looked at in one go. */
const LOOK_CHUNK = 1_000;
const LONGEST_PAUSE_MS = 600_000;

/** Between two tries to cancel a token. */
function pauseMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(LONGEST_PAUSE_MS, 1_000 * 2 ** Math.min(failures, 20));
}

/** One token of a record, within a time. Nothing happens if the record doesn't have it any more. */
export async function changeToken(
  book: RecordBook,
  {
    clock,
    timeoutMs,
    signal,
  }: { readonly clock: Clock; readonly timeoutMs: number; readonly signal?: AbortSignal },
  { id, recorded }: { readonly id: LiveToken['slot']['id']; readonly recorded: RecordedToken },
  change: (recorded: RecordedToken) => RecordedToken | undefined,
): Promise<void> {
  const onTimeout = () =>
    new TokenServiceError('unreachable', `the store has not answered within ${timeoutMs} ms`);
  await withDeadline({ clock, timeoutMs, onTimeout, signal }, (within) =>
    book.change(
      id,
      (record) => {
        const known = record.tokens.find((token) => isSameToken(token, recorded));
        if (known === undefined) return undefined;
        const changed = change(known);
        if (changed === known) return undefined;
        const others = record.tokens.filter((token) => token !== known);
        return { ...record, tokens: changed === undefined ? others : others.concat(changed) };
      },
      { signal: within },
    ),
  );
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const workers = Array.from({ length: Math.min(AT_ONCE, items.length) }, async () => {
    for (const item of rest) await work(item);
  });
  await Promise.all(workers);
}
