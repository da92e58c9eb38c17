/** At once, to one NameNode: its handlers serve everybody else too. A ticket that is awaited is no call. */
export const CALLS_IN_FLIGHT_PER_NAME_NODE = 8;
/** Some seconds of work for a NameNode that answers in 20 ms. */
export const CALLS_WAITING_PER_NAME_NODE = 2_000;
/** Time for the Kerberos process to report that its own time was up: it knows why, we would not. */
const REPORT_MARGIN_MS = 5_000;
/** For the pauses between rounds. */
const PAUSES_MS = 5_000;

export interface CallLimits {
  /** For the turn of one call to come. */
  readonly queueTimeoutMs: number;
  /** For one SPNEGO token, the wait for a turn included. */
  readonly negotiateTimeoutMs: number;
  /** For one delegation token: issued and renewed, with a login before it. */
  readonly flightTimeoutMs: number;
}

/**
 * The limits that follow from those of the configuration. They are made to fit into each other: what is inside must end
 * before what is around it, or the outer one would hide why. A flight is one Kerberos step and two calls at least, so
 * that a silent KDC or a NameNode that swallows packets can still be told, and the other NameNode asked.
 *
 * A call waits for its turn no longer than it may then take. By that time every call that was in flight when it came has
 * ended, well or badly.
 */
export function callLimits(limits: {
  readonly hadoopCallTimeoutMs: number;
  readonly kerberosStepTimeoutMs: number;
}): CallLimits {
  const negotiateTimeoutMs = limits.kerberosStepTimeoutMs + REPORT_MARGIN_MS;
  return {
    queueTimeoutMs: limits.hadoopCallTimeoutMs,
    negotiateTimeoutMs,
    flightTimeoutMs: negotiateTimeoutMs + 2 * limits.hadoopCallTimeoutMs + PAUSES_MS,
  };
}
