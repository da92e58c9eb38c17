import { withDeadline } from '../concurrency/deadline.ts';
import { SingleFlight } from '../concurrency/single-flight.ts';
import type { Clock } from '../time/clock.ts';
import type { TokenSource } from './credentials.ts';
import { type LiveToken, noteExpiry } from './live-token.ts';
import { firstRenewalAt, nextRenewalAt, retryRenewalAt } from './renewal-time.ts';
import { SourceTimes, type SteadyTime } from './source-times.ts';
import { type DelegationToken, TokenServiceError, type Urgency } from './token-service.ts';

/** Between two questions about a token that the server says it does not know: it may be about to become active. */
export const ASK_AGAIN_MS = 1_000;

export type Proof =
  | { readonly outcome: 'alive' }
  /** The server does not know the token any more. */
  | { readonly outcome: 'dead'; readonly why: WhyDead }
  /** Nothing is known about the token; it may well be good. */
  | { readonly outcome: 'unanswered'; readonly error: TokenServiceError };

export type WhyDead =
  /** Its maxDate has come, as it had to. */
  | 'ended'
  /** It lapsed before a renewal got through. */
  | 'expired'
  /** It should have lived. */
  | 'cancelled-elsewhere';

export interface TokenProverOptions {
  readonly clock: Clock;
  readonly steady: SteadyTime;
  readonly random: () => number;
  /** Of one renewal, with all failover. */
  readonly timeoutMs: number;
  /** When the token is to be renewed next. */
  readonly schedule: (live: LiveToken, dueAt: number) => void;
  /** Each renewal and what came of it. */
  readonly onProof?: (live: LiveToken, proof: Proof) => void;
}

/**
 * Renews tokens: that keeps one alive, and proves that it is. What is learned is written into the token.
 *
 * Irrecoverable is a token that has passed its end, and one that the server twice in a row does not know. All other
 * failures say nothing about the token: they are tried again for as long as it may live.
 */
export class TokenProver {
  readonly #options: TokenProverOptions;
  readonly #flights = new SingleFlight<LiveToken, Proof>();
  readonly #times = new Map<TokenSource, SourceTimes>();

  constructor(options: TokenProverOptions) {
    this.#options = options;
  }

  /** Renewals under way. */
  get size(): number {
    return this.#flights.size;
  }

  /** What a renewal at that source gives, in ms, as its last answer showed; undefined: not known yet. */
  intervalMs(source: TokenSource): number | undefined {
    return this.#timesOf(source).intervalMs;
  }

  /** How long ago it should have been renewed, in ms, however often that was tried; less than 0: it is not due yet. */
  overdueMs(live: LiveToken): number {
    const { lapsesAt, provenAt, failures, dueAt, heapIndex } = live;
    const now = this.#options.steady.now();
    if (lapsesAt !== Number.NEGATIVE_INFINITY) {
      const endsAt = this.#endsAt(live);
      return now - nextRenewalAt({ renewedAt: provenAt, lapsesAt, endsAt, random: 1 });
    }
    // As after a restart, all at once.
    if (failures > 0) return Number.POSITIVE_INFINITY;
    return heapIndex === -1 ? 0 : now - dueAt;
  }

  /** A token that was just issued: its first expiry follows from the interval of its source, where that is known. */
  noteIssued(live: LiveToken): void {
    const { token, issuedAt } = live.recorded;
    const times = this.#timesOf(live.slot.source);
    times.noteIssue(token, issuedAt);
    const expiresAt = times.firstExpiry(token);
    if (expiresAt === undefined) return;
    noteExpiry(live, expiresAt, times.atOurs(expiresAt));
    live.provenAt = issuedAt;
    this.#scheduleNext(live, issuedAt, firstRenewalAt);
  }

