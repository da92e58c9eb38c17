import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type { TokenServiceFailure } from '../../delegation-tokens/token-service.ts';
import type { Clock } from '../../time/clock.ts';
import { SpnegoError } from '../spnego.ts';

export interface FailoverOptions<Member> {
  /** At least one, in the order of the configuration. */
  readonly members: readonly Member[];
  readonly nameOf: (member: Member) => string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** How often all members are asked before giving up; default 3. */
  readonly rounds?: number;
  /** Longest pause before the second round; it doubles for every further one. Default 1 s. */
  readonly backoffMs?: number;
  /** Default 15 s, as `dfs.client.failover.sleep.max.millis`. */
  readonly maxBackoffMs?: number;
}

const DEFAULT_ROUNDS = 3;
const DEFAULT_BACKOFF_MS = 1000;
const DEFAULT_MAX_BACKOFF_MS = 15_000;

type NextStep =
  /** Another member may answer, and this one later. */
  | 'ask-next'
  /** Another member may answer; this one says the same again. */
  | 'skip-member'
  /** Every member needs what is missing; one that still knows us by cookie may answer. */
  | 'last-round'
  /** An answer, or trouble that is the same everywhere. */
  | 'give-up';

/**
 * Finds the active one among the daemons of a high-availability set, beginning with the one that answered last.
 *
 * - Standby, becoming active, refused, timed out, 5xx: the next one, in bounded rounds with a jittered pause between.
 * - Safe mode: at once to the caller; it is the active one that says so, and a pause of seconds won't end it.
 * - Refused by the authentication filter of one host (a stale HTTP keytab, a wrong clock, an unknown `HTTP/host`): that
 *   host won't change its mind within this call, but the other one may be fine and active. If none answers, this error
 *   is the one reported, since it is the one somebody must repair.
 * - Our own credentials refused, or no krb5.conf: at once to the caller; asking elsewhere would only add failed
 *   logins, which can lock an account.
 * - No KDC: the others are tried once, as one may still accept our cookie, and then it is over: every attempt may cost
 *   the KDC's whole time-out.
 * - Any other answer is final. That a standby checks proxy users before it says that it is standby is accepted: its
 *   settings are to be the same as those of the active one.
 *
 * A request whose reply was lost is sent again, here or elsewhere. For GETDELEGATIONTOKEN this can leave one token that
 * nobody knows of, which ends by itself after the server's renew interval.
 */
export class Failover<Member> {
  readonly #options: FailoverOptions<Member>;
  #lastActive = 0;

  constructor(options: FailoverOptions<Member>) {
    if (options.members.length === 0) throw new RangeError('a failover set needs at least one member');
    this.#options = options;
  }

  /** Rejects with TokenServiceError, or the signal's reason. The deadline is the signal's. */
  async run<Result>(ask: (member: Member) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const { members, clock, rounds = DEFAULT_ROUNDS } = this.#options;
    const failures = new Map<number, TokenServiceError>();
    const skipped = new Set<number>();
    let isLast = false;
    for (let round = 0; round < rounds && !isLast && skipped.size < members.length; round += 1) {
      if (round > 0) await clock.sleep(this.#pauseMs(round), signal);
      for (const index of this.#order()) {
        if (skipped.has(index)) continue;
        signal?.throwIfAborted();
        const member = members[index];
        if (member === undefined) continue;
        try {
          const result = await ask(member);
          this.#lastActive = index;
          return result;
        } catch (error) {
          signal?.throwIfAborted();
          if (!(error instanceof TokenServiceError)) throw error;
          const next = nextStep(error);
          if (next === 'give-up') throw error;
          failures.set(index, error);
          if (next === 'skip-member') skipped.add(index);
          if (next === 'last-round') isLast = true;
        }
      }
    }
    throw this.#nobodyAnswered(failures);
  }

  #order(): readonly number[] {
    const count = this.#options.members.length;
    return Array.from({ length: count }, (_, offset) => (this.#lastActive + offset) % count);
  }

  /** Full jitter over the upper half: no herd, and no round without a pause. */
  #pauseMs(round: number): number {
    const { backoffMs = DEFAULT_BACKOFF_MS, maxBackoffMs = DEFAULT_MAX_BACKOFF_MS, random } = this.#options;
    const longest = Math.min(maxBackoffMs, backoffMs * 2 ** (round - 1));
    return Math.round(longest * (0.5 + random() / 2));
  }

  #nobodyAnswered(failures: ReadonlyMap<number, TokenServiceError>): TokenServiceError {
    const errors = [...failures.values()];
    const worst =
      find(errors, 'authentication') ??
      find(errors, 'unreachable') ??
      find(errors, 'not-active') ??
      errors[0];
    if (worst === undefined) return new TokenServiceError('unreachable', 'nobody was asked');
    if (errors.length === 1) return worst;
    const all = [...failures].map(
      ([index, error]) => `${this.#nameOf(index)}: ${error.failure}: ${error.message}`,
    );
    return new TokenServiceError(worst.failure, `none of ${failures.size} answered; ${all.join('; ')}`, {
      ...(worst.endpoint === undefined ? {} : { endpoint: worst.endpoint }),
      ...(worst.exception === undefined ? {} : { exception: worst.exception }),
      ...(worst.fix === undefined ? {} : { fix: worst.fix }),
      cause: worst,
    });
  }

  #nameOf(index: number): string {
    const member = this.#options.members[index];
    return member === undefined ? String(index) : this.#options.nameOf(member);
  }
}

function find(
  errors: readonly TokenServiceError[],
  failure: TokenServiceFailure,
): TokenServiceError | undefined {
  return errors.find((error) => error.failure === failure);
}

function nextStep(error: TokenServiceError): NextStep {
  switch (error.failure) {
    case 'not-active':
      return 'ask-next';
    case 'unreachable':
      return error.cause instanceof SpnegoError ? 'last-round' : 'ask-next';
    case 'authentication':
      return isOurs(error.cause) ? 'give-up' : 'skip-member';
    case 'safe-mode':
    case 'denied':
    case 'invalid-token':
    case 'bad-request':
    case 'wrong-token':
      return 'give-up';
  }
}

/** Trouble with our own keytab or Kerberos configuration, as opposed to one host's. */
function isOurs(cause: unknown): boolean {
  return cause instanceof SpnegoError && cause.failure !== 'unknown-service' && cause.failure !== 'gss';
}
