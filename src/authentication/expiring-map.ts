import { type Link, LinkedQueue } from '../concurrency/linked-queue.ts';
import type { Clock } from '../time/clock.ts';

export interface ExpiringMapOptions<Key, Value> {
  readonly clock: Clock;
  readonly maxEntries: number;
  /** The entry has left, for whatever reason. */
  readonly onLeave?: (key: Key, value: Value) => void;
}

/** For the timer that is not needed any more: see `withDeadline`. */
const OVER = new Error('over');

interface Entry<Key, Value> {
  readonly value: Value;
  readonly since: number;
  readonly until: number;
  readonly link: Link<Key>;
  readonly stopTimer: AbortController;
}

/**
 * So many entries at most, each for a time of its own; when there are too many, the oldest leaves.
 *
 * That time is measured twice. By a timer, because the clock may be set back while nobody looks, and an entry must not
 * live on for that; and by the clock, because timers stand still while the machine sleeps.
 */
export class ExpiringMap<Key, Value> {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #onLeave: (key: Key, value: Value) => void;
  readonly #entries = new Map<Key, Entry<Key, Value>>();
  /** In order of age. */
  readonly #keys = new LinkedQueue<Key>();

  constructor(options: ExpiringMapOptions<Key, Value>) {
    this.#clock = options.clock;
    this.#maxEntries = options.maxEntries;
    this.#onLeave = options.onLeave ?? (() => {});
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const now = this.#clock.now();
    if (now >= entry.since && now < entry.until) return entry.value;
    this.delete(key);
    return undefined;
  }

  /** In place of what was there. A lifetime that is over already keeps nothing. */
  set(key: Key, value: Value, lifetimeMs: number): void {
    this.delete(key);
    if (!(lifetimeMs > 0)) return;
    const since = this.#clock.now();
    const stopTimer = new AbortController();
    const link = this.#keys.append(key);
    this.#entries.set(key, { value, since, until: since + lifetimeMs, link, stopTimer });
    const onTimeout = (): void => {
      if (!stopTimer.signal.aborted) this.delete(key);
    };
    this.#clock.sleep(lifetimeMs, stopTimer.signal).then(onTimeout, () => {});
    if (this.#entries.size <= this.#maxEntries) return;
    const oldest = this.#keys.first;
    if (oldest !== undefined) this.delete(oldest);
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#keys.remove(entry.link);
    entry.stopTimer.abort(OVER);
    this.#onLeave(key, entry.value);
  }
}
