import { SingleFlight } from '../concurrency/single-flight.ts';
import type { Clock } from '../time/clock.ts';
import type { HeldToken, TokenSource } from './credentials.ts';
import { HeldRefusals } from './held-refusals.ts';
import { reusePeriodMs } from './reuse-period.ts';
import { MAX_WAITING_PER_SOURCE, SourceQueue } from './source-queue.ts';
import { type DelegationToken, TokenServiceError, type TokenServiceFailure } from './token-service.ts';
import { verifyIssuedToken } from './verify-issued-token.ts';

/** A Kerberos step of 40 s and two calls of 20 s, the defaults of their limits, and some more. */
export const FLIGHT_TIMEOUT_MS = 90_000;
/** How long a token service may take to say what it knows once its signal is aborted. */
export const ABANDON_AFTER_MS = 1_000;
export const MAX_ENTRIES = 10_000;
const SWEEP_EVERY_MS = 600_000;

/**
 * Answers that a repeated request would get again. Those to a renewal say something about the token itself; after any
 * other it may well be good.
 */
const FINAL: ReadonlySet<TokenServiceFailure> = new Set([
  'invalid-token',
  'denied',
  'wrong-token',
  'bad-request',
]);

export interface TokenRequest {
  readonly source: TokenSource;
  readonly owner: string;
  /** Namespace of the asking pod: others do not get the same token, as whoever holds it can cancel it. */
  readonly namespace: string;
}

export interface CachedToken extends HeldToken {
  /** Our clock just before the token was asked for, ms since the epoch. */
  readonly issuedAt: number;
  /** About how long after `issuedAt` a holder should have the next one. See `reusePeriodMs`. */
  readonly reusePeriodMs: number;
}

/** What may be told of a token in memory: nothing that authenticates. Times are ms since the epoch. */
export interface ListedToken {
  readonly cluster: string;
  /** Name of the source within (cluster, kind), for example the nameservice. */
  readonly source: string;
  readonly kind: string;
  readonly services: readonly string[];
  readonly owner: string;
  readonly namespace: string;
  readonly renewer: string;
  readonly sequenceNumber: number;
  /** Hadoop's clock. */
  readonly issuedAt: bigint;
  readonly maxDate: bigint;
  /** undefined: not renewed yet, so its expiry is not known, and it was handed to nobody. */
  readonly expiresAt: bigint | undefined;
  /** When the next request gets another token; undefined as for `expiresAt`. */
  readonly handedOutUntil: number | undefined;
}

export interface TokenCacheOptions {
  readonly clock: Clock;
  readonly maxEntries?: number;
  /** For one issue and its renewal: longer than one Kerberos step and two calls to Hadoop. */
  readonly flightTimeoutMs?: number;
  /** How many calls may wait for one source at once, also those that share a flight; default {@link MAX_WAITING_PER_SOURCE}. */
  readonly maxWaitingPerSource?: number;
  /** A look-up was answered from memory or not. */
  readonly onLookUp?: (result: 'hit' | 'miss') => void;
}

type Entry = { readonly request: TokenRequest } & (
  | { readonly state: 'proven'; readonly cached: CachedToken }
  /** Issued, but the renewal that tells its expiry got no answer. */
  | { readonly state: 'unproven'; readonly token: DelegationToken; readonly issuedAt: number }
);

type Unproven = Entry & { readonly state: 'unproven' };

interface FlightCall {
  readonly signal: AbortSignal;
  readonly deadline: number;
  /** Aborted when the flight is over: nobody waits for the outcome any more. */
  readonly landed: AbortSignal;
}

/**
 * The delegation tokens that were fetched, in memory.
 *
 * A token is renewed once right after it was issued: the reply to an issue names no expiry, and a token that we cannot
 * renew would lapse in its holder's hands. Without that proof it is not handed out; it is kept, and the next request
 * tries the proof again instead of making another token.
 *
 * Failures are not kept, except that Hadoop's own "no" holds for a while (see HeldRefusals). Nothing here ever cancels
 * a token that a pod may hold: not at shutdown, not when an entry is dropped because there are too many (least recently
 * used first). Dropping the entry costs one fetch, and the token left behind ends by itself.
 */
