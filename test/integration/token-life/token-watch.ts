import { setTimeout as delay } from 'node:timers/promises';
import type { IssuedToken } from '../../stack/stack.ts';

export interface TokenWatchOptions {
  /** The NameNode's own list of those that have not reached their maxDate. */
  readonly list: () => Promise<readonly IssuedToken[]>;
  /** The tokens that somebody holds, by number. */
  readonly held: () => ReadonlySet<number>;
}

/** Looks every second at the NameNode's list of tokens, for one that is held and was cancelled, or has lapsed. */
export class TokenWatch implements AsyncDisposable {
  readonly lapsed = new Set<number>();
  readonly cancelled = new Set<number>();
  looks = 0;
  readonly #options: TokenWatchOptions;
  readonly #seen = new Map<number, IssuedToken>();
  readonly #ended = new AbortController();
  readonly #watching: Promise<void>;
  #paused: Promise<void> = Promise.resolve();

  constructor(options: TokenWatchOptions) {
    this.#options = options;
    this.#watching = this.#watch();
  }

  /** While the NameNode is away it can't be asked; the returned function ends that. */
  async pause(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#paused = promise;
    const before = this.looks;
    // None is under way when the NameNode goes.
    while (this.looks === before && !this.#waits) await delay(20);
    return resolve;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#watching;
  }

  #waits = false;

  async #watch(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      this.#waits = true;
      await this.#paused;
      this.#waits = false;
      await this.#look();
      this.looks += 1;
      await delay(1_000, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const held = this.#options.held();
    const listed = await this.#options.list();
    const now = Date.now();
    for (const token of listed) {
      this.#seen.set(token.sequenceNumber, token);
      if (held.has(token.sequenceNumber) && token.renewDate <= now && token.maxDate > now) {
        this.lapsed.add(token.sequenceNumber);
      }
    }
    const numbers = new Set(listed.map(({ sequenceNumber }) => sequenceNumber));
    for (const { sequenceNumber, maxDate } of this.#seen.values()) {
      // Some way from its end: the list was made a moment ago.
      if (!numbers.has(sequenceNumber) && maxDate > now + 1_000) this.cancelled.add(sequenceNumber);
    }
  }
}
