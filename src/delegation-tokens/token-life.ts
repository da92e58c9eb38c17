import { inTurns } from '../concurrency/in-turns.ts';
import type { Clock } from '../time/clock.ts';
import { SteadyClock } from '../time/steady-clock.ts';
import type { TokenSource } from './credentials.ts';
import type { PodHolders } from './holders.ts';
import { describeLiveToken, type ListedToken } from './listed-token.ts';
import type { LiveToken, Slot } from './live-token.ts';
import { isInUse, LiveTokens } from './live-tokens.ts';
import { RecordBook } from './record-book.ts';
import { Renewer } from './renewer.ts';
import { rejectedToken, type RejectedReport, type RejectedOutcome } from './rejected-token.ts';
import type { Sharing } from './sharing.ts';
import { FLIGHT_TIMEOUT_MS, TokenCache } from './token-cache.ts';
import { type IssueStep, TokenIssuer } from './token-issuer.ts';
import type { TokenLimit, TokenLimits } from './token-limits.ts';
import { type Proof, TokenProver, type WhyDead } from './token-prover.ts';
import type { TokenStore } from './token-store.ts';
import { type CancelEvent, type CancelStep, changeToken, UnusedTokens } from './unused-tokens.ts';

export interface TokenTiming {
  /** How long nobody may hold a token before it is cancelled. */
  readonly idleMs: number;
  /** A token is proven again before it is handed out when the last proof is older than this. */
  readonly proofOfLifeMs: number;
  /** No replica hands out a stored token whose state it has not seen for longer than this. */
  readonly stalenessMs: number;
}

export const DEFAULT_TIMING: TokenTiming = { idleMs: 600_000, proofOfLifeMs: 600_000, stalenessMs: 30_000 };

export const DEFAULT_LIMITS: TokenLimits = { perNamespace: 1_000, inAll: 200_000 };

export type LifeStep = IssueStep | CancelStep | 'retired';

export type TokenLifeEvent =
  /** Each renewal that was due, and what came of it. */
  | { readonly type: 'renewal'; readonly live: LiveToken; readonly proof: Proof }
  | { readonly type: 'dead'; readonly live: LiveToken; readonly why: WhyDead }
  | { readonly type: 'retired'; readonly slot: Slot }
  /** A change of a record that could not be written; it is tried again. */
  | { readonly type: 'not-written'; readonly slot: Slot; readonly error: unknown }
  | { readonly type: 'bug'; readonly error: unknown }
  | CancelEvent;

export interface TokenLifeOptions {
  readonly sources: readonly TokenSource[];
  readonly store: TokenStore;
  readonly holders: PodHolders;
  readonly clock: Clock;
  readonly random: () => number;
  /** This process among its replicas; its successor should have the same. */
  readonly replica: string;
  readonly sharing: Sharing;
  readonly timing: TokenTiming;
  readonly limits: TokenLimits;
  readonly flightTimeoutMs?: number;
  readonly maxWaitingPerSource?: number;
  readonly onLookUp?: (result: 'hit' | 'miss') => void;
  /** A request was turned away by a limit. */
  readonly onLimited?: (limit: TokenLimit) => void;
  readonly onHandOutProof?: (source: TokenSource, outcome: Proof['outcome']) => void;
  readonly onEvent?: (event: TokenLifeEvent) => void;
  /** Called when a step has been made, for tests that end the process there. */
  readonly onStep?: (step: LifeStep) => void;
  /** Resolves in a later turn of the event loop; default `setImmediate`. */
  readonly breathe?: () => Promise<void>;
}

/** Renewals of one source at once, as many as a NameNode is asked at once. */
const RENEWALS_AT_ONCE = 8;
/** After a start all tokens are renewed, this far apart. */
const SPREAD_MS = 5;
const ADOPTED_MS = 1_000;
const LOOK_EVERY = { share: 0.1, leastMs: 1_000, mostMs: 30_000 };
const WRITE_TIMEOUT_MS = 20_000;
/** Tokens looked at in one go. */
const LOOK_CHUNK = 1_000;

/**
 * The delegation tokens of all users: handed out, kept alive, and ended when nobody holds them any more. Nothing here ends a
 * token at shutdown: pods go on using it, and the next process finds it in the store.
 */
export class TokenLife {
  readonly cache: TokenCache;
  readonly tokens: LiveTokens;
  readonly prover: TokenProver;
  readonly issuer: TokenIssuer;
  readonly #options: TokenLifeOptions;
  readonly #steady: SteadyClock;
  readonly #book: RecordBook;
  readonly #renewers = new Map<TokenSource, Renewer<LiveToken>>();
  readonly #unused: UnusedTokens;
  readonly #stopped = new AbortController();
  readonly #breathe: () => Promise<void>;
  readonly #retiring = new Set<Slot>();
  #isLoaded = false;
  #added = 0;

