import { Backoff } from '../concurrency/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { describeMs } from './fetch-first.ts';
import { FETCH_EXIT, type Failure, type FetchSession, type Held, inBrackets } from './fetch-session.ts';
import type { RejectedMarker } from './rejected-marker.ts';
import type { StatusFile } from './status-file.ts';
import type { TokenFiles } from './token-files.ts';
import type { WatchStatus } from './watch-status.ts';

export interface WatchOptions {
  readonly session: Pick<FetchSession, 'try' | 'reject'>;
  readonly files: Pick<TokenFiles, 'areOurs'>;
  readonly statusFile: StatusFile;
  readonly marker: RejectedMarker;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly say: (line: string) => void;
  /** The only end. */
  readonly signal: AbortSignal;
}

/** Between two signs of life, and two looks at the files. */
const LOOK_EVERY_MS = 5000;
/** Applications can make us ask, by their marker or by changing the file: no more often than this. */
const ASKED_FOR_EVERY_MS = 30_000;
const WAITING_BACKOFF = { firstMs: 1000, capMs: 60_000 };
const REFUSED_BACKOFF = { firstMs: 1000, capMs: 300_000 };

const LEAST_REFRESH_MS = 1000;

/** Up to a tenth earlier than the server says, so that pods don't come back together; later could be too late. */
function refreshAfter({ refreshAfterMs }: Held['facts'], random: () => number): number {
  return Math.max(LEAST_REFRESH_MS, Math.round(refreshAfterMs * (0.9 + random() / 10)));
}

/** Of the first file, for {@link Watcher}. */
export function statusOfFirst({ facts }: Held, now: number, random: () => number): WatchStatus {
  return {
    state: 'ok',
    writtenAt: now,
    nextTryAt: now + refreshAfter(facts, random),
    validUntil: facts.validUntil,
    requestId: facts.requestId,
    etag: facts.etag,
    sequenceNumbers: facts.sequenceNumbers ?? [],
    reason: '',
  };
}

/** Of the file of an earlier watcher: asked for at once, as nobody knows what happened meanwhile. */
export function statusOfEarlier(earlier: WatchStatus, now: number): WatchStatus {
  return { ...earlier, state: 'waiting', nextTryAt: now, etag: '', reason: 'started again' };
}

/** Keeps the files fresh, and says how it stands, from the first file on. */
export class Watcher {
  readonly #options: WatchOptions;
  readonly #waiting: Backoff;
  readonly #refused: Backoff;
  #status: WatchStatus;
  /** No try is planned further ahead than it was when it was planned, even if the clock is set back. */
  #plannedMs = 0;
  /** What a server said in Retry-After: before that not even an application makes us ask. */
  #notBefore = 0;
  #isUrgent = false;
  #lastRejectedAt = Number.NEGATIVE_INFINITY;
  #lastChangedAt = Number.NEGATIVE_INFINITY;
  #trying: Promise<void> | undefined;
  #wake = new AbortController();
  #statusProblem = '';

  constructor(options: WatchOptions, status: WatchStatus) {
    const { clock, random } = options;
    this.#options = options;
    this.#waiting = new Backoff({ ...WAITING_BACKOFF, random });
    this.#refused = new Backoff({ ...REFUSED_BACKOFF, random });
    this.#status = status;
    this.#plannedMs = Math.max(0, status.nextTryAt - clock.now());
  }

