import type { Clock } from '../time/clock.ts';
import { FairQueue } from './fair-queue.ts';

/** As many wait as may, and none of them has to make room; or another call has taken the place: nothing was begun. */
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
  /** How many more wait at most, in all lanes together. */
  readonly waiting: number;
  /** How many lanes there are for those that wait; at least 1, which is the default. */
  readonly lanes?: number;
}

export interface QueueRunOptions {
  /** Takes the caller out of the queue. Once the work has begun, the signal is the work's own business. */
  readonly signal?: AbortSignal | undefined;
  /** For the turn to come, not for the work. Default: any time. */
  readonly maxWaitMs?: number;
  /**
   * The same while the queue does not move: since a call was answered, whoever's. So a long line is waited out, but not a
   * server that hangs. Default: as long as `maxWaitMs`.
   */
  readonly maxQuietMs?: number;
  /** Where to wait: 0 is the most urgent lane, and the default. */
  readonly lane?: number;
  /** For whom: the parties in a lane take turns. Default: all that name none are one. */
  readonly party?: string;
}

interface Waiter {
  /** Gives a place to the caller, who was taken out of the queue. */
  readonly begin: () => void;
  /** Takes the caller out of the queue. */
  readonly refuse: (reason: QueueFullError) => void;
}

/** For who waits no more: see `withDeadline`. */
const OVER = new Error('over');

/**
 * What some other server is spared: so many calls at once at most, so many more that wait. A place that becomes free goes
 * to the most urgent lane in which somebody waits, and there to the party whose turn it is, and to who came first of it.
 *
 * When as many wait as may, it is the least urgent that has to go: who comes then takes the place of the youngest in the
 * last lane, of the party that has most there, if that lane is less urgent than its own. In its own lane it takes the place
 * of somebody whose party has more than its own will have; else it is refused. So no flood in one lane keeps a call of a
 * more urgent one out, and no party's flood that of another.
 *
 * The priority is strict, and a lane can be starved by those before it: what goes into them must be bounded by something
 * else than this queue. Nobody starves unseen, since a caller that waits too long is told so.
 */
export class BoundedQueue {
  readonly #clock: Clock;
  readonly #maxRunning: number;
  readonly #maxWaiting: number;
  /** The most urgent first. */
  readonly #lanes: readonly FairQueue<Waiter>[];
  #running = 0;
  /** When a call was last answered, by the steady clock. One that failed says nothing about those that wait. */
  #answeredAt = -Infinity;

  constructor(options: BoundedQueueOptions) {
    this.#clock = options.clock;
    this.#maxRunning = options.inFlight;
    this.#maxWaiting = options.waiting;
    this.#lanes = Array.from({ length: options.lanes ?? 1 }, () => new FairQueue<Waiter>());
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#lanes.reduce((total, { size }) => total + size, 0);
  }

  /** Of each lane, the most urgent first. */
  get waitingByLane(): readonly number[] {
    return this.#lanes.map(({ size }) => size);
  }

  /**
   * What `work` gives, once its turn has come; its place is free again when it has settled. Rejects with what the work
   * rejects with, or, when it was not begun, with QueueFullError (at once, or when somebody more urgent or of fewer
   * comes to a full queue), QueueTimeoutError, or the reason of the caller's signal.
   */
  async run<T>(work: () => Promise<T>, options: QueueRunOptions = {}): Promise<T> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#running < this.#maxRunning) this.#running += 1;
    else await this.#turn(options);
    try {
      // It may have been aborted since the turn came.
      signal?.throwIfAborted();
      const result = await work();
      this.#answeredAt = this.#clock.uptime();
      return result;
    } finally {
      this.#leave();
    }
  }

  /** Resolves with a place that is counted. */
  async #turn({
    signal,
    maxWaitMs = Infinity,
    maxQuietMs = maxWaitMs,
    lane = 0,
    party = '',
  }: QueueRunOptions): Promise<void> {
    const queue = this.#lanes[lane];
    if (queue === undefined) throw new RangeError(`there is no lane ${lane}`);
    if (this.waiting >= this.#maxWaiting) this.#makeRoom(lane, party);
    await new Promise<void>((resolve, reject) => {
      const stopTimer = new AbortController();
      const forget = (): void => {
        signal?.removeEventListener('abort', onAbort);
        stopTimer.abort(OVER);
      };
      const stopWaiting = (): void => {
        queue.remove(ticket);
        forget();
      };
      const onAbort = (): void => {
        stopWaiting();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is the caller's own
        reject(signal?.reason);
      };
      const begin = (): void => {
        forget();
        resolve();
      };
      const refuse = (reason: QueueFullError): void => {
        stopWaiting();
        reject(reason);
      };
      const ticket = queue.append({ begin, refuse }, party);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (Math.min(maxWaitMs, maxQuietMs) === Infinity) return;
      const onTimeout = (why: string): void => {
        if (stopTimer.signal.aborted) return;
        stopWaiting();
        reject(new QueueTimeoutError(why));
      };
      this.#untilTooLong({ maxWaitMs, maxQuietMs }, stopTimer.signal).then(onTimeout, () => {});
    });
  }

  /** Resolves with what took too long; rejects when the signal is aborted. */
  async #untilTooLong(
    { maxWaitMs, maxQuietMs }: { readonly maxWaitMs: number; readonly maxQuietMs: number },
    signal: AbortSignal,
  ): Promise<string> {
    const cameAt = this.#clock.uptime();
    let leftMs = maxWaitMs;
    let quietLeftMs = maxQuietMs;
    for (;;) {
      const ms = Math.min(leftMs, quietLeftMs);
      await this.#clock.sleep(ms, signal);
      leftMs -= ms;
      if (leftMs <= 0) return `no turn within ${maxWaitMs} ms`;
      quietLeftMs = Math.max(cameAt, this.#answeredAt) + maxQuietMs - this.#clock.uptime();
      if (quietLeftMs <= 0) return `no turn, and no answer to anybody within ${maxQuietMs} ms`;
    }
  }

  /** Sends somebody away who is less urgent, or whose party has more; throws if there is nobody. */
  #makeRoom(lane: number, party: string): void {
    const full = `${this.#running} calls run and ${this.waiting} wait`;
    const lessUrgent = this.#lanes.slice(lane + 1).findLast(({ size }) => size > 0)?.last;
    if (lessUrgent !== undefined) {
      lessUrgent.refuse(new QueueFullError(`${full}, and a more urgent one came`));
      return;
    }
    const own = this.#lanes[lane];
    if (own?.last === undefined || own.most <= own.sizeOf(party) + 1) throw new QueueFullError(full);
    own.last.refuse(new QueueFullError(`${full}, most of them for the same`));
  }

  /** Hands the place on, or gives it back. */
  #leave(): void {
    const next = this.#lanes.find(({ size }) => size > 0)?.shift();
    if (next === undefined) this.#running -= 1;
    else next.begin();
  }
}
