import type { Finding } from './finding.ts';

/** Kerberos takes five minutes (MIT's and Active Directory's default); from here on it is only a question of time. */
export const WARN_SKEW_MS = 60_000;
export const FAIL_SKEW_MS = 300_000;

const FIX =
  'Synchronise the clocks of this host and of that one with NTP (chronyc tracking, timedatectl): Kerberos allows five minutes';

export interface ClockReading {
  readonly id: string;
  /** Whose clock, for a person: `the KDC 10.0.0.1:88`. */
  readonly whose: string;
  /** ms since the epoch, as the other side said, in whole seconds. */
  readonly serverTime: number;
  /** Ours, when it was asked and when it had answered. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** How far another clock is from ours. What the travel of the answer took, and the second that is cut off, count for it. */
export function clockFinding({ id, whose, serverTime, askedAt, answeredAt }: ClockReading): Finding {
  // It read its clock at some time between the two, and cut up to a second off.
  const behind = askedAt - (serverTime + 999);
  const ahead = serverTime - answeredAt;
  const skewMs = Math.max(0, behind, ahead);
  const seconds = Math.round(skewMs / 1000);
  const title = `Clock of ${whose}`;
  if (skewMs <= WARN_SKEW_MS) {
    return { id, title, outcome: 'ok', detail: `within ${Math.max(1, seconds)} s of ours` };
  }
  const detail = `${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} ours`;
  return skewMs <= FAIL_SKEW_MS
    ? { id, title, outcome: 'warning', detail, fix: FIX }
    : { id, title, outcome: 'failed', detail: `${detail}: clock skew too great for Kerberos`, fix: FIX };
}