  constructor(options: TokenLifeOptions) {
    this.#options = options;
    this.#breathe = options.breathe ?? breathe;
    const { clock, random, sharing, timing, onStep } = options;
    const flightTimeoutMs = options.flightTimeoutMs ?? FLIGHT_TIMEOUT_MS;
    this.#steady = new SteadyClock(clock);
    const now = () => this.#steady.now();
    this.tokens = new LiveTokens({
      sources: options.sources,
      onAdded: (live) => this.#add(live),
      onKept: (live) => this.#renewers.get(live.slot.source)?.schedule(live, this.now()),
      onRemoved: (live) => this.#renewers.get(live.slot.source)?.remove(live),
    });
    this.#book = new RecordBook({
      store: options.store,
      clock,
      random,
      onRecord: (id, record) => {
        if (record !== undefined) this.issuer.noteRecord(record);
        this.tokens.apply(id, record);
      },
    });
    this.prover = new TokenProver({
      clock,
      steady: { now, jumpedMs: () => this.#steady.jumpedMs },
      random,
      timeoutMs: flightTimeoutMs,
      schedule: (live, dueAt) => this.#renewers.get(live.slot.source)?.schedule(live, dueAt),
      onProof: (live, proof) => {
        if (proof.outcome === 'dead') this.#noteDeath(live, proof.why);
      },
    });
    for (const source of options.sources) {
      this.#renewers.set(
        source,
        new Renewer<LiveToken>({
          clock,
          now,
          concurrency: RENEWALS_AT_ONCE,
          run: (live) => this.#renew(live),
          onBug: (error) => this.#tell({ type: 'bug', error }),
        }),
      );
    }
    this.issuer = new TokenIssuer({
      book: this.#book,
      clock,
      now,
      replica: options.replica,
      claimTtlMs: flightTimeoutMs + WRITE_TIMEOUT_MS,
      ...(onStep === undefined ? {} : { onStep }),
    });
    this.#unused = new UnusedTokens({
      tokens: this.tokens,
      book: this.#book,
      holders: options.holders,
      sharing,
      clock,
      now,
      idleMs: timing.idleMs,
      stalenessMs: timing.stalenessMs,
      timeoutMs: WRITE_TIMEOUT_MS,
      onSettled: (live) => this.#renewers.get(live.slot.source)?.remove(live),
      onKept: (live) => this.#renewers.get(live.slot.source)?.schedule(live, this.now()),
      breathe: this.#breathe,
      onEvent: (event) => this.#tell(event),
      ...(onStep === undefined ? {} : { onStep }),
    });
    this.cache = new TokenCache({
      clock,
      now,
      tokens: this.tokens,
      issuer: this.issuer,
      prover: this.prover,
      sharing,
      limits: options.limits,
      proofOfLifeMs: timing.proofOfLifeMs,
      isStale: () => this.#isStale(),
      refresh: (id, { signal }) => this.#book.refresh(id, { signal }),
      drop: (live, { signal }) => this.#drop(live, signal),
      onSucceeded: (slot) => void this.#retireOlder(slot),
      flightTimeoutMs,
      ...(options.maxWaitingPerSource === undefined
        ? {}
        : { maxWaitingPerSource: options.maxWaitingPerSource }),
      ...(options.onLimited === undefined ? {} : { onLimited: options.onLimited }),
      ...(options.onLookUp === undefined ? {} : { onLookUp: options.onLookUp }),
      ...(options.onHandOutProof === undefined ? {} : { onHandOutProof: options.onHandOutProof }),
    });
  }

  /** ms by the clock that all times of tokens go by. */
  now(): number {
    return this.#steady.now();
  }

  /** How many tokens of a source should have been renewed longer ago than that, of those that somebody may hold. O(n). */
  countOverdue(source: TokenSource, byMs: number): number {
    let count = 0;
    for (const live of this.tokens.values()) {
      const isHeld = live.slot.source === source && !live.dead && live.recorded.tombstonedAt === undefined;
      if (isHeld && this.prover.overdueMs(live) > byMs) count += 1;
    }
    return count;
  }

  /** Up to when every change of the store is known, ms since the epoch; undefined: nothing is known. */
  knownUntil(): number | undefined {
    return this.#book.knownUntil();
  }

  /** Resolves when everything that is stored is known. Renewals begin at once. */
  async start(): Promise<void> {
    for (const renewer of this.#renewers.values()) void renewer.start();
    await this.#book.start({ signal: this.#stopped.signal });
    this.#isLoaded = true;
    void this.#lookAgainAndAgain();
  }

  /** Nothing is cancelled. Calls under way go on until they end by themselves. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const renewer of this.#renewers.values()) renewer.stop();
    await this.#book.stop();
  }

  /** Every token there is, in no particular order. */
  list(): ListedToken[] {
    return [...this.tokens.values()].map(describeLiveToken);
  }

  /** What the client of a pod says that Hadoop has refused. */
  async reportRejected(report: RejectedReport): Promise<RejectedOutcome> {
    const outcome = await rejectedToken(report, {
      tokens: this.tokens,
      prover: this.prover,
      now: () => this.now(),
    });
    this.cache.sweep();
    return outcome;
  }

  /** Whoever listens must not end a loop here, or the process. */
  #tell(event: TokenLifeEvent): void {
    try {
      this.#options.onEvent?.(event);
    } catch {
      // There is nobody left to tell.
    }
  }

  #isStale(): boolean {
    const { clock, timing } = this.#options;
    const knownUntil = this.#book.knownUntil();
    return knownUntil === undefined || Math.abs(clock.now() - knownUntil) > timing.stalenessMs;
  }

  #add(live: LiveToken): void {
    // One that was just issued here gets another time at once; one that somebody else has made is soon looked at.
    const delayMs = this.#isLoaded ? ADOPTED_MS : this.#added * SPREAD_MS;
    this.#added += 1;
    this.#renewers.get(live.slot.source)?.schedule(live, this.now() + delayMs);
  }

  async #renew(live: LiveToken): Promise<void> {
    if (live.gone) return;
    if (live.dead) await this.#dropLater(live);
    else {
      const proof = await this.prover.prove(live, 'renewal');
      this.#tell({ type: 'renewal', live, proof });
    }
  }

  #noteDeath(live: LiveToken, why: WhyDead): void {
    if (live.dead || live.gone) return;
    live.dead = true;
    live.cached = undefined;
    this.tokens.settle(live.slot);
    // Of one that nobody holds no one has lost anything: most likely it was cancelled before a restart.
    if (live.recorded.tombstonedAt === undefined) this.#tell({ type: 'dead', live, why });
    // Whoever asks takes it out of the record; if nobody does, it is done soon.
    this.#renewers.get(live.slot.source)?.schedule(live, this.now());
  }

  async #dropLater(live: LiveToken): Promise<void> {
    try {
      await this.#drop(live, this.#stopped.signal);
      this.#options.onStep?.('dropped');
    } catch (error) {
      this.#tell({ type: 'not-written', slot: live.slot, error });
      this.#renewers.get(live.slot.source)?.schedule(live, this.now() + WRITE_TIMEOUT_MS);
    }
  }

  async #drop({ slot, recorded }: LiveToken, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const within = { clock, timeoutMs: WRITE_TIMEOUT_MS, signal };
    await changeToken(this.#book, within, { id: slot.id, recorded }, () => undefined);
  }

  /** Those before the current one, once that is proven: from now on nobody new gets them. */
  async #retireOlder(slot: Slot): Promise<void> {
    const { current } = slot;
    if (current?.cached === undefined || this.#retiring.has(slot)) return;
    const older = slot.generations.filter((live) => live !== current && isInUse(live));
    if (older.length === 0) return;
    const { clock, onStep } = this.#options;
    this.#retiring.add(slot);
    try {
      for (const { recorded } of older) {
        const within = { clock, timeoutMs: WRITE_TIMEOUT_MS };
        await changeToken(this.#book, within, { id: slot.id, recorded }, (known) => ({
          ...known,
          retiredAt: known.retiredAt ?? this.now(),
        }));
      }
      onStep?.('retired');
      this.#tell({ type: 'retired', slot });
    } catch (error) {
      this.#tell({ type: 'not-written', slot, error });
    } finally {
      this.#retiring.delete(slot);
    }
  }

  async #lookAgainAndAgain(): Promise<void> {
    const { clock, timing } = this.#options;
    const { share, leastMs, mostMs } = LOOK_EVERY;
    const everyMs = Math.min(mostMs, Math.max(leastMs, share * timing.idleMs));
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await clock.sleep(everyMs, signal);
      } catch {
        return;
      }
      try {
        await inTurns(this.tokens.values(), { size: LOOK_CHUNK, breathe: this.#breathe }, ({ slot }) => {
          if (slot.generations.length > 1) void this.#retireOlder(slot);
        });
        this.cache.sweep();
        await this.#unused.look();
      } catch (error) {
        this.#tell({ type: 'bug', error });
      }
    }
  }
}

function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