  /** Shared by all that ask about one token at once, with the urgency of the first. Does not reject. */
  async prove(live: LiveToken, urgency: Urgency): Promise<Proof> {
    return await this.#flights.run(live, async () => {
      const proof = await this.#prove(live, urgency);
      this.#options.onProof?.(live, proof);
      return proof;
    });
  }

  async #prove(live: LiveToken, urgency: Urgency): Promise<Proof> {
    const { clock, steady } = this.#options;
    for (;;) {
      try {
        await this.#renew(live, urgency);
        return { outcome: 'alive' };
      } catch (thrown) {
        const error = asTokenServiceError(thrown);
        const isUnknown = error.failure === 'invalid-token';
        live.invalid = isUnknown ? live.invalid + 1 : 0;
        const hasEnded = steady.now() >= this.#endsAt(live);
        if (isUnknown && (hasEnded || live.invalid >= 2)) {
          const hasLapsed = steady.now() >= live.lapsesAt;
          return { outcome: 'dead', why: hasEnded ? 'ended' : hasLapsed ? 'expired' : 'cancelled-elsewhere' };
        }
        if (!isUnknown || live.gone) {
          this.#noteFailure(live);
          return { outcome: 'unanswered', error };
        }
      }
      await clock.sleep(ASK_AGAIN_MS);
    }
  }

  async #renew(live: LiveToken, urgency: Urgency): Promise<void> {
    const { clock, steady, timeoutMs } = this.#options;
    const { source } = live.slot;
    const { token } = live.recorded;
    const askedAt = steady.now();
    const onTimeout = () =>
      new TokenServiceError('unreachable', `no answer to a renewal within ${timeoutMs} ms`);
    const deadline = clock.now() + timeoutMs;
    const { expiresAt } = await withDeadline({ clock, timeoutMs, onTimeout }, (signal) =>
      source.tokenService.renew(token, { signal, deadline, urgency }),
    );
    live.failures = 0;
    live.invalid = 0;
    live.provenAt = askedAt;
    const times = this.#timesOf(source);
    times.noteRenewal(token, { expiresAt, issuedAt: live.recorded.issuedAt, answeredAt: steady.now() });
    noteExpiry(live, expiresAt, times.atOurs(expiresAt));
    this.#scheduleNext(live, askedAt);
  }

  #scheduleNext(live: LiveToken, renewedAt: number, nextAt = nextRenewalAt): void {
    const { schedule, random } = this.#options;
    if (live.gone) return;
    const { lapsesAt } = live;
    schedule(live, nextAt({ renewedAt, lapsesAt, endsAt: this.#endsAt(live), random: random() }));
  }

  /** When the token ends whatever is done. */
  #endsAt({ slot, recorded }: LiveToken): number {
    return this.#timesOf(slot.source).atOurs(recorded.token.maxDate);
  }

  #timesOf(source: TokenSource): SourceTimes {
    const known = this.#times.get(source);
    if (known !== undefined) return known;
    const times = new SourceTimes(this.#options.steady);
    this.#times.set(source, times);
    return times;
  }

  #noteFailure(live: LiveToken): void {
    const { steady, random, schedule } = this.#options;
    const now = steady.now();
    live.failures += 1;
    live.unansweredAt = now;
    if (live.gone) return;
    const intervalMs = this.intervalMs(live.slot.source) ?? usualIntervalMs(live.recorded.token);
    const { failures, lapsesAt } = live;
    const retryAt = retryRenewalAt({ now, failures, intervalMs, lapsesAt, random: random() });
    // A proof for a hand-out may come before a renewal that waits for its time: that stays where it is.
    const isWaiting = live.heapIndex !== -1;
    schedule(live, isWaiting ? Math.min(live.dueAt, retryAt) : retryAt);
  }
}

/** By Hadoop's own defaults: of use only to know what is long for a token of which nothing else is known. */
function usualIntervalMs({ issueDate, maxDate }: DelegationToken): number {
  return Number(maxDate - issueDate) / 7;
}

function asTokenServiceError(thrown: unknown): TokenServiceError {
  if (thrown instanceof TokenServiceError) return thrown;
  return new TokenServiceError('unreachable', 'the renewal failed for a reason that is not known', {
    cause: thrown,
  });
}
