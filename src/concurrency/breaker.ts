import type { Clock } from '../time/clock.ts';
import { Backoff } from './backoff.ts';

/** So many failures in a row, and nobody asks any more for a while. */
export const FAILURES_UNTIL_OPEN = 3;
/** Longest time without a try after the first failures; it doubles with each probe that fails. */
export const FIRST_OPEN_MS = 2_000;
/** No time without a try is longer: who has come back is found again within it. */
export const MAX_OPEN_MS = 30_000;

export interface BreakerOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

export type BreakerState = 'closed' | 'half-open' | 'open';

/**
 * What a call has shown. `unknown` is one that ended without showing anything, for example because its caller left.
 */
export type Verdict = 'answered' | 'failed' | 'unknown';

/** Nothing was begun: the last calls have failed, and it is not yet time for another try, or one is under way. */
export class BreakerOpenError extends Error {
  override readonly name = 'BreakerOpenError';
  /** When the first of the failures in a row was seen, ms since the epoch. */
  readonly since: number;
  /** Until the next call is let through; 0 while one is under way. */
  readonly retryAfterMs: number;

  constructor(since: number, retryAfterMs: number) {
    super(
      retryAfterMs === 0 ? 'a call that tries is under way' : `no try for ${Math.ceil(retryAfterMs)} ms more`,
    );
    this.since = since;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A call that was let through. */
export interface BreakerCall {
  /** It is the one that finds out; others fail until it has ended. */
  readonly isProbe: boolean;
  /** Once, when it has ended. */
  readonly end: (verdict: Verdict) => void;
}

/**
 * Spares callers the time-out that the last ones have paid for: after a few failures in a row calls fail at once, for a
 * jittered time that grows. Then one call is let through as a probe. When it is answered, all are let through again.
 *
 * A call counts for the time in which it was begun: of those begun before the breaker opened, a late failure says nothing
 * new, while a late answer closes it.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #failures = 0;
  #since = 0;
  /** By `uptime`; undefined while closed. */
  #openUntil: number | undefined;
  /** The one that is under way. */
  #probe: BreakerCall | undefined;
  /** Counts how often it was closed. */
  #period = 0;

  constructor({ clock, random }: BreakerOptions) {
    this.#clock = clock;
    this.#backoff = new Backoff({ firstMs: FIRST_OPEN_MS, capMs: MAX_OPEN_MS, random });
  }

  get state(): BreakerState {
    if (this.#openUntil === undefined) return 'closed';
    return this.#clock.uptime() < this.#openUntil ? 'open' : 'half-open';
  }

  /** Throws BreakerOpenError if a call would not be let through now. */
  check(): void {
    if (this.#openUntil === undefined) return;
    const leftMs = Math.max(0, this.#openUntil - this.#clock.uptime());
    if (leftMs > 0 || this.#probe !== undefined) throw new BreakerOpenError(this.#since, leftMs);
  }

  /** Lets a call through, or throws BreakerOpenError. */
  begin(): BreakerCall {
    this.check();
    const period = this.#period;
    const call: BreakerCall = {
      isProbe: this.#openUntil !== undefined,
      end: (verdict) => {
        const isDecisive = this.#openUntil === undefined || this.#probe === call;
        if (this.#probe === call) this.#probe = undefined;
        if (verdict === 'answered') this.#close();
        else if (verdict === 'failed' && isDecisive && period === this.#period) this.#fail();
      },
    };
    if (call.isProbe) this.#probe = call;
    return call;
  }

  #close(): void {
    this.#failures = 0;
    if (this.#openUntil === undefined) return;
    this.#openUntil = undefined;
    this.#probe = undefined;
    this.#period += 1;
    this.#backoff.reset();
  }

  #fail(): void {
    if (this.#failures === 0) this.#since = this.#clock.now();
    this.#failures += 1;
    if (this.#failures >= FAILURES_UNTIL_OPEN) this.#openUntil = this.#clock.uptime() + this.#backoff.next();
  }
}
