import type { Refresh } from './credentials.ts';

/**
 * When to ask again, ms since the epoch: spread over ± 10 % of the period anew by each answer, so that pods which share
 * a token don't come back together.
 * @param random in [0, 1)
 */
export function drawRefreshAfter({ since, periodMs }: Refresh, random: () => number): number {
  return Math.round(since + periodMs * (0.9 + 0.2 * random()));
}
