/** Time for the call's own time-out to come first: its error says what was asked and what to do. */
const MARGIN_MS = 1_000;

export interface QueuedCallLimits {
  /** For the turn to come. */
  readonly maxWaitMs: number;
  /** The same while nobody's call is answered. */
  readonly maxQuietMs: number;
  /** For the wait and the call together. */
  readonly timeoutMs: number;
}

/**
 * For a call to the Kubernetes API behind a queue of ours. The call itself may take `callTimeoutMs`, and ends itself then;
 * at most half of that is waited before it, or as long as told while others are answered. The whole is bounded for a call
 * that does not, or that asks more than once.
 */
export function queuedCallLimits(callTimeoutMs: number, longestWaitMs = 0): QueuedCallLimits {
  const maxQuietMs = callTimeoutMs / 2;
  const maxWaitMs = Math.max(longestWaitMs, maxQuietMs);
  return { maxWaitMs, maxQuietMs, timeoutMs: maxWaitMs + callTimeoutMs + MARGIN_MS };
}