  /** Resolves when the signal is aborted and nothing is under way any more. */
  async run(): Promise<void> {
    const { clock, signal } = this.#options;
    signal.addEventListener('abort', () => this.#wake.abort());
    await this.#writeStatus();
    while (!signal.aborted) {
      await this.#look();
      if (this.#trying === undefined && this.#isDue()) this.#trying = this.#tryOnce();
      const restMs = this.#trying === undefined ? this.#status.nextTryAt - clock.now() : LOOK_EVERY_MS;
      const sleepMs = Math.min(LOOK_EVERY_MS, Math.max(0, restMs));
      await clock.sleep(sleepMs, this.#wake.signal).catch(() => undefined);
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
    }
    await this.#trying;
  }

  #isDue(): boolean {
    const now = this.#options.clock.now();
    if (this.#status.nextTryAt - now > this.#plannedMs) {
      this.#status = { ...this.#status, nextTryAt: now + this.#plannedMs };
      this.#notBefore = Math.min(this.#notBefore, this.#status.nextTryAt);
    }
    return now >= this.#status.nextTryAt || (this.#isUrgent && now >= this.#notBefore);
  }

  /** What goes on also while a try takes its time. */
  async #look(): Promise<void> {
    const { clock, marker, session, statusFile } = this.#options;
    await statusFile.renew().catch(async () => await this.#writeStatus());
    const now = clock.now();
    // Of a clock that was set back nothing is known of the time between: that is taken for long enough.
    const isLongAgo = (then: number): boolean => Math.abs(now - then) >= ASKED_FOR_EVERY_MS;
    if (isLongAgo(this.#lastRejectedAt) && (await marker.take())) {
      session.reject(this.#status.sequenceNumbers);
      this.#lastRejectedAt = now;
      this.#isUrgent = true;
    }
    if (isLongAgo(this.#lastChangedAt) && (await this.#haveChanged())) {
      this.#lastChangedAt = now;
      this.#isUrgent = true;
    }
  }

  /** While a try is under way, or planned for a failure, that is the answer to a change too. */
  async #haveChanged(): Promise<boolean> {
    if (this.#trying !== undefined || this.#status.state !== 'ok') return false;
    return !(await this.#options.files.areOurs());
  }

  async #tryOnce(): Promise<void> {
    const { clock, say, session, signal } = this.#options;
    this.#isUrgent = false;
    const { held, failure } = await session.try(signal);
    if (held !== undefined) this.#noteHeld(held);
    // With a report that fails the waits grow on, also when the file is fine.
    if (held !== undefined && failure === undefined) this.#resetBackoffs();
    if (failure !== undefined && !signal.aborted) this.#noteFailure(failure);
    this.#plannedMs = this.#status.nextTryAt - clock.now();
    if (held !== undefined && held.tokensWritten > 0) {
      say(
        `${held.tokensWritten} delegation token(s) written${inBrackets(held.facts.requestId)}; next try in ${describeMs(this.#plannedMs)}`,
      );
    }
    if (held !== undefined || !signal.aborted) await this.#writeStatus();
    this.#trying = undefined;
    this.#wake.abort();
  }

  #noteHeld({ facts, tokensWritten }: Held): void {
    const { clock, random } = this.#options;
    const now = clock.now();
    this.#notBefore = 0;
    const before = this.#status;
    this.#status = {
      state: 'ok',
      writtenAt: tokensWritten > 0 ? now : before.writtenAt,
      nextTryAt: now + refreshAfter(facts, random),
      // Of tokens that are the same, an answer that doesn't say is no news.
      validUntil: tokensWritten > 0 ? facts.validUntil : (facts.validUntil ?? before.validUntil),
      requestId: facts.requestId,
      etag: facts.etag,
      sequenceNumbers: facts.sequenceNumbers ?? before.sequenceNumbers,
      reason: '',
    };
  }

  #resetBackoffs(): void {
    this.#waiting.reset();
    this.#refused.reset();
  }

  #noteFailure({ exitCode, reason, requestId, retryAfterMs, tryAtOnce }: Failure): void {
    const { clock, say } = this.#options;
    const state = exitCode === FETCH_EXIT.refused ? 'refused' : 'waiting';
    const backoff = state === 'refused' ? this.#refused : this.#waiting;
    const afterMs = tryAtOnce ? 0 : Math.max(backoff.next(), retryAfterMs);
    const now = clock.now();
    this.#notBefore = now + retryAfterMs;
    this.#status = { ...this.#status, state, nextTryAt: now + afterMs, requestId, reason };
    say(
      `${reason}${inBrackets(requestId)}; next try ${tryAtOnce ? 'at once, with another service-account token' : `in ${describeMs(afterMs)}`}`,
    );
  }

  /** A status that can't be written ends nothing; it is said once, and the probe tells the rest. */
  async #writeStatus(): Promise<void> {
    try {
      await this.#options.statusFile.write(this.#status);
      this.#statusProblem = '';
    } catch (error) {
      const problem = error instanceof Error ? error.message : 'unexpected';
      if (problem !== this.#statusProblem) this.#options.say(problem);
      this.#statusProblem = problem;
    }
  }
}
