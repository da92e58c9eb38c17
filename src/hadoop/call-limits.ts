/** Time for the Kerberos process to report that its own time was up: it knows why, we would not. */
const REPORT_MARGIN_MS = 5_000;
/** For the pauses between rounds. */
const PAUSES_MS = 5_000;

export interface CallLimits {
  /** For one SPNEGO token, the wait for a turn included. */
  readonly negotiateTimeoutMs: number;
  /** For one delegation token: issued and renewed, with a login before it. */
  readonly flightTimeoutMs: number;
}

/**
 * The limits that follow from those of the configuration. They are made to fit into each other: what is inside must end
 * before what is around it, or the outer one would hide why. A flight is one Kerberos step and two calls at least, so
 * that a silent KDC or a NameNode that swallows packets can still be told, and the other NameNode asked.
 */
export function callLimits(limits: {
  readonly hadoopCallTimeoutMs: number;
  readonly kerberosStepTimeoutMs: number;
}): CallLimits {
  const negotiateTimeoutMs = limits.kerberosStepTimeoutMs + REPORT_MARGIN_MS;
  return {
    negotiateTimeoutMs,
    flightTimeoutMs: negotiateTimeoutMs + 2 * limits.hadoopCallTimeoutMs + PAUSES_MS,
  };
}
