import type { DelegationToken } from './token-service.ts';

/** The steady clock; see `SteadyClock`. */
export interface SteadyTime {
  readonly now: () => number;
  /** By how much it has jumped forward so far, in all. */
  readonly jumpedMs: () => number;
}

/** A renewal gives at least that: less is a sign that we are wrong about the server's clock. */
const LEAST_INTERVAL_MS = 5_000;
/** An interval that differs by no more than this share is the same for all that is done with it. */
const SAME_SHARE = 0.1;

type Dates = Pick<DelegationToken, 'issueDate' | 'maxDate'>;

/**
 * How the times of one source lie on our clock, and how long its renewals last. The two clocks need not agree: every issue
 * tells the server's time, and every renewal that is not cut off by the token's end tells the server's time plus the
 * interval. So an interval that was changed is known with the next renewal.
 *
 * When our clock has jumped since, it was set, or the machine slept, and a renewal can tell only one of the two: then the
 * interval stays if that explains what the renewal gave. If it does not, it was changed, and is rather too short than too
 * long until an issue tells more. All times of ours are ms by the steady clock.
 */
export class SourceTimes {
  readonly #steady: SteadyTime;
  #intervalMs: number | undefined;
  /** Our time minus the server's. */
  #offsetMs: number | undefined;
  #anchoredAtJumpedMs = 0;
  /** The true offset may be greater by this much: for so long an issue was under way. */
  #unsureMs = Number.POSITIVE_INFINITY;

  constructor(steady: SteadyTime) {
    this.#steady = steady;
  }

  /** What a renewal gives, in ms; undefined: not known yet. */
  get intervalMs(): number | undefined {
    return this.#intervalMs;
  }

  /** A token was issued between `issuedAt` and now. An issue that took long does not take away what is known better. */
  noteIssue({ issueDate }: Dates, issuedAt: number): void {
    const leastMs = issuedAt - Number(issueDate);
    const unsureMs = Math.max(0, this.#steady.now() - issuedAt);
    const known = this.#offsetMs;
    const agrees = known !== undefined && leastMs <= known && known <= leastMs + unsureMs;
    if (agrees && this.#unsureMs <= unsureMs) return;
    this.#anchor(leastMs);
    this.#unsureMs = unsureMs;
  }

  /** A token that was issued at `issuedAt`, maybe by an earlier process, was renewed; the answer came at `answeredAt`. */
  noteRenewal(token: Dates, { expiresAt, issuedAt, answeredAt }: RenewalNoted): void {
    // Whoever recorded it may have had a wrong clock: rather too early than too late.
    this.#offsetMs ??= Math.min(0, issuedAt - Number(token.issueDate));
    if (expiresAt >= token.maxDate) return;
    // By the time of the answer, so rather too short than too long.
    const givesMs = Number(expiresAt) - (answeredAt - this.#offsetMs);
    const known = this.#intervalMs;
    // As if the machine slept; if the clock was set instead, it is more by that.
    const jumpedMs = this.#steady.jumpedMs() - this.#anchoredAtJumpedMs;
    const mostMs = givesMs + jumpedMs;
    const isKnown =
      known !== undefined && jumpedMs > 0 && givesMs <= known && known * (1 - SAME_SHARE) <= mostMs;
    if (!isKnown && givesMs >= LEAST_INTERVAL_MS) {
      this.#intervalMs = givesMs;
      return;
    }
    // So little is no interval: it was set.
    if (!isKnown && jumpedMs > 0 && mostMs >= LEAST_INTERVAL_MS) this.#intervalMs = mostMs;
    this.#anchor(answeredAt - (Number(expiresAt) - (this.#intervalMs ?? LEAST_INTERVAL_MS)));
  }

  /** The server's time on our clock. Before anything is known of the source, as if the clocks agreed. */
  atOurs(serverTime: bigint): number {
    return Number(serverTime) + (this.#offsetMs ?? 0);
  }

  /** When a token that was just issued is refused unless it is renewed; undefined: not known yet. */
  firstExpiry({ issueDate, maxDate }: Dates): bigint | undefined {
    if (this.#intervalMs === undefined) return undefined;
    const expiresAt = issueDate + BigInt(Math.floor(this.#intervalMs));
    return expiresAt < maxDate ? expiresAt : maxDate;
  }

  #anchor(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.#anchoredAtJumpedMs = this.#steady.jumpedMs();
  }
}

interface RenewalNoted {
  /** The server's word. */
  readonly expiresAt: bigint;
  readonly issuedAt: number;
  readonly answeredAt: number;
}
