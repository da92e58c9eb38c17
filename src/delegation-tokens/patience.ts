import { orAfter } from '../concurrency/or-after.ts';
import type { Clock } from '../time/clock.ts';
import type { LiveToken } from './live-token.ts';
import type { Proof, TokenProver } from './token-prover.ts';
import { TokenServiceError } from './token-service.ts';

/** A caller waits no longer for the proof of a token that most likely lives, or for the one after it. */
export const PATIENCE_MS = 5_000;
/** Who comes after somebody who waited in vain is not kept waiting for the same again, for half a minute. */
export const IN_VAIN_FOR_MS = 30_000;

const UNANSWERED: Proof = {
  outcome: 'unanswered',
  error: new TokenServiceError('unreachable', 'the server has not answered a renewal lately'),
};

export interface ProofOptions {
  readonly clock: Clock;
  /** ms by the steady clock. */
  readonly now: () => number;
  readonly prover: Pick<TokenProver, 'prove'>;
}

/** Proves it before a hand-out. For one that is not likely to live its caller waits to the end. Does not reject. */
export async function provePatiently(
  live: LiveToken,
  isLikely: boolean,
  { clock, now, prover }: ProofOptions,
): Promise<Proof> {
  if (isLikely && now() - (live.unansweredAt ?? -Infinity) < IN_VAIN_FOR_MS) return UNANSWERED;
  const proof = prover.prove(live, 'issue');
  if (!isLikely) return await proof;
  const instead = (): Proof => {
    // Or everybody who comes until it gets its answer would wait as long: a server may be silent for minutes.
    live.unansweredAt = now();
    return UNANSWERED;
  };
  return await orAfter(proof, { clock, ms: PATIENCE_MS, instead });
}