export class TokenCache {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #flightTimeoutMs: number;
  readonly #onLookUp: (result: 'hit' | 'miss') => void;
  readonly #flights = new SingleFlight<string, CachedToken>();
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  readonly #refusals: HeldRefusals;
  readonly #waiting: SourceQueue;
  #sweptAt: number;

  constructor(options: TokenCacheOptions) {
    this.#clock = options.clock;
    this.#maxEntries = options.maxEntries ?? MAX_ENTRIES;
    this.#flightTimeoutMs = options.flightTimeoutMs ?? FLIGHT_TIMEOUT_MS;
    this.#waiting = new SourceQueue(options.maxWaitingPerSource ?? MAX_WAITING_PER_SOURCE);
    this.#refusals = new HeldRefusals({ clock: options.clock });
    this.#onLookUp = options.onLookUp ?? (() => {});
    this.#sweptAt = options.clock.now();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Every token in memory, in no particular order. Those that are not handed out any more are forgotten later. */
  list(): ListedToken[] {
    return [...this.#entries.values()].map(describeEntry);
  }

  /**
   * The token for a request, from memory or from Hadoop; concurrent requests share one flight, which no caller's signal
   * ends. Rejects with TokenServiceError (`overloaded` at once, when as many wait for the source as may), or with the
   * reason of the caller's own signal.
   */
  async get(request: TokenRequest, options: { readonly signal?: AbortSignal } = {}): Promise<CachedToken> {
    options.signal?.throwIfAborted();
    const key = keyOf(request);
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.state !== 'unproven' && this.#isUsable(entry)) {
      this.#onLookUp('hit');
      this.#put(key, entry);
      return entry.cached;
    }
    const refusal = this.#refusals.find(request.namespace, key);
    if (refusal !== undefined) {
      this.#onLookUp('hit');
      throw refusal;
    }
    this.#onLookUp('miss');
    return await this.#waiting.run(request.source, () =>
      this.#flights.run(key, () => this.#fly(key, request), options),
    );
  }

  /**
   * One flight, ended by its own time-out and by nothing else. The token service then says what it has learned so far,
   * or is left alone if it takes no notice of its signal.
   */
  async #fly(key: string, request: TokenRequest): Promise<CachedToken> {
    const flight = new AbortController();
    const landed = new AbortController();
    const timedOut = this.#timeOut(request, flight, landed.signal);
    const deadline = this.#clock.now() + this.#flightTimeoutMs;
    const call = { signal: flight.signal, deadline, landed: landed.signal };
    try {
      const cached = await Promise.race([this.#fetch(key, request, call), timedOut]);
      this.#refusals.delete(request.namespace, key);
      return cached;
    } catch (error) {
      if (flight.signal.aborted) throw error instanceof TokenServiceError ? error : flight.signal.reason;
      if (isFinal(error)) this.#refusals.add(request.namespace, key, error);
      throw error;
    } finally {
      landed.abort();
    }
  }

  async #timeOut({ source }: TokenRequest, flight: AbortController, landed: AbortSignal): Promise<never> {
    await this.#clock.sleep(this.#flightTimeoutMs, landed);
    const { cluster, kind, name } = source;
    const error = new TokenServiceError(
      'unreachable',
      `no ${kind} from ${name} of cluster ${cluster} within ${this.#flightTimeoutMs} ms`,
    );
    flight.abort(error);
    await this.#clock.sleep(ABANDON_AFTER_MS, landed);
    throw error;
  }

