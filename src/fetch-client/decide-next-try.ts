import { FETCH_EXIT, type Failure } from './fetch-session.ts';

export type NextTry =
  { readonly next: 'end'; readonly exitCode: number } | { readonly next: 'try'; readonly afterMs: number };

export interface NextTryQuestion {
  readonly failure: Failure;
  readonly isFirst: boolean;
  /** What the backoff says. */
  readonly backoffMs: number;
  readonly now: number;
  readonly deadlineAt: number;
}

/** Whether there is another try before the first file is written, and when. */
export function decideNextTry({ failure, isFirst, backoffMs, now, deadlineAt }: NextTryQuestion): NextTry {
  const { exitCode, tryAtOnce } = failure;
  // Only once for each service-account token, so it needs no deadline.
  if (tryAtOnce) return { next: 'try', afterMs: 0 };
  if (exitCode === FETCH_EXIT.refused || exitCode === FETCH_EXIT.cannotWrite)
    return { next: 'end', exitCode };
  if (exitCode === FETCH_EXIT.usage && isFirst) return { next: 'end', exitCode };
  const afterMs = Math.max(backoffMs, failure.retryAfterMs);
  return now + afterMs > deadlineAt
    ? { next: 'end', exitCode: FETCH_EXIT.notReached }
    : { next: 'try', afterMs };
}
