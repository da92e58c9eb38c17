import { type Deadline, DeadlineHeap } from '../concurrency/deadline-heap.ts';
import type { Clock } from '../time/clock.ts';

/** A jump of the clock is noticed after this at the latest. */
const LONGEST_SLEEP_MS = 30_000;

export interface RenewerOptions<Item extends Deadline> {
  readonly clock: Pick<Clock, 'sleep'>;
  /** ms; never goes back. */
  readonly now: () => number;
  /** How many are under way at once. */
  readonly concurrency: number;
  /** Must settle, and should give the item its next time by `schedule`. What it rejects with goes to `onBug`. */
  readonly run: (item: Item) => Promise<void>;
  /** A rejection is a mistake of ours: the item is tried again after a while, never forgotten. */
  readonly onBug: (error: unknown, item: Item) => void;
}

/** After a mistake of ours. */
const RETRY_BUG_MS = 10_000;

/**
 * Does each item when it is due, the most overdue first, so many at once. An item that is being done is in no heap, so it
 * is not begun twice; one that was removed meanwhile is not scheduled again by it, if `run` looks.
 */
export class Renewer<Item extends Deadline> {
  readonly #options: RenewerOptions<Item>;
  readonly #heap = new DeadlineHeap<Item>();
  readonly #stopped = new AbortController();
  #running = 0;
  #wake: AbortController | undefined;
  #sleepingUntil = Number.POSITIVE_INFINITY;

  constructor(options: RenewerOptions<Item>) {
    this.#options = options;
  }

  /** Waiting, not those under way. */
  get size(): number {
    return this.#heap.size;
  }

  schedule(item: Item, dueAt: number): void {
    if (this.#stopped.signal.aborted) return;
    this.#heap.set(item, dueAt);
    if (dueAt < this.#sleepingUntil) this.#wake?.abort();
  }

  remove(item: Item): void {
    this.#heap.remove(item);
  }

  /** Begins, once. Resolves when it was stopped. */
  async start(): Promise<void> {
    const { clock, now, concurrency } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const at = now();
      const next = this.#heap.next;
      if (next !== undefined && next.dueAt <= at && this.#running < concurrency) {
        this.#heap.remove(next);
        void this.#run(next);
        continue;
      }
      // With all places taken, the end of one of them wakes us.
      const waitMs = this.#running >= concurrency ? LONGEST_SLEEP_MS : (next?.dueAt ?? Infinity) - at;
      const sleepMs = Math.min(LONGEST_SLEEP_MS, Math.max(1, Math.ceil(waitMs)));
      this.#sleepingUntil = at + sleepMs;
      this.#wake = new AbortController();
      await clock.sleep(sleepMs, this.#wake.signal).catch(() => undefined);
      this.#wake = undefined;
      this.#sleepingUntil = Number.POSITIVE_INFINITY;
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#wake?.abort();
  }

  async #run(item: Item): Promise<void> {
    this.#running += 1;
    try {
      await this.#options.run(item);
    } catch (error) {
      this.schedule(item, this.#options.now() + RETRY_BUG_MS);
      this.#options.onBug(error, item);
    } finally {
      this.#running -= 1;
      this.#wake?.abort();
    }
  }
}
