import { type Clock, systemClock } from '../../../src/time/clock.ts';

/** The time of the machine, and ahead of it by what it was made to leap: who sleeps through the leap wakes. */
export class LeapingClock implements Clock {
  #aheadMs = 0;
  readonly #sleepers = new Map<() => void, number>();

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  uptime(): number {
    return systemClock.uptime() + this.#aheadMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const wake = (): void => end(resolve);
      const onAbort = (): void => end(() => reject(signal?.reason));
      const timer = setTimeout(wake, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.set(wake, this.uptime() + ms);
    });
  }

  leap(ms: number): void {
    // Whole ms, as a clock has them.
    this.#aheadMs += Math.ceil(ms);
    const now = this.uptime();
    for (const [wake, until] of this.#sleepers) if (until <= now) wake();
  }
}
