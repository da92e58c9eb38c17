import { BreakerOpenError } from '../../concurrency/breaker.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type { TokenServiceFailure } from '../../delegation-tokens/token-service.ts';
import type { Clock } from '../../time/clock.ts';
import { SpnegoError } from '../spnego.ts';

export interface FailoverOptions<Member> {
  /** At least one, in the order of the configuration. */
  readonly members: readonly Member[];
  readonly nameOf: (member: Member) => string;
  /** Can be asked without a ticket from the KDC: it still knows us by cookie. Default: nobody can. */
  readonly isKnownTo?: (member: Member) => boolean;
  /** How long one member takes at most to answer; with a deadline no further round begins that may not end in time. */
  readonly askTimeoutMs?: number;
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

export interface FailoverCall {
  /** The deadline is its: where its reason is a TokenServiceError, that is told along with what was learned. */
  readonly signal?: AbortSignal | undefined;
  /** When the signal will be aborted, ms since the epoch. */
  readonly deadline?: number | undefined;
}

const DEFAULT_ROUNDS = 3;
const DEFAULT_BACKOFF_MS = 1000;
const DEFAULT_MAX_BACKOFF_MS = 15_000;

type NextStep =
  /** Another member may answer, and this one later. */
  | 'ask-next'
  /** Another member may answer; this one says the same again. */
  | 'skip-member'
  /** The Kerberos process failed; one that still knows us by cookie may answer, and another ticket may be had. */
  | 'last-round'
  /** No KDC: only those that still know us by cookie. */
  | 'only-known'
  /** An answer, or trouble that is the same everywhere, or that asking elsewhere would spread. */
  | 'give-up';

/**
 * Finds the active one among the daemons of a high-availability set, beginning with the one that answered last.
 *
 * - Standby, becoming active, refused, timed out, 5xx: the next one, in bounded rounds with a jittered pause between.
 * - Not asked, as it has not answered lately (a BreakerOpenError): the next one, at no cost; where that goes for all, it
 *   is over, without a pause.
 * - Safe mode: at once to the caller; it is the active one that says so, and a pause of seconds won't end it.
 * - Refused by the authentication filter of one host (a stale HTTP keytab, a wrong clock, an unknown `HTTP/host`): that
 *   host won't change its mind within this call, but the other one may be fine and active. If none answers, this error
 *   is the one reported, since it is the one somebody must repair.
 * - Our own credentials refused, or no krb5.conf: at once to the caller; asking elsewhere would only add failed
 *   logins, which can lock an account.
 * - No KDC: those that still accept our cookie are tried once, and then it is over: every other attempt may cost the
 *   KDC's whole time-out.
 * - Our queue before one is full, or too slow: at once to the caller. It is no answer, and the others are no way round it:
 *   where this one is active they would have the load for nothing, and a slow NameNode would make the whole set slow. If
 *   it is not active any more, the calls in flight to it find that out, and those that come later begin elsewhere.
 * - Any other answer is final. That a standby checks proxy users before it says that it is standby is accepted: its
 *   settings are to be the same as those of the active one.
 *
 * A request whose reply was lost is sent again, here or elsewhere, unless the error says `mayHaveActed`: a NameNode that
 * is merely slow would make one token a try. The next call then begins with another member.
 */
export class Failover<Member> {
  readonly #options: FailoverOptions<Member>;
  #lastActive = 0;

  constructor(options: FailoverOptions<Member>) {
    if (options.members.length === 0) throw new RangeError('a failover set needs at least one member');
    this.#options = options;
  }

