export interface BackoffOptions {
  /** Longest first wait. */
  readonly firstMs: number;
  /** No wait is longer. */
  readonly capMs: number;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * How long to wait after each failure in a row: the bound doubles up to the cap, and the wait is a random one of its upper
 * half, so that replicas that failed together don't come back together, and none comes back at once.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #boundMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#boundMs = options.firstMs;
  }

  /** ms to wait now; the next time it is longer. */
  next(): number {
    const { capMs, random } = this.#options;
    const boundMs = Math.min(this.#boundMs, capMs);
    this.#boundMs = Math.min(2 * boundMs, capMs);
    return (boundMs / 2) * (1 + random());
  }

  /** After a success. */
  reset(): void {
    this.#boundMs = this.#options.firstMs;
  }
}
