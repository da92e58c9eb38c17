/**
 * Concurrent calls for one key share one run of the work.
 *
 * The run belongs to nobody: it goes on when the caller that started it, or every caller, has given up, so one
 * impatient caller can't fail the others. Its own time-out is therefore the business of the function that is run.
 * Nothing is kept: the first call after a run has settled starts a new one.
 */
export class SingleFlight<Key, Value> {
  readonly #flights = new Map<Key, Promise<Value>>();

  /** Keys with a run under way. */
  get size(): number {
    return this.#flights.size;
  }

  /** There is a run under way for it. */
  has(key: Key): boolean {
    return this.#flights.has(key);
  }

  /**
   * Joins the run for `key`, or starts one. Rejects with what the run rejects with (the same error object for every
   * caller), or with the reason of the caller's own signal; a caller that comes already aborted starts nothing.
   */
  async run(
    key: Key,
    start: () => Promise<Value>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Value> {
    const { signal } = options;
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, start);
    return signal === undefined ? flight : await untilAborted(flight, signal);
  }

  #start(key: Key, start: () => Promise<Value>): Promise<Value> {
    const flight = (async () => await start())().finally(() => {
      this.#flights.delete(key);
    });
    this.#flights.set(key, flight);
    return flight;
  }
}

function untilAborted<Value>(flight: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is the caller's own
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // The run's first, synchronous steps may have aborted it: then no event comes any more.
    if (signal.aborted) onAbort();
    flight.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
