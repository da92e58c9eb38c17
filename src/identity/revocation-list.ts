import { withDeadline } from '../concurrency/deadline.ts';
import { describeError } from '../observability/describe-error.ts';
import type { Clock } from '../time/clock.ts';
import { type Moment, momentOf } from '../time/moment.ts';
import type { Revocation, RevocationsNow } from './revocations.ts';

/** Between the end of one read and the start of the next. */
export const POLL_INTERVAL_MS = 2_000;
/** For one read, so that one that hangs doesn't hold up the next: both together stay under five seconds. */
export const READ_TIMEOUT_MS = 2_500;
/** What is older says nothing about who is not revoked. */
export const MAX_AGE_MS = 30_000;

/**
 * What a poll came to. `changed` is false while it is the same as the poll before, for the same cause: for a log without
 * repetitions. `isFirst`: there never was a good list, so nothing is known.
 */
export type RevocationListEvent = { readonly changed: boolean } & (
  | { readonly type: 'read'; readonly revocations: number }
  /** It was read and can't be understood. The last good one counts, if there was one. */
  | { readonly type: 'malformed'; readonly isFirst: boolean; readonly error: unknown }
  | { readonly type: 'not-read'; readonly isFirst: boolean; readonly error: unknown }
);

export interface RevocationListOptions {
  /** The document as it is now, undefined if there is none. Rejects, with an error of ours, when that can't be told. */
  readonly read: (options: { readonly signal: AbortSignal }) => Promise<string | undefined>;
  /** Throws an error of ours for a text that is no list of revocations. Not asked twice in a row about the same text. */
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
  #malformed: { readonly text: string | undefined; readonly error: unknown } | undefined;
  /** When the last read that got an answer was begun, by both clocks; what it brought is at least as new. */
  #readAt: Moment = { now: Number.NEGATIVE_INFINITY, uptime: Number.NEGATIVE_INFINITY };
  #currentAt: number | undefined;
  /** Of the last poll; undefined while it brought a good list. */
  #error: unknown = new Error('the revocations have not been read yet');
  #lastOutcome: unknown;

  constructor(options: RevocationListOptions) {
    this.#options = { intervalMs: POLL_INTERVAL_MS, maxAgeMs: MAX_AGE_MS, ...options };
  }

  now(): RevocationsNow {
    if (this.#good !== undefined && this.#isRecent())
      return { known: true, revocations: this.#good.revocations };
    const why = inBrief(this.#error);
    return {
      known: false,
      why,
      ...(this.#good === undefined ? {} : { revocations: this.#good.revocations }),
    };
  }

  /** A clock that was set back says nothing about the age, and the steady one may have stood still. */
  #isRecent(): boolean {
    const { clock, maxAgeMs } = this.#options;
    const { now, uptime } = this.#readAt;
    return Math.abs(clock.now() - now) <= maxAgeMs && clock.uptime() - uptime <= maxAgeMs;
  }

  /** @throws the error of the last poll, while nothing is known */
  assertKnown(): void {
    if (!this.now().known) throw this.#error ?? new Error('the revocations were not read lately');
  }

  /** When the list was last read and understood, ms since the epoch; undefined: never. */
  get currentAt(): number | undefined {
    return this.#currentAt;
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
    const startedAt = momentOf(clock);
    let text: string | undefined;
    try {
      const onTimeout = () => new Error(`the revocations were not read within ${READ_TIMEOUT_MS} ms`);
      text = await withDeadline({ clock, timeoutMs: READ_TIMEOUT_MS, signal, onTimeout }, (readSignal) =>
        read({ signal: readSignal }),
      );
    } catch (error) {
      if (signal.aborted) return;
      this.#error = error;
      const isFirst = this.#good === undefined;
      this.#report(`not read: ${inBrief(error)}`, { type: 'not-read', isFirst, error });
      return;
    }
    this.#readAt = startedAt;
    this.#understand(text);
  }

  /** A long text takes its time to parse, and nothing else runs meanwhile. */
  #understand(text: string | undefined): void {
    const isKnownGood = this.#good !== undefined && this.#good.text === text;
    const isKnownMalformed = this.#malformed !== undefined && this.#malformed.text === text;
    if (!isKnownGood && !isKnownMalformed) {
      try {
        this.#good = { text, revocations: this.#options.parse(text) };
      } catch (error) {
        this.#malformed = { text, error };
      }
    }
    if (this.#good !== undefined && this.#good.text === text) {
      this.#malformed = undefined;
      this.#error = undefined;
      this.#currentAt = this.#readAt.now;
      this.#report(this.#good, { type: 'read', revocations: this.#good.revocations.length });
    } else {
      this.#error = this.#malformed?.error;
      const isFirst = this.#good === undefined;
      this.#report(this.#malformed, { type: 'malformed', isFirst, error: this.#error });
    }
  }

  #report(outcome: unknown, event: DistributiveOmit<RevocationListEvent, 'changed'>): void {
    const changed = outcome !== this.#lastOutcome;
    this.#lastOutcome = outcome;
    this.#options.onEvent({ ...event, changed });
  }
}

/** The first line: there may be one for each entry. */
function inBrief(error: unknown): string {
  if (error === undefined) return 'the revocations were not read lately';
  const { code, message } = describeError(error);
  const [first = ''] = message.split('\n', 1);
  return code === undefined ? first : `${code}: ${first}`;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
