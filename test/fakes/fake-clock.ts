import type { Clock } from '../../src/time/clock.ts';

interface Sleeper {
  at: number;
  readonly wake: () => void;
}

/** Lets everything that is ready to run, run: promise reactions and what they start in turn. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
};

/** Time that stands still until a test moves it. Keeps the contract of `Clock`, an aborted sleep included. */
export class FakeClock implements Clock {
  #now: number;
  /** How far the clock was set by hand, which no `uptime` shows. */
  #setBy = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(startsAt = Date.parse('2026-01-01T00:00:00Z')) {
    this.#now = startsAt;
  }

  now(): number {
    return this.#now;
  }

  uptime(): number {
    return this.#now - this.#setBy;
  }

  /** Sets the clock, as an operator or NTP may: sleeps last as long as before. */
  set(now: number): void {
    const byMs = now - this.#now;
    this.#now = now;
    this.#setBy += byMs;
    for (const sleeper of this.#sleepers) sleeper.at += byMs;
  }

  /** How many sleeps have neither ended nor been aborted: a forgotten timer shows here. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is the caller's own, as in the real clock
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        at: this.#now + Math.max(0, ms),
        wake: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Moves on by `ms`, waking sleepers in the order of their times; what they do next runs before the following one. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (;;) {
      let next: Sleeper | undefined;
      for (const sleeper of this.#sleepers) {
        if (sleeper.at <= until && (next === undefined || sleeper.at < next.at)) {
          next = sleeper;
        }
      }
      if (next === undefined) {
        break;
      }
      this.#sleepers.delete(next);
      this.#now = next.at;
      next.wake();
      await settle();
    }
    this.#now = until;
  }
}
