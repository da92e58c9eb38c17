import type { Finding } from '../finding.ts';
import { ok, type Subject, warning } from '../say.ts';

export interface Lifetimes {
  readonly renewIntervalMs: number;
  readonly maxLifetimeMs: number;
  /** The renewal was cut at the end of the token's life: the interval is at least as long as that. */
  readonly isCapped: boolean;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Renewals are made at half the interval, with some minutes to try again when a NameNode is restarted. */
const MIN_RENEW_INTERVAL_MS = 10 * MINUTE_MS;
/** Fresh tokens are fetched after a seventh of it, and jobs that read theirs once live no longer. */
const MIN_MAX_LIFETIME_MS = DAY_MS;
/** What the calls took. */
const TOLERANCE_MS = 5_000;

const INTERVAL = 'dfs.namenode.delegation.token.renew-interval';
const LIFETIME = 'dfs.namenode.delegation.token.max-lifetime';

/** The NameNode's lifetimes against what Kerbridge's own times are made for. */
export function judgeLifetimes(
  subject: Subject,
  { renewIntervalMs, maxLifetimeMs, isCapped }: Lifetimes,
): Finding {
  const lifetime = durationText(maxLifetimeMs);
  const interval = isCapped ? 'not shorter than that' : durationText(renewIntervalMs);
  const detail = `maximum lifetime ${lifetime}, renew interval ${interval}`;
  if (maxLifetimeMs < MIN_MAX_LIFETIME_MS) {
    const fix = `Set ${LIFETIME} to 604800000 (7 days, the default) on every NameNode, or know that a job which reads its token once ends after ${lifetime}`;
    return warning(subject, detail, fix);
  }
  if (isCapped) {
    const fix = `Set ${INTERVAL} (86400000, a day, is the default) below ${LIFETIME} on every NameNode: a token that is never cancelled lives that long`;
    return warning(subject, detail, fix);
  }
  if (renewIntervalMs < MIN_RENEW_INTERVAL_MS - TOLERANCE_MS) {
    const fix = `Set ${INTERVAL} to at least ten minutes (86400000, a day, is the default) on every NameNode: all tokens die when Hadoop or Kerbridge is away for half of it`;
    return warning(subject, detail, fix);
  }
  return ok(subject, detail);
}

/** To the largest unit that fits, one decimal at most. */
export function durationText(ms: number): string {
  // A few seconds have passed since the server counted; an interval of a day should read as that.
  const rounded = ms > 2 * MINUTE_MS ? Math.round(ms / MINUTE_MS) * MINUTE_MS : ms;
  for (const [unitMs, unit] of [
    [DAY_MS, 'd'],
    [HOUR_MS, 'h'],
    [MINUTE_MS, 'min'],
  ] as const) {
    if (rounded >= unitMs) return `${Number((rounded / unitMs).toFixed(1))} ${unit}`;
  }
  return `${Math.max(0, Math.round(rounded / 1000))} s`;
}
