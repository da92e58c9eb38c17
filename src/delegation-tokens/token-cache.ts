import { orAfter } from '../concurrency/or-after.ts';
import { SingleFlight } from '../concurrency/single-flight.ts';
import type { Clock } from '../time/clock.ts';
import type { TokenSource } from './credentials.ts';
import { HeldRefusals } from './held-refusals.ts';
import type { CachedToken, LiveToken, Slot } from './live-token.ts';
import { isSameToken, type LiveTokens } from './live-tokens.ts';
import { IN_VAIN_FOR_MS, PATIENCE_MS, provePatiently } from './patience.ts';
import { handedOutUntil, reusePeriodMs } from './reuse-period.ts';
import type { Sharing } from './sharing.ts';
import type { RecordId } from './token-record.ts';
import { flightKeyOf, recordIdOf, scopeOfRequest, slotKeyOf, type TokenRequest } from './token-request.ts';
import { MAX_WAITING_PER_SOURCE, SourceQueue } from './source-queue.ts';
import { type IssueCall, issueTimedOut, type TokenIssuer } from './token-issuer.ts';
import { type TokenLimit, type TokenLimits, TokenRoom } from './token-limits.ts';
import type { Proof, TokenProver } from './token-prover.ts';
import { TokenServiceError, type TokenServiceFailure } from './token-service.ts';
import { TokenStoreError } from './token-store.ts';

export type { CachedToken } from './live-token.ts';
export type { TokenRequest } from './token-request.ts';

/** A Kerberos step of 40 s and two calls of 20 s, the defaults of their limits, and some more. */
export const FLIGHT_TIMEOUT_MS = 90_000;
/** How long a token service may take to say what it knows once its signal is aborted. */
export const ABANDON_AFTER_MS = 1_000;
/** When to come back for those who got the old token because a new one could not be had. */
const PINCH_MS = 60_000;
/** A token that was proven dead is replaced; one that dies again at once has another trouble. */
const MOST_ROUNDS = 4;

/** Answers of Hadoop that a repeated request would get again. */
const FINAL: ReadonlySet<TokenServiceFailure> = new Set([
  'invalid-token',
  'denied',
  'wrong-token',
  'bad-request',
]);

export interface TokenCacheOptions {
  readonly clock: Clock;
  /** ms by the steady clock. */
  readonly now: () => number;
  readonly tokens: LiveTokens;
  readonly issuer: TokenIssuer;
  readonly prover: TokenProver;
  readonly sharing: Sharing;
  readonly limits: TokenLimits;
  /** A token is proven again before it is handed out when the last proof is older than this. */
  readonly proofOfLifeMs: number;
  /** What is stored may have been changed by others since we last heard of it. */
  readonly isStale: () => boolean;
  /** Reads the record anew. Rejects with TokenStoreError when that can't be done. */
  readonly refresh: (id: RecordId, options: { readonly signal: AbortSignal }) => Promise<void>;
  /** Takes a token that the server does not know out of its record. Rejects when that could not be written. */
  readonly drop: (live: LiveToken, options: { readonly signal: AbortSignal }) => Promise<void>;
  /** The slot has a proven token, and older ones that are not retired yet. */
  readonly onSucceeded: (slot: Slot) => void;
  /** For one issue with its proof: longer than one Kerberos step and two calls to Hadoop. */
  readonly flightTimeoutMs?: number;
  /** How many calls may wait for one source at once, also those that share a flight; default {@link MAX_WAITING_PER_SOURCE}. */
  readonly maxWaitingPerSource?: number;
  /** A look-up was answered from memory or not. */
  readonly onLookUp?: (result: 'hit' | 'miss') => void;
  /** A request was turned away by a limit. */
  readonly onLimited?: (limit: TokenLimit) => void;
  /** Before a hand-out. */
  readonly onHandOutProof?: (source: TokenSource, outcome: Proof['outcome']) => void;
}

/**
 * Answers requests for tokens: from memory, after a proof that the token still lives, or with a new one. Concurrent
 * requests that need the same share one flight, which no caller's signal ends.
 *
 * A token is not handed out before Hadoop has shown that we can renew its like, since it would lapse in its holder's
 * hands. One that is too old for new holders is, though, when the next one can't be had for now, or not soon: it is
 * renewed as well.
 * Failures are not kept, except that Hadoop's own "no" holds for a while (see HeldRefusals).
 */
export class TokenCache {
  readonly #options: TokenCacheOptions;
  readonly #flightTimeoutMs: number;
  readonly #onLookUp: (result: 'hit' | 'miss') => void;
  readonly #flights = new SingleFlight<string, CachedToken>();
  readonly #refusals: HeldRefusals;
  readonly #waiting: SourceQueue;
  readonly #room: TokenRoom;
  /** When somebody last waited for the next token in vain, ms by the steady clock. */
  readonly #inVainAt = new WeakMap<Slot, number>();

