import type { Clock } from '../time/clock.ts';

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The caller's own; its reason is what the call then rejects with. */
  readonly signal?: AbortSignal | undefined;
  /** Makes the error for a time-out. */
  readonly onTimeout: () => Error;
}

/** For who waits no more: an error of its own each time, with a stack, would cost more than the timer. */
const OVER = new Error('over');

/**
 * Runs `work` with a signal that is aborted after `timeoutMs` or with the caller's. Rejects at that moment even when
 * `work` takes no notice of its signal, so a library that hangs can't make its caller hang.
 */
export async function withDeadline<T>(
  options: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, timeoutMs, signal, onTimeout } = options;
  signal?.throwIfAborted();
  const ended = new AbortController();
  const stopTimer = new AbortController();
  const { promise: abandoned, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    // Before the work can report its own abortion.
    reject(reason);
    ended.abort(reason);
  };
  const onAbort = (): void => {
    end(signal?.reason);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = (async () => {
    try {
      await clock.sleep(timeoutMs, stopTimer.signal);
    } catch {
      return;
    }
    end(onTimeout());
  })();
  try {
    return await Promise.race([work(ended.signal), abandoned]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stopTimer.abort(OVER);
    await timer;
  }
}
