import { MAX_REVIEW_BYTES } from '../../admission/review/read-admission-review.ts';
import { SERVER_LIMITS, type ServerLimits } from '../../http-api/limits.ts';

/**
 * Of the HTTPS server. One API server asks for hundreds of pods at once (`--max-mutating-requests-inflight` and
 * `--max-requests-inflight` together are 600 by default), each on a connection of its own, so one peer may have far more than
 * with `serve`. It keeps idle connections for 90 s (Go's IdleConnTimeout) and does not repeat a review that was lost on one
 * that we had just closed: we wait longer than it does.
 */
export const WEBHOOK_SERVER_LIMITS: ServerLimits = {
  ...SERVER_LIMITS,
  connections: 3_000,
  connectionsPerPeer: 1_000,
  requests: 1_000,
  keepAliveTimeoutMs: 120_000,
};

export interface ReviewLimits {
  /** Reviews under way. */
  readonly reviews: number;
  /** Of all bodies that are held at once. */
  readonly bytes: number;
  /**
   * Of all that is made of them, which takes far more room than a body: some 180 bytes each (150,000 empty objects in 450 KB
   * took 27 MB). As `JsonLimits` counts them.
   */
  readonly values: number;
}

/** A review of 100 KB, with 6,000 values, is a large one. One as large as any may be has room, and then no other such. */
export const REVIEW_QUOTA: ReviewLimits = { reviews: 600, bytes: 8 * MAX_REVIEW_BYTES, values: 600_000 };

/** What is under way, in one. */
export class ReviewQuota {
  readonly #limits: ReviewLimits;
  #reviews = 0;
  #bytes = 0;
  #values = 0;

  constructor(limits: ReviewLimits) {
    this.#limits = limits;
  }

  get reviews(): number {
    return this.#reviews;
  }

  /** @returns false if there is no room; else `give` must follow, once */
  take(bytes: number): boolean {
    if (this.#reviews >= this.#limits.reviews || this.#bytes + bytes > this.#limits.bytes) return false;
    this.#reviews += 1;
    this.#bytes += bytes;
    return true;
  }

  /** Of a review that was taken, before anything is made of its body. As {@link take}. */
  takeValues(values: number): boolean {
    if (this.#values + values > this.#limits.values) return false;
    this.#values += values;
    return true;
  }

  give({ bytes, values }: { readonly bytes: number; readonly values: number }): void {
    this.#reviews -= 1;
    this.#bytes -= bytes;
    this.#values -= values;
  }
}