  async #fetch(key: string, request: TokenRequest, call: FlightCall): Promise<CachedToken> {
    const left = this.#entries.get(key);
    if (left?.state === 'unproven' && this.#isUsable(left)) {
      try {
        return await this.#prove(key, request, left, call);
      } catch (error) {
        if (!isFinal(error)) throw error;
      }
    }
    return await this.#prove(key, request, await this.#issue(request, call), call);
  }

  async #issue(request: TokenRequest, call: FlightCall): Promise<Unproven> {
    const { source, owner } = request;
    const { kind, renewer } = source;
    const issuedAt = this.#clock.now();
    const token = await source.tokenService.issue({ owner, renewer }, call);
    // `realUser` is for the token service to judge: it knows as whom it asked.
    verifyIssuedToken(token, { owner, renewer, kind, proxyUser: undefined });
    reusePeriodMs(token, token.maxDate);
    return { state: 'unproven', request, token, issuedAt };
  }

  async #prove(
    key: string,
    request: TokenRequest,
    unproven: Unproven,
    call: FlightCall,
  ): Promise<CachedToken> {
    const { source } = request;
    const { token, issuedAt } = unproven;
    call.signal.throwIfAborted();
    try {
      const { expiresAt } = await source.tokenService.renew(token, call);
      call.signal.throwIfAborted();
      const cached = { source, token, expiresAt, issuedAt, reusePeriodMs: reusePeriodMs(token, expiresAt) };
      this.#put(key, { state: 'proven', request, cached });
      return cached;
    } catch (error) {
      // A flight that was given up must not write over what a later one has found.
      if (call.landed.aborted) throw error;
      // Only now, so that a token which turns out useless pushes no other out.
      if (isFinal(error)) this.#entries.delete(key);
      else this.#put(key, unproven);
      throw error;
    }
  }

  #isUsable(entry: Entry): boolean {
    const now = this.#clock.now();
    switch (entry.state) {
      case 'unproven':
        return isYoung(entry.issuedAt, reusePeriodMs(entry.token, entry.token.maxDate), now);
      case 'proven':
        return isYoung(entry.cached.issuedAt, entry.cached.reusePeriodMs, now);
    }
  }

  #put(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#sweep();
    if (this.#entries.size > this.#maxEntries) this.#makeRoom();
  }

  /**
   * The entry that was not used for longest, of the namespace that has most: whoever can name many users in one namespace
   * pushes out nobody else's tokens, which would all have to be had from Hadoop again.
   */
  #makeRoom(): void {
    const counts = new Map<string, number>();
    for (const { request } of this.#entries.values())
      counts.set(request.namespace, (counts.get(request.namespace) ?? 0) + 1);
    const [[largest] = ['']] = [...counts].toSorted(([, one], [, other]) => other - one);
    for (const [key, { request }] of this.#entries) {
      if (request.namespace !== largest) continue;
      this.#entries.delete(key);
      return;
    }
  }

  /** What will not be handed out again need not stay in memory, least of all its password. */
  #sweep(): void {
    const now = this.#clock.now();
    if (Math.abs(now - this.#sweptAt) < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    for (const [key, entry] of this.#entries) {
      if (!this.#isUsable(entry)) this.#entries.delete(key);
    }
    this.#refusals.sweep();
  }
}

/** As JSON, because any of the parts may hold any separator: two requests never meet in one key. */
function keyOf({ source, owner, namespace }: TokenRequest): string {
  return JSON.stringify([source.cluster, source.kind, source.name, owner, source.renewer, namespace]);
}

/**
 * Up to nine tenths of the period, because holders are told to come back between nine and eleven tenths of it (see
 * `createGetCredentials`): whoever does finds a new token, never the old one again. A clock that was set back before
 * the issue says nothing about the age.
 */
function isYoung(issuedAt: number, periodMs: number, now: number): boolean {
  return now >= issuedAt && now < youngUntil(issuedAt, periodMs);
}

function youngUntil(issuedAt: number, periodMs: number): number {
  return issuedAt + 0.9 * periodMs;
}

/** Field by field: what is added to a token later does not get out by itself. */
function describeEntry(entry: Entry): ListedToken {
  const { source, namespace } = entry.request;
  const token = entry.state === 'proven' ? entry.cached.token : entry.token;
  const handedOutUntil =
    entry.state === 'proven' ? youngUntil(entry.cached.issuedAt, entry.cached.reusePeriodMs) : undefined;
  return {
    cluster: source.cluster,
    source: source.name,
    kind: source.kind,
    services: source.services,
    owner: token.owner,
    namespace,
    renewer: token.renewer,
    sequenceNumber: token.sequenceNumber,
    issuedAt: token.issueDate,
    maxDate: token.maxDate,
    expiresAt: entry.state === 'proven' ? entry.cached.expiresAt : undefined,
    handedOutUntil,
  };
}

function isFinal(error: unknown): error is TokenServiceError {
  return error instanceof TokenServiceError && FINAL.has(error.failure);
}
