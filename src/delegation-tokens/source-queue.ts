import type { TokenSource } from './credentials.ts';
import { TokenServiceError } from './token-service.ts';

/** A quarter of the requests that the API port takes: three sources may hang, and callers of the others are answered. */
export const MAX_WAITING_PER_SOURCE = 1_500;

/** Who waits for which source. Whoever does holds a request of the server: one silent NameNode must not hold them all. */
export class SourceQueue {
  readonly #most: number;
  readonly #onRefused: () => void;
  /** By source; those come from the configuration, so they are few. */
  readonly #waiting = new Map<string, number>();

  constructor(most: number, onRefused: () => void = () => {}) {
    this.#most = most;
    this.#onRefused = onRefused;
  }

  /** The same call; rejects with TokenServiceError `overloaded`, at once, when as many wait for the source as may. */
  async run<T>({ cluster, kind, name }: TokenSource, call: () => Promise<T>): Promise<T> {
    const key = JSON.stringify([cluster, kind, name]);
    const waiting = this.#waiting.get(key) ?? 0;
    // check: source-waiting-limit
    if (waiting >= this.#most) {
      this.#onRefused();
      throw new TokenServiceError(
        'overloaded',
        `${waiting} requests wait for a ${kind} from ${name} of cluster ${cluster} already`,
      );
    }
    this.#waiting.set(key, waiting + 1);
    try {
      return await call();
    } finally {
      this.#waiting.set(key, (this.#waiting.get(key) ?? 1) - 1);
    }
  }
}
