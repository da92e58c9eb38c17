/** Kubernetes takes no more for `timeoutSeconds` of a webhook; without one it is 10. */
const MAX_TIMEOUT_MS = 30_000;
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * The API server says how long it waits in whole seconds, rounded up, so what is left may be a second less. A quarter is
 * for the way of the answer.
 */
const MARGIN_MS = 1_250;

/**
 * How long a review may take us, by the request target's `timeout`, a duration as Go writes it (`10s`, `1m0s`). What can't
 * be read is as if it weren't there.
 */
export function reviewTimeMs(query: string): number {
  const timeoutMs = Math.min(
    durationMs(new URLSearchParams(query).get('timeout')) ?? DEFAULT_TIMEOUT_MS,
    MAX_TIMEOUT_MS,
  );
  return Math.max(timeoutMs - MARGIN_MS, timeoutMs / 2);
}

const DURATION = /^(?:(?<m>\d{1,4})m)?(?:(?<s>\d{1,4}(?:\.\d{1,9})?)s)?(?:(?<ms>\d{1,4}(?:\.\d{1,9})?)ms)?$/;

function durationMs(text: string | null): number | undefined {
  const groups = DURATION.exec(text ?? '')?.groups;
  if (groups === undefined) return undefined;
  const { m = '0', s = '0', ms = '0' } = groups;
  const duration = Number(m) * 60_000 + Number(s) * 1000 + Number(ms);
  return duration > 0 ? duration : undefined;
}
