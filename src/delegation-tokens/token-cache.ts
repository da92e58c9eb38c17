import { SingleFlight } from '../concurrency/single-flight.ts';
import type { Clock } from '../time/clock.ts';
import type { HeldToken, TokenSource } from './credentials.ts';
import { reusePeriodMs } from './reuse-period.ts';
import { type DelegationToken, TokenServiceError, type TokenServiceFailure } from './token-service.ts';
import { verifyIssuedToken } from './verify-issued-token.ts';

export const FLIGHT_TIMEOUT_MS = 60_000;
export const DENIED_TTL_MS = 5_000;
export const MAX_ENTRIES = 10_000;
const SWEEP_EVERY_MS = 600_000;

/** Failures of a renewal that say something about the token itself; after any other it may well be good. */
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

export interface TokenCacheOptions {
  readonly clock: Clock;
  readonly maxEntries?: number;
  readonly flightTimeoutMs?: number;
  readonly deniedTtlMs?: number;
  /** A look-up was answered from memory or not. */
  readonly onLookUp?: (result: 'hit' | 'miss') => void;
}

type Entry =
  | { readonly state: 'proven'; readonly cached: CachedToken }
  /** Issued, but the renewal that tells its expiry got no answer. */
  | { readonly state: 'unproven'; readonly token: DelegationToken; readonly issuedAt: number }
  | { readonly state: 'denied'; readonly error: TokenServiceError; readonly until: number };

/**
 * The delegation tokens that were fetched, in memory.
 *
 * A token is renewed once right after it was issued: the reply to an issue names no expiry, and a token that we cannot
 * renew would lapse in its holder's hands. Without that proof it is not handed out; it is kept, and the next request
 * tries the proof again instead of making another token.
 *
 * Failures are not kept, except that Hadoop's own "no" holds for a few seconds. Nothing here ever cancels a token: not
 * at shutdown, not when an entry is dropped because there are too many (least recently used first). A pod may hold it;
 * dropping the entry costs one fetch, and the token left behind ends by itself.
 */
export class TokenCache {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #flightTimeoutMs: number;
  readonly #deniedTtlMs: number;
  readonly #onLookUp: (result: 'hit' | 'miss') => void;
  readonly #flights = new SingleFlight<string, CachedToken>();
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  #sweptAt: number;

  constructor(options: TokenCacheOptions) {
    this.#clock = options.clock;
    this.#maxEntries = options.maxEntries ?? MAX_ENTRIES;
    this.#flightTimeoutMs = options.flightTimeoutMs ?? FLIGHT_TIMEOUT_MS;
    this.#deniedTtlMs = options.deniedTtlMs ?? DENIED_TTL_MS;
    this.#onLookUp = options.onLookUp ?? (() => {});
    this.#sweptAt = options.clock.now();
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The token for a request, from memory or from Hadoop; concurrent requests share one flight, which no caller's signal
   * ends. Rejects with TokenServiceError, or with the reason of the caller's own signal.
   */
  async get(request: TokenRequest, options: { readonly signal?: AbortSignal } = {}): Promise<CachedToken> {
    options.signal?.throwIfAborted();
    const key = keyOf(request);
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.state !== 'unproven' && this.#isUsable(entry)) {
      this.#onLookUp('hit');
      this.#put(key, entry);
      if (entry.state === 'denied') throw entry.error;
      return entry.cached;
    }
    this.#onLookUp('miss');
    return await this.#flights.run(key, () => this.#fly(key, request), options);
  }

  /** One flight, ended by its own time-out and by nothing else. */
  async #fly(key: string, request: TokenRequest): Promise<CachedToken> {
    const flight = new AbortController();
    const landed = new AbortController();
    const timedOut = this.#clock.sleep(this.#flightTimeoutMs, landed.signal).then(() => {
      const { cluster, kind, name } = request.source;
      const error = new TokenServiceError(
        'unreachable',
        `no ${kind} from ${name} of cluster ${cluster} within ${this.#flightTimeoutMs} ms`,
      );
      flight.abort(error);
      throw error;
    });
    try {
      return await Promise.race([this.#fetch(key, request, flight.signal), timedOut]);
    } catch (error) {
      flight.signal.throwIfAborted();
      if (error instanceof TokenServiceError && error.failure === 'denied') {
        this.#put(key, { state: 'denied', error, until: this.#clock.now() + this.#deniedTtlMs });
      }
      throw error;
    } finally {
      landed.abort();
    }
  }

  async #fetch(key: string, request: TokenRequest, signal: AbortSignal): Promise<CachedToken> {
    const left = this.#entries.get(key);
    if (left?.state === 'unproven' && this.#isUsable(left)) {
      try {
        return await this.#prove(key, request, left, signal);
      } catch (error) {
        if (!isFinal(error)) throw error;
      }
    }
    return await this.#prove(key, request, await this.#issue(request, signal), signal);
  }

  async #issue({ source, owner }: TokenRequest, signal: AbortSignal): Promise<Entry & { state: 'unproven' }> {
    const { kind, renewer } = source;
    const issuedAt = this.#clock.now();
    const token = await source.tokenService.issue({ owner, renewer }, { signal });
    // `realUser` is for the token service to judge: it knows as whom it asked.
    verifyIssuedToken(token, { owner, renewer, kind, proxyUser: undefined });
    reusePeriodMs(token, token.maxDate);
    return { state: 'unproven', token, issuedAt };
  }

  async #prove(
    key: string,
    { source }: TokenRequest,
    unproven: Entry & { state: 'unproven' },
    signal: AbortSignal,
  ): Promise<CachedToken> {
    const { token, issuedAt } = unproven;
    // A flight that was given up must not write over what a later one has found.
    signal.throwIfAborted();
    this.#put(key, unproven);
    try {
      const { expiresAt } = await source.tokenService.renew(token, { signal });
      signal.throwIfAborted();
      const cached = { source, token, expiresAt, issuedAt, reusePeriodMs: reusePeriodMs(token, expiresAt) };
      this.#put(key, { state: 'proven', cached });
      return cached;
    } catch (error) {
      if (isFinal(error) && !signal.aborted) this.#entries.delete(key);
      throw error;
    }
  }

  #isUsable(entry: Entry): boolean {
    const now = this.#clock.now();
    switch (entry.state) {
      case 'denied':
        return now < entry.until && now >= entry.until - this.#deniedTtlMs;
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
    if (this.#entries.size <= this.#maxEntries) return;
    const [leastRecentlyUsed] = this.#entries.keys();
    if (leastRecentlyUsed !== undefined) this.#entries.delete(leastRecentlyUsed);
  }

  /** What will not be handed out again need not stay in memory, least of all its password. */
  #sweep(): void {
    const now = this.#clock.now();
    if (Math.abs(now - this.#sweptAt) < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    for (const [key, entry] of this.#entries) {
      if (!this.#isUsable(entry)) this.#entries.delete(key);
    }
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
  return now >= issuedAt && now < issuedAt + 0.9 * periodMs;
}

function isFinal(error: unknown): boolean {
  return error instanceof TokenServiceError && FINAL.has(error.failure);
}
