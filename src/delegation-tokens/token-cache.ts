import { orAfter } from '../concurrency/or-after.ts';
import { SingleFlight } from '../concurrency/single-flight.ts';
import type { Clock } from '../time/clock.ts';
import type { TokenSource } from './credentials.ts';
import { HeldRefusals } from './held-refusals.ts';
import { type CachedToken, type LiveToken, type Slot, slotKey } from './live-token.ts';
import { isSameToken, type LiveTokens, scopeOf } from './live-tokens.ts';
import { handedOutUntil, reusePeriodMs } from './reuse-period.ts';
import type { Sharing } from './sharing.ts';
import type { RecordId, TokenScope } from './token-record.ts';
import { MAX_WAITING_PER_SOURCE, SourceQueue } from './source-queue.ts';
import { type IssueCall, issueTimedOut, type TokenIssuer } from './token-issuer.ts';
import { type TokenLimit, TokenLimitError, type TokenLimits } from './token-limits.ts';
import type { Proof, TokenProver } from './token-prover.ts';
import { TokenServiceError, type TokenServiceFailure } from './token-service.ts';
import { TokenStoreError } from './token-store.ts';

export type { CachedToken } from './live-token.ts';

/** A Kerberos step of 40 s and two calls of 20 s, the defaults of their limits, and some more. */
export const FLIGHT_TIMEOUT_MS = 90_000;
/** How long a token service may take to say what it knows once its signal is aborted. */
export const ABANDON_AFTER_MS = 1_000;
/** A caller waits no longer for the proof of a token that most likely lives, or for the one after it. */
const PATIENCE_MS = 5_000;
/** Who comes after somebody who waited in vain is not kept waiting for the same again, for half a minute. */
const IN_VAIN_FOR_MS = 30_000;
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

export interface TokenRequest {
  readonly source: TokenSource;
  readonly owner: string;
  /** The user stamped on the pod: the owner, or who asks to be the owner. */
  readonly stampedUser: string;
  /** Of the asking pod. */
  readonly namespace: string;
  readonly podUid: string;
}

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
  /** When somebody last waited for the next token in vain, ms by the steady clock. */
  readonly #inVainAt = new WeakMap<Slot, number>();

  constructor(options: TokenCacheOptions) {
    this.#options = options;
    this.#flightTimeoutMs = options.flightTimeoutMs ?? FLIGHT_TIMEOUT_MS;
    this.#waiting = new SourceQueue(options.maxWaitingPerSource ?? MAX_WAITING_PER_SOURCE, () =>
      options.onLimited?.('source'),
    );
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
    const key = this.#flightKey(request);
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
    if (this.#options.isStale()) await this.#options.refresh(this.#recordId(request), call);
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
    const proof = await this.#prove(live);
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

  async #prove(live: LiveToken): Promise<Proof> {
    const { clock, now, prover } = this.#options;
    const isLikely = this.#isAlive(live);
    if (isLikely && now() - live.unansweredAt < IN_VAIN_FOR_MS) return UNANSWERED;
    const proof = prover.prove(live, 'issue');
    if (!isLikely) return await proof;
    const instead = (): Proof => {
      // Or everybody who comes until it gets its answer would wait as long: a server may be silent for minutes.
      live.unansweredAt = now();
      return UNANSWERED;
    };
    return await orAfter(proof, { clock, ms: PATIENCE_MS, instead });
  }

  async #issue(key: string, request: TokenRequest, slot: Slot | undefined, call: IssueCall): Promise<void> {
    const { issuer, tokens, limits, prover } = this.#options;
    const { source, stampedUser } = request;
    const scope = this.#scope(request);
    const id = this.#recordId(request);
    // A next generation is no more tokens than before, for long.
    // check: live-tokens-limit
    if (slot === undefined && tokens.countIn(id.namespace) >= limits.perNamespace) {
      throw this.#limited('namespace', tokens.countIn(id.namespace));
    }
    // check: all-live-tokens-limit
    if (slot === undefined && tokens.size >= limits.inAll) throw this.#limited('total', tokens.size);
    const known = slot?.generations.map((live) => live.recorded) ?? [];
    const target = { id, source, scope, stampedUser };
    const { recorded, isNew } = await issuer.issue(target, { key, known }, call);
    const live = this.#slot(request)?.generations.find((each) => isSameToken(each.recorded, recorded));
    if (isNew && live !== undefined) prover.noteIssued(live);
  }

  #limited(limit: 'namespace' | 'total', live: number): TokenLimitError {
    this.#options.onLimited?.(limit);
    return new TokenLimitError(limit, live);
  }

  #slot(request: TokenRequest): Slot | undefined {
    const { owner, stampedUser } = request;
    return this.#options.tokens.find(request.source, slotKey(owner, stampedUser, this.#scope(request)));
  }

  #scope(request: TokenRequest): TokenScope {
    return scopeOf(this.#options.sharing.scopeOf(request.namespace, request.stampedUser), request);
  }

  #recordId(request: TokenRequest): RecordId {
    const isShared = this.#scope(request).type === 'user';
    return { namespace: isShared ? undefined : request.namespace, owner: request.owner };
  }

  #flightKey(request: TokenRequest): string {
    const { source, owner, stampedUser } = request;
    const slot = slotKey(owner, stampedUser, this.#scope(request));
    return JSON.stringify([source.cluster, source.kind, source.name, source.renewer, slot]);
  }

  #isGood(live: LiveToken): boolean {
    const now = this.#options.now();
    return (
      this.#isAlive(live, now) &&
      this.#isYoung(live, now) &&
      now - live.provenAt < this.#options.proofOfLifeMs
    );
  }

  #isAlive({ lapsesAt, closing, dead, gone }: LiveToken, now = this.#options.now()): boolean {
    return now < lapsesAt && !closing && !dead && !gone;
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

const UNANSWERED: Proof = {
  outcome: 'unanswered',
  error: new TokenServiceError('unreachable', 'the server has not answered a renewal lately'),
};

function isFinal(error: unknown): error is TokenServiceError {
  return error instanceof TokenServiceError && FINAL.has(error.failure);
}