  constructor(options: TokenCacheOptions) {
    this.#options = options;
    this.#flightTimeoutMs = options.flightTimeoutMs ?? FLIGHT_TIMEOUT_MS;
    this.#waiting = new SourceQueue(options.maxWaitingPerSource ?? MAX_WAITING_PER_SOURCE, () =>
      options.onLimited?.('source'),
    );
    this.#room = new TokenRoom(options);
    this.#refusals = new HeldRefusals({ clock: options.clock });
    this.#onLookUp = options.onLookUp ?? (() => {});
  }

  /** Flights under way. */
  get flights(): number {
    return this.#flights.size;
  }

  /**
   * The token if it may be handed out now, without asking anybody. The same object as long as nothing about the token
   * changes; a renewal makes another one.
   */
  recall(request: TokenRequest): CachedToken | undefined {
    const known = this.#recall(request);
    if (known !== undefined) this.#onLookUp('hit');
    return known;
  }

  #recall(request: TokenRequest): CachedToken | undefined {
    const current = this.#slot(request)?.current;
    if (current === undefined || !this.#isGood(current)) return undefined;
    // Another replica may be about to cancel it.
    // check: stored-token-not-stale
    if (this.#options.isStale()) return undefined;
    return current.cached;
  }

  /**
   * The token for a request, from memory or from Hadoop. Rejects with TokenServiceError (`overloaded` at once, when as
   * many wait for the source as may), TokenStoreError, TokenLimitError, or with the reason of the caller's own signal.
   */
  async get(request: TokenRequest, options: { readonly signal?: AbortSignal } = {}): Promise<CachedToken> {
    options.signal?.throwIfAborted();
    const known = this.recall(request);
    if (known !== undefined) return known;
    const key = flightKeyOf(request, this.#options.sharing);
    const refusal = this.#refusals.find(request.namespace, key);
    if (refusal !== undefined) {
      this.#onLookUp('hit');
      throw refusal;
    }
    const wait = (signal: AbortSignal | undefined): Promise<CachedToken> => {
      this.#onLookUp('miss');
      return this.#waiting.run(request.source, () =>
        this.#flights.run(key, () => this.#fly(key, request), signal === undefined ? {} : { signal }),
      );
    };
    const old = this.#oldNow(request);
    if (old === undefined) return await wait(options.signal);
    const isInVain = this.#options.now() - (this.#inVainAt.get(old.slot) ?? -Infinity) < IN_VAIN_FOR_MS;
    if (isInVain && this.#flights.has(key)) {
      this.#onLookUp('hit');
      return old.cached;
    }
    const left = new AbortController();
    const signal =
      options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
    const instead = (): CachedToken | undefined => {
      this.#inVainAt.set(old.slot, this.#options.now());
      return this.#oldNow(request)?.cached;
    };
    try {
      const ms = isInVain ? 0 : PATIENCE_MS;
      return await orAfter(wait(signal), { clock: this.#options.clock, ms, instead });
    } catch (error) {
      // As when too many wait for others.
      const still = isFinal(error) ? undefined : this.#oldNow(request);
      if (still === undefined || options.signal?.aborted === true) throw error;
      return still.cached;
    } finally {
      // Who has left does not count as waiting. The flight goes on.
      left.abort();
    }
  }

  /** Forgets refusals that would count as new if they came again. */
  sweep(): void {
    this.#refusals.sweep();
  }

  /**
   * One flight, ended by its own time-out and by nothing else. The token service then says what it has learned so far,
   * or is left alone if it takes no notice of its signal.
   */
  async #fly(key: string, request: TokenRequest): Promise<CachedToken> {
    const flight = new AbortController();
    const landed = new AbortController();
    const timedOut = this.#timeOut(request, flight, landed.signal);
    const deadline = this.#options.clock.now() + this.#flightTimeoutMs;
    try {
      const cached = await Promise.race([
        this.#find(key, request, { signal: flight.signal, deadline }),
        timedOut,
      ]);
      this.#refusals.delete(request.namespace, key);
      return cached;
    } catch (error) {
      const isExplained = error instanceof TokenServiceError || error instanceof TokenStoreError;
      if (flight.signal.aborted) throw isExplained ? error : flight.signal.reason;
      if (isFinal(error)) this.#refusals.add(request.namespace, key, error);
      throw error;
    } finally {
      landed.abort();
    }
  }

  async #timeOut({ source }: TokenRequest, flight: AbortController, landed: AbortSignal): Promise<never> {
    const { clock } = this.#options;
    await clock.sleep(this.#flightTimeoutMs, landed);
    const error = issueTimedOut(source, this.#flightTimeoutMs);
    flight.abort(error);
    await clock.sleep(ABANDON_AFTER_MS, landed);
    throw error;
  }

  async #find(key: string, request: TokenRequest, call: IssueCall): Promise<CachedToken> {
    await this.#catchUp(request, call);
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      call.signal.throwIfAborted();
      const slot = this.#slot(request);
      const current = slot?.current;
      if (slot !== undefined && current !== undefined && this.#isYoung(current)) {
        const cached = this.#isGood(current) ? current.cached : await this.#proven(request, current, call);
        if (cached !== undefined) {
          if (slot.generations.length > 1) this.#options.onSucceeded(slot);
          return cached;
        }
      } else {
        try {
          await this.#issue(key, request, slot, call);
        } catch (error) {
          const old = isFinal(error) ? undefined : await this.#oldOne(request, call);
          if (old === undefined) throw error;
          return old;
        }
      }
    }
    throw new TokenServiceError('unreachable', 'every new token was dead at once', {
      fix: 'Check the clocks of the NameNodes and dfs.namenode.delegation.token.* there: tokens must live longer than it takes to renew them.',
    });
  }

  /** Another replica may be about to cancel what we have not heard of for too long. */
  async #catchUp(request: TokenRequest, call: IssueCall): Promise<void> {
    if (this.#options.isStale())
      await this.#options.refresh(recordIdOf(request, this.#options.sharing), call);
  }

  /** Undefined: there is none, or nobody can tell if it is about to be cancelled. */
  async #oldOne(request: TokenRequest, call: IssueCall): Promise<CachedToken | undefined> {
    try {
      await this.#catchUp(request, call);
    } catch {
      return undefined;
    }
    return this.#oldNow(request)?.cached;
  }

  /** One that is too old for new holders, for when the next one can't be had; undefined also: nobody can tell any more. */
  #oldNow(request: TokenRequest): { readonly slot: Slot; readonly cached: CachedToken } | undefined {
    const { isStale, now } = this.#options;
    const slot = this.#slot(request);
    const old = slot?.current;
    if (slot === undefined || old?.cached === undefined) return undefined;
    if (!this.#isAlive(old) || this.#isYoung(old) || isStale()) return undefined;
    // Not by its age: it is handed out again when the next one can't be had, and those who got it come back soon.
    return { slot, cached: { ...old.cached, issuedAt: now(), reusePeriodMs: PINCH_MS } };
  }

  /** Undefined: it is dead, or out of use by now. */
  async #proven(request: TokenRequest, live: LiveToken, call: IssueCall): Promise<CachedToken | undefined> {
    const proof = await provePatiently(live, this.#isAlive(live), this.#options);
    this.#options.onHandOutProof?.(live.slot.source, proof.outcome);
    if (proof.outcome === 'dead') {
      await this.#options.drop(live, call);
      return undefined;
    }
    // That may have taken long enough for somebody to cancel it.
    await this.#catchUp(request, call);
    if (live.slot.current !== live) return undefined;
    // Most likely it lives, and the caller could use no other one either.
    if (live.cached !== undefined && this.#isAlive(live)) return live.cached;
    if (proof.outcome === 'unanswered') throw proof.error;
    return undefined;
  }

  async #issue(key: string, request: TokenRequest, slot: Slot | undefined, call: IssueCall): Promise<void> {
    const { issuer, prover, sharing } = this.#options;
    const { source, stampedUser } = request;
    const id = recordIdOf(request, sharing);
    const known = slot?.generations.map((live) => live.recorded) ?? [];
    const target = { id, source, scope: scopeOfRequest(request, sharing), stampedUser };
    const issue = () => issuer.issue(target, { key, known }, call);
    // A next generation is no more tokens than before, for long.
    const { recorded, isNew } = await (slot === undefined ? this.#room.take(id.namespace, issue) : issue());
    const live = this.#slot(request)?.generations.find((each) => isSameToken(each.recorded, recorded));
    if (isNew && live !== undefined) prover.noteIssued(live);
  }

  #slot(request: TokenRequest): Slot | undefined {
    const { tokens, sharing } = this.#options;
    return tokens.find(request.source, slotKeyOf(request, sharing));
  }

  #isGood(live: LiveToken): boolean {
    const now = this.#options.now();
    return (
      this.#isAlive(live, now) &&
      this.#isYoung(live, now) &&
      now - live.provenAt < this.#options.proofOfLifeMs
    );
  }

  #isAlive({ cached, lapsesAt, closing, dead, gone }: LiveToken, now = this.#options.now()): boolean {
    return cached !== undefined && now < lapsesAt && !closing && !dead && !gone;
  }

  #isYoung({ cached, recorded }: LiveToken, now = this.#options.now()): boolean {
    // Not proven yet, as after a restart: what its record says decides.
    return cached === undefined
      ? this.#isYoungRecord(recorded, now)
      : now < handedOutUntil(cached.issuedAt, cached.reusePeriodMs);
  }

  #isYoungRecord({ issuedAt, token }: LiveToken['recorded'], now: number): boolean {
    return now < handedOutUntil(issuedAt, reusePeriodMs(token));
  }
}

function isFinal(error: unknown): error is TokenServiceError {
  return error instanceof TokenServiceError && FINAL.has(error.failure);
}
