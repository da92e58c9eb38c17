import { SpnegoError } from '../hadoop/spnego.ts';
import type { Clock } from '../time/clock.ts';

export interface StepQueueOptions {
  readonly clock: Clock;
  /** How many may wait, besides the one under way. */
  readonly limit: number;
  /** How long one waits for its turn. */
  readonly waitTimeoutMs: number;
  /** What one is told who waited too long: the task under way knows what holds it up. */
  readonly waitTimeoutError: () => SpnegoError;
}

interface Waiter {
  readonly begin: () => void;
  readonly reject: (reason: unknown) => void;
}

const closedError = (): SpnegoError =>
  new SpnegoError('process', 'the Kerberos process is closed: this server is shutting down');

/**
 * Runs one task at a time, in the order of asking. Whoever waits can leave at once (its signal), and leaves after
 * `waitTimeoutMs` in any case; a task that has begun goes on without its caller, whose turn is over when it ends.
 */
export class StepQueue {
  readonly #options: StepQueueOptions;
  readonly #waiting = new Set<Waiter>();
  readonly #idleListeners: (() => void)[] = [];
  #running: Waiter | undefined;
  #closed = false;

  constructor(options: StepQueueOptions) {
    this.#options = options;
  }

  /** Rejects with the signal's reason, with {@link SpnegoError}, or with what the task rejects with. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#closed) {
      throw closedError();
    }
    const { limit } = this.#options;
    if (this.#waiting.size >= limit) {
      throw new SpnegoError('process', `${limit} callers wait for a Kerberos step already`, {
        fix: 'See why steps are slow: a KDC that does not answer holds each of them up',
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waitEnds = new AbortController();
    const waiter: Waiter = {
      reject,
      begin: () => {
        waitEnds.abort();
        this.#running = waiter;
        task()
          .then(resolve, reject)
          .finally(() => {
            this.#running = undefined;
            this.#next();
          });
      },
    };
    const leave = (reason: unknown): void => {
      this.#waiting.delete(waiter);
      waitEnds.abort();
      reject(reason);
    };
    const onAbort = (): void => {
      leave(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(waiter);
    this.#next();
    if (this.#waiting.has(waiter)) {
      void this.#waitAtMost(waitEnds.signal, leave);
    }
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      waitEnds.abort();
    }
  }

  /** Turns everybody away, now and from now on; the task under way only loses its caller. */
  close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting) {
      reject(closedError());
    }
    this.#waiting.clear();
    this.#running?.reject(closedError());
  }

  /** Resolves when no task is under way. */
  async idle(): Promise<void> {
    if (this.#running !== undefined) {
      await new Promise<void>((resolve) => {
        this.#idleListeners.push(resolve);
      });
    }
  }

  #next(): void {
    if (this.#running !== undefined) {
      return;
    }
    const [next] = this.#waiting;
    if (next === undefined) {
      for (const listener of this.#idleListeners.splice(0)) {
        listener();
      }
      return;
    }
    this.#waiting.delete(next);
    next.begin();
  }

  async #waitAtMost(signal: AbortSignal, leave: (reason: SpnegoError) => void): Promise<void> {
    const { clock, waitTimeoutError, waitTimeoutMs } = this.#options;
    try {
      await clock.sleep(waitTimeoutMs, signal);
    } catch {
      return; // its turn came, or it left
    }
    leave(waitTimeoutError());
  }
}
