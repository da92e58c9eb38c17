import type { Clock } from './clock.ts';

export interface WatchdogOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

interface Watched {
  readonly until: number;
  readonly onLate: () => void;
  isLate: boolean;
}

/**
 * Watches over one piece of work after the other with one timer, which outlasts the last by the time-out at most. A timer
 * for each would cost more than a short piece of work does.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #stopped = new AbortController();
  #current: Watched | undefined;
  #isWatching = false;

  constructor({ clock, timeoutMs }: WatchdogOptions) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** @param onLate called once if the work has not ended in time; must not throw */
  begin(onLate: () => void): void {
    this.#current = { until: this.#clock.uptime() + this.#timeoutMs, onLate, isLate: false };
    if (!this.#isWatching) void this.#watch();
  }

  end(): void {
    this.#current = undefined;
  }

  /** Nothing is late any more. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Until there is nothing to wait for, or what there is has been told that it is late. */
  async #watch(): Promise<void> {
    this.#isWatching = true;
    for (let watched = this.#current; watched?.isLate === false; watched = this.#current) {
      const left = watched.until - this.#clock.uptime();
      if (left > 0) {
        await this.#clock.sleep(left, this.#stopped.signal).catch(() => undefined);
        if (this.#stopped.signal.aborted) break;
      } else {
        watched.isLate = true;
        watched.onLate();
      }
    }
    this.#isWatching = false;
  }
}
