import type { LiveToken } from './live-token.ts';
import type { LiveTokens } from './live-tokens.ts';
import type { TokenProver } from './token-prover.ts';

/** A token that was proven this recently is not asked about once more: clients may report one by one. */
export const PROVEN_LATELY_MS = 5_000;

/** The pod that reports, as it was authenticated and identified. */
export interface RejectedReport {
  readonly namespace: string;
  readonly podUid: string;
  readonly stampedUser: string;
  readonly sequenceNumber: number;
}

export type RejectedOutcome =
  /** Hadoop knows it: what was refused has another cause. */
  | 'alive'
  /** It is dead, and the next request gets another one. */
  | 'dead'
  /** Hadoop could not be asked. */
  | 'unanswered'
  /** No token that this pod may hold has that number: it was replaced before, or never was. */
  | 'unknown';

/**
 * Finds out whether the token lives that a pod says was refused. Only among those that the pod may hold: a number is
 * easily guessed, and a report makes us ask Hadoop. Numbers are those of one server, so there may be several tokens of one.
 */
export async function rejectedToken(
  report: RejectedReport,
  {
    tokens,
    prover,
    now,
  }: {
    readonly tokens: LiveTokens;
    readonly prover: TokenProver;
    readonly now: () => number;
  },
): Promise<RejectedOutcome> {
  const reported = [...tokens.withNumber(report.sequenceNumber)].filter((live) => mayHold(report, live));
  if (reported.length === 0) return 'unknown';
  const outcomes = await Promise.all(
    reported.map(async (live): Promise<RejectedOutcome> => {
      if (live.dead) return 'dead';
      if (now() - live.provenAt < PROVEN_LATELY_MS) return 'alive';
      return (await prover.prove(live, 'issue')).outcome;
    }),
  );
  return WORST_FIRST.find((outcome) => outcomes.includes(outcome)) ?? 'unknown';
}

const WORST_FIRST: readonly RejectedOutcome[] = ['dead', 'unanswered', 'alive'];

function mayHold(report: RejectedReport, { slot }: LiveToken): boolean {
  if (slot.stampedUser !== report.stampedUser) return false;
  switch (slot.scope.type) {
    case 'user':
      return true;
    case 'namespace':
      return slot.scope.namespace === report.namespace;
    case 'pod':
      return slot.scope.namespace === report.namespace && slot.scope.podUid === report.podUid;
  }
}
