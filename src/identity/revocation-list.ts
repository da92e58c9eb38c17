import { withDeadline } from '../concurrency/deadline.ts';
import type { Clock } from '../time/clock.ts';
import type { Revocation, RevocationsNow } from './revocations.ts';

/** Between the end of one read and the start of the next. */
export const POLL_INTERVAL_MS = 2_000;
/** For one read, so that one that hangs doesn't hold up the next: both together stay under five seconds. */
export const READ_TIMEOUT_MS = 2_500;
/** What is older says nothing about who is not revoked. */
export const MAX_AGE_MS = 30_000;

/** What a poll came to. `changed` is false while it is the same as the poll before: for a log without repetitions. */
export type RevocationListEvent = { readonly changed: boolean } & (
  | { readonly type: 'read'; readonly revocations: number }
  /** It was read and can't be understood. The last good one counts, if there was one. */
  | { readonly type: 'malformed'; readonly error: unknown }
  | { readonly type: 'not-read'; readonly error: unknown }
);

export interface RevocationListOptions {
  /** The document as it is now, undefined if there is none. Rejects when that can't be told. */
  readonly read: (options: { readonly signal: AbortSignal }) => Promise<string | undefined>;
  /** Throws for a text that is no list of revocations. */
  readonly parse: (text: string | undefined) => readonly Revocation[];
  readonly clock: Clock;
  readonly onEvent: (event: RevocationListEvent) => void;
  readonly intervalMs?: number;
  readonly maxAgeMs?: number;
}

/**
 * The revocations as they are kept elsewhere, read again and again. A poll and no watch: a watch that has gone silent
 * looks like one on which nothing happens, a poll that fails is seen to fail.
 */
export class RevocationList {
  readonly #options: Required<RevocationListOptions>;
  readonly #stopped = new AbortController();
  #good: { readonly text: string | undefined; readonly revocations: readonly Revocation[] } | undefined;
  /** When the last read that got an answer was begun; what it brought is at least as new. */
  #readAt = Number.NEGATIVE_INFINITY;
  #lastOutcome: string | undefined;

  constructor(options: RevocationListOptions) {
    this.#options = { intervalMs: POLL_INTERVAL_MS, maxAgeMs: MAX_AGE_MS, ...options };
  }

  now(): RevocationsNow {
    const { clock, maxAgeMs } = this.#options;
    if (this.#good === undefined) return { known: false };
    // A clock that was set back says nothing about the age.
    const known = Math.abs(clock.now() - this.#readAt) <= maxAgeMs;
    return { known, revocations: this.#good.revocations };
  }

  /** When the list was last known to be current, ms since the epoch; undefined: never. */
  get currentAt(): number | undefined {
    return this.#good === undefined ? undefined : this.#readAt;
  }

  /** Reads until {@link stop}. Resolves after the first read, whatever came of it. Call it once. */
  async start(): Promise<void> {
    await this.#poll();
    void this.#pollOn();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #pollOn(): Promise<void> {
    const { clock, intervalMs } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await clock.sleep(intervalMs, signal);
      } catch {
        return;
      }
      await this.#poll();
    }
  }

  async #poll(): Promise<void> {
    const { clock, read } = this.#options;
    const { signal } = this.#stopped;
    const startedAt = clock.now();
    let text: string | undefined;
    try {
      const onTimeout = () => new Error(`the revocations were not read within ${READ_TIMEOUT_MS} ms`);
      text = await withDeadline({ clock, timeoutMs: READ_TIMEOUT_MS, signal, onTimeout }, (readSignal) =>
        read({ signal: readSignal }),
      );
    } catch (error) {
      if (!signal.aborted) this.#report('not-read', { type: 'not-read', error });
      return;
    }
    this.#readAt = startedAt;
    try {
      if (this.#good === undefined || this.#good.text !== text) {
        this.#good = { text, revocations: this.#options.parse(text) };
      }
    } catch (error) {
      this.#report(`malformed ${text}`, { type: 'malformed', error });
      return;
    }
    const revocations = this.#good.revocations.length;
    this.#report(`read ${text}`, { type: 'read', revocations });
  }

  #report(outcome: string, event: DistributiveOmit<RevocationListEvent, 'changed'>): void {
    const changed = outcome !== this.#lastOutcome;
    this.#lastOutcome = outcome;
    this.#options.onEvent({ ...event, changed });
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