  /** Rejects with TokenServiceError, or the signal's reason. */
  async run<Result>(ask: (member: Member) => Promise<Result>, call: FailoverCall = {}): Promise<Result> {
    const { members, clock, rounds = DEFAULT_ROUNDS } = this.#options;
    const { signal } = call;
    const failures = new Map<number, TokenServiceError>();
    const skipped = new Set<number>();
    let step: NextStep = 'ask-next';
    for (let round = 0; round < rounds && skipped.size < members.length; round += 1) {
      if (round > 0) {
        const pauseMs = this.#pauseMs(round);
        if (isLast(step) || !this.#hasTime(pauseMs, members.length - skipped.size, call)) break;
        await clock.sleep(pauseMs, signal).catch((error: unknown) => {
          throw this.#interrupted(failures, undefined, signal?.reason ?? error);
        });
      }
      let heldBack = 0;
      for (const index of this.#order()) {
        const member = members[index];
        if (member === undefined || skipped.has(index)) continue;
        if (step === 'only-known' && !(this.#options.isKnownTo?.(member) ?? false)) continue;
        signal?.throwIfAborted();
        try {
          const result = await ask(member);
          this.#lastActive = index;
          return result;
        } catch (error) {
          if (signal?.aborted === true) {
            if (error instanceof TokenServiceError && error !== signal.reason) failures.set(index, error);
            throw this.#interrupted(failures, index, signal.reason);
          }
          if (!(error instanceof TokenServiceError)) throw error;
          const isHeldBack = error.cause instanceof BreakerOpenError;
          // What it was when it was asked says more.
          if (!isHeldBack || !failures.has(index)) failures.set(index, error);
          if (error.mayHaveActed) {
            this.#lastActive = (index + 1) % members.length;
            throw this.#nobodyAnswered(failures);
          }
          if (isHeldBack) heldBack += 1;
          const next = nextStep(error);
          if (next === 'give-up') {
            if (isOfActive(error)) this.#lastActive = index;
            throw error;
          }
          if (next === 'skip-member') skipped.add(index);
          else if (next !== 'ask-next' && step !== 'only-known') step = next;
        }
      }
      // Neither the one nor the other has more to say a second later.
      if (heldBack + skipped.size === members.length) break;
    }
    throw this.#nobodyAnswered(failures);
  }

  #hasTime(pauseMs: number, count: number, { deadline }: FailoverCall): boolean {
    const { clock, askTimeoutMs = 0 } = this.#options;
    return deadline === undefined || clock.now() + pauseMs + count * askTimeoutMs <= deadline;
  }

  /** The deadline's own words, and what was learned until then. */
  #interrupted(
    failures: ReadonlyMap<number, TokenServiceError>,
    pending: number | undefined,
    reason: unknown,
  ): unknown {
    if (!(reason instanceof TokenServiceError)) return reason;
    const waiting =
      pending === undefined || failures.has(pending) ? [] : [`${this.#nameOf(pending)} has not answered yet`];
    if (failures.size === 0) {
      return new TokenServiceError(reason.failure, [reason.message, ...waiting].join('; '), {
        fix: 'Check that the NameNodes and the KDC answer, and how fast; limits.hadoopCallTimeout and limits.kerberosStepTimeout say how long we wait.',
        cause: reason,
      });
    }
    const { failure, message, endpoint, exception, fix, dependency } = this.#nobodyAnswered(failures);
    return new TokenServiceError(failure, [reason.message, message, ...waiting].join('; '), {
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(exception === undefined ? {} : { exception }),
      ...(fix === undefined ? {} : { fix }),
      ...(dependency === undefined ? {} : { dependency }),
      cause: reason,
    });
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
      errors.find(({ cause }) => cause instanceof SpnegoError) ??
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
      ...(worst.dependency === undefined ? {} : { dependency: worst.dependency }),
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

function isLast(step: NextStep): boolean {
  return step === 'last-round' || step === 'only-known';
}

/**
 * Answers that only an active NameNode gives: a standby checks its state before it looks at the token, and before safe
 * mode. The proxy-user check is another matter (AuthorizationException): the authentication filter makes it, anywhere.
 */
function isOfActive({ failure, exception }: TokenServiceError): boolean {
  if (failure === 'denied') return exception === 'AccessControlException';
  return failure === 'safe-mode' || failure === 'invalid-token';
}

function nextStep(error: TokenServiceError): NextStep {
  switch (error.failure) {
    case 'not-active':
      return 'ask-next';
    case 'unreachable':
      if (!(error.cause instanceof SpnegoError)) return 'ask-next';
      return error.cause.failure === 'kdc-unreachable' ? 'only-known' : 'last-round';
    case 'authentication':
      return isOurs(error.cause) ? 'give-up' : 'skip-member';
    case 'overloaded':
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
