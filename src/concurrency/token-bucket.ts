import type { Clock } from '../time/clock.ts';

export interface TokenBucketOptions {
  readonly clock: Clock;
  readonly ratePerSecond: number;
  /** How many may be taken at once after a pause; at least 1. */
  readonly burst: number;
}

/** A limit for how often something is done: so often in a second on average, so often at once. Full at the start. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #ratePerSecond: number;
  readonly #capacity: number;
  /** In thousandths, as time is in ms: whole rates stay whole numbers. */
  #level: number;
  #at: number;

  constructor({ clock, ratePerSecond, burst }: TokenBucketOptions) {
    this.#clock = clock;
    this.#ratePerSecond = ratePerSecond;
    this.#capacity = burst * 1000;
    this.#level = this.#capacity;
    this.#at = clock.now();
  }

  /** False: not now. */
  take(): boolean {
    const now = this.#clock.now();
    // A clock that was set back tells nothing about the time between: none is counted, and all from then on.
    const passedMs = Math.max(0, now - this.#at);
    this.#at = now;
    this.#level = Math.min(this.#capacity, this.#level + passedMs * this.#ratePerSecond);
    if (this.#level < 1000) return false;
    this.#level -= 1000;
    return true;
  }
}
