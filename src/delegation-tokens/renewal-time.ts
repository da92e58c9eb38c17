/*
 * When a token is renewed next: pure functions of times in ms, all by one clock of ours that never goes back (see
 * `SteadyClock`). Nothing in here makes a token wait longer because something failed.
 */

/** A renewal comes about here in the time that the last one gave, give or take a tenth. */
const RENEW_AT = 0.5;
const JITTER = 0.1;
const SHORTEST_RETRY_MS = 250;
const LONGEST_FIRST_RETRY_MS = 5_000;
const SHORTEST_CAP_MS = 1_000;
const LONGEST_RETRY_MS = 300_000;
/** A new token's first renewal comes about then at the latest. */
const FIRST_MS = 600_000;
/** A server that cuts the new expiry to the end of the token's life may be some way off by rounding. */
const SAME_MS = 1_000;
/** A token is asked about once more this long after its end, for clocks that differ. */
export const AFTER_END_MS = 5_000;

export interface RenewedTimes {
  /** When the renewal, or the issue, was asked for. */
  readonly renewedAt: number;
  /** When the token is refused unless it is renewed again. */
  readonly lapsesAt: number;
  /** When the token ends whatever is done (its maxDate). */
  readonly endsAt: number;
  /** In [0, 1). */
  readonly random: number;
}

/** A renewal that can gain nothing any more is left out: then it is the time to see that the token has ended. */
export function nextRenewalAt({ renewedAt, lapsesAt, endsAt, random }: RenewedTimes): number {
  // By the server's clock the end may come later: then it is asked about now and then, not again and again.
  if (lapsesAt >= endsAt - SAME_MS) return Math.max(endsAt, renewedAt) + AFTER_END_MS;
  const share = RENEW_AT * (1 - JITTER + 2 * JITTER * random);
  return renewedAt + Math.max(SHORTEST_RETRY_MS, (lapsesAt - renewedAt) * share);
}

/**
 * The first renewal of a new token. That its first time is as long as the last renewal of another token gave is only likely:
 * the server may have been started with a shorter interval since, and only a renewal tells.
 */
export function firstRenewalAt(times: RenewedTimes): number {
  const share = 1 - JITTER + 2 * JITTER * times.random;
  return Math.min(nextRenewalAt(times), times.renewedAt + FIRST_MS * share);
}

export interface FailedTimes {
  readonly now: number;
  /** Failures in a row, at least 1. */
  readonly failures: number;
  /** What a renewal gives; undefined: not known yet. */
  readonly intervalMs: number | undefined;
  /** As last known; in the past for a token that may have lapsed, which the server may renew all the same. */
  readonly lapsesAt: number;
  readonly random: number;
}

/**
 * The wait doubles from a hundredth of the interval (5 s at most) to a fiftieth (5 min at most), and is a random one of
 * its upper half. While the token still lives it is no longer than half of what is left.
 */
export function retryRenewalAt({ now, failures, intervalMs = 0, lapsesAt, random }: FailedTimes): number {
  const firstMs = clamp(intervalMs / 100, SHORTEST_RETRY_MS, LONGEST_FIRST_RETRY_MS);
  const capMs = clamp(intervalMs / 50, SHORTEST_CAP_MS, LONGEST_RETRY_MS);
  const boundMs = Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 30));
  const waitMs = (boundMs / 2) * (1 + random);
  const leftMs = lapsesAt - now;
  const longestMs = leftMs > 0 ? Math.max(SHORTEST_RETRY_MS, leftMs / 2) : waitMs;
  return now + Math.min(waitMs, longestMs);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
