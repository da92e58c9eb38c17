import type { Clock } from '../time/clock.ts';
import { LinkedQueue } from './linked-queue.ts';

/** As many wait as may: nothing was begun. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

/** Its turn did not come in time: nothing was begun. */
export class QueueTimeoutError extends Error {
  override readonly name = 'QueueTimeoutError';
}

export interface BoundedQueueOptions {
  readonly clock: Clock;
  /** How many run at once at most; at least 1. */
  readonly inFlight: number;
  /** How many more wait at most. */
  readonly waiting: number;
}

export interface QueueRunOptions {
  /** Takes the caller out of the queue. Once the work has begun, the signal is the work's own business. */
  readonly signal?: AbortSignal | undefined;
  /** For the turn to come, not for the work. Default: any time. */
  readonly maxWaitMs?: number;
}

/**
 * What some other server is spared: so many calls at once at most, so many more that wait, first come, first served.
 */
export class BoundedQueue {
  readonly #clock: Clock;
  readonly #maxRunning: number;
  readonly #maxWaiting: number;
  /** Each takes one out of the queue and gives it a place. */
  readonly #turns = new LinkedQueue<() => void>();
  #running = 0;

  constructor(options: BoundedQueueOptions) {
    this.#clock = options.clock;
    this.#maxRunning = options.inFlight;
    this.#maxWaiting = options.waiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#turns.size;
  }

  /**
   * What `work` gives, once its turn has come; its place is free again when it has settled. Rejects with what the work
   * rejects with, or, when it was not begun, with QueueFullError (at once), QueueTimeoutError, or the reason of the
   * caller's signal.
   */
  async run<T>(work: () => Promise<T>, options: QueueRunOptions = {}): Promise<T> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#running < this.#maxRunning) this.#running += 1;
    else await this.#turn(options);
    try {
      // It may have been aborted since the turn came.
      signal?.throwIfAborted();
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Resolves with a place that is counted. */
  async #turn({ signal, maxWaitMs }: QueueRunOptions): Promise<void> {
    if (this.#turns.size >= this.#maxWaiting) {
      throw new QueueFullError(`${this.#running} calls run and ${this.#turns.size} wait`);
    }
    await new Promise<void>((resolve, reject) => {
      const stopTimer = new AbortController();
      const stopWaiting = (): void => {
        this.#turns.remove(link);
        signal?.removeEventListener('abort', onAbort);
        stopTimer.abort();
      };
      const onAbort = (): void => {
        stopWaiting();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is the caller's own
        reject(signal?.reason);
      };
      const link = this.#turns.append(() => {
        stopWaiting();
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (maxWaitMs === undefined) return;
      const onTimeout = (): void => {
        if (stopTimer.signal.aborted) return;
        stopWaiting();
        reject(new QueueTimeoutError(`no turn within ${maxWaitMs} ms`));
      };
      this.#clock.sleep(maxWaitMs, stopTimer.signal).then(onTimeout, () => {});
    });
  }

  /** Hands the place on, or gives it back. */
  #leave(): void {
    const next = this.#turns.first;
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
