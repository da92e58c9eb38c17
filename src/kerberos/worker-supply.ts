import type { Clock } from '../time/clock.ts';
import type { SpawnWorker } from './spawn-worker.ts';
import type { SpnegoProcessEvent } from './spnego-process-event.ts';
import { SpnegoWorker } from './spnego-worker.ts';
import type { MakeTickets, Tickets } from './tickets.ts';

export interface WorkerSupplyOptions {
  readonly clock: Clock;
  readonly spawnWorker: SpawnWorker;
  readonly makeTickets: MakeTickets;
  readonly environment: (cacheName: string) => Record<string, string>;
  readonly onEvent: (event: SpnegoProcessEvent) => void;
}

const FIRST_RESPAWN_DELAY_MS = 250;
const MAX_RESPAWN_DELAY_MS = 10_000;
/** How long the end of a killed worker is waited for before its directory is removed anyway. */
const KILL_TIMEOUT_MS = 2000;

/** No wait after the first crash, since that is an accident; then twice as long each time. */
export const respawnDelayMs = (crashesInARow: number): number =>
  crashesInARow < 2 ? 0 : Math.min(MAX_RESPAWN_DELAY_MS, FIRST_RESPAWN_DELAY_MS * 2 ** (crashesInARow - 2));

/**
 * Holds the one worker process and its credential cache, and makes new ones when they are asked for. The cache
 * outlives a worker that was killed for being slow (its ticket-granting ticket is what the next one continues with),
 * but not one that crashed.
 */
export class WorkerSupply {
  readonly #options: WorkerSupplyOptions;
  #worker: SpnegoWorker | undefined;
  #tickets: Tickets | undefined;
  #crashesInARow = 0;
  #crashedAt = 0;
  #ticketsAreSuspect = false;
  readonly #removals = new Set<Promise<void>>();

  constructor(options: WorkerSupplyOptions) {
    this.#options = options;
  }

  /** Whether the next worker goes on with the tickets of this one, or of the last one. */
  get keepsTickets(): boolean {
    return this.#tickets !== undefined && !this.#ticketsAreSuspect && this.#worker?.usable !== false;
  }

  /**
   * The worker, or a new one. When the signal is aborted meanwhile it leaves everything to the next caller. Rejects
   * with the signal's reason or with what `makeTickets` rejects with.
   */
  async get(signal: AbortSignal): Promise<{ readonly worker: SpnegoWorker; readonly isNew: boolean }> {
    if (this.#worker?.usable === false) {
      this.#crashed(this.#worker);
    }
    if (this.#worker !== undefined) {
      return { worker: this.#worker, isNew: false };
    }
    const { clock, environment, makeTickets, spawnWorker, onEvent } = this.#options;
    const delayMs = this.#crashedAt + respawnDelayMs(this.#crashesInARow) - clock.now();
    if (this.#crashesInARow > 0 && delayMs > 0) {
      await clock.sleep(delayMs, signal);
    }
    if (this.#ticketsAreSuspect) {
      await this.#removeTickets();
      signal.throwIfAborted();
    }
    const tickets = this.#tickets ?? (await makeTickets());
    if (signal.aborted) {
      await (tickets === this.#tickets ? undefined : this.#remove(tickets));
      signal.throwIfAborted();
    }
    this.#tickets = tickets;
    const worker = new SpnegoWorker(spawnWorker, environment(tickets.cacheName));
    this.#worker = worker;
    onEvent({ type: 'worker-started', pid: worker.pid });
    void this.#follow(worker);
    return { worker, isNew: true };
  }

  /** The worker answered, so the crashes before were not the start of a row. */
  answered(): void {
    this.#crashesInARow = 0;
  }

  /** Ends the worker; the next one goes on with the same tickets. */
  kill(reason: string): SpnegoWorker | undefined {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.kill(reason);
    return worker;
  }

  /** Ends the worker and removes its tickets. Both are out of reach at once: who comes meanwhile gets new ones. */
  async discard(reason: string): Promise<void> {
    const worker = this.kill(reason);
    await this.#removeTickets(worker);
  }

  async close(): Promise<void> {
    await this.discard('it is closed');
    await Promise.all(this.#removals);
  }

  async #follow(worker: SpnegoWorker): Promise<void> {
    const reason = await worker.ended;
    this.#options.onEvent({ type: 'worker-ended', pid: worker.pid, reason });
    this.#crashed(worker);
  }

  #crashed(worker: SpnegoWorker): void {
    if (this.#worker !== worker) {
      return; // ended by us, or counted already
    }
    this.#worker = undefined;
    this.#crashesInARow += 1;
    this.#crashedAt = this.#options.clock.now();
    this.#ticketsAreSuspect = true;
  }

  /** Not before the worker has ended, which could still write into the directory while that is being removed. */
  async #removeTickets(worker?: SpnegoWorker): Promise<void> {
    const tickets = this.#tickets;
    this.#tickets = undefined;
    this.#ticketsAreSuspect = false;
    const removal = (async () => {
      if (worker !== undefined) {
        const waited = new AbortController();
        const timeout = this.#options.clock.sleep(KILL_TIMEOUT_MS, waited.signal).catch(() => {});
        await Promise.race([worker.ended, timeout]);
        waited.abort();
      }
      if (tickets !== undefined) {
        await this.#remove(tickets);
      }
    })();
    this.#removals.add(removal);
    await removal;
    this.#removals.delete(removal);
  }

  async #remove(tickets: Tickets): Promise<void> {
    try {
      await tickets.remove();
    } catch {
      this.#options.onEvent({ type: 'tickets-not-removed' });
    }
  }
}
