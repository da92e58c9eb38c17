import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Clock } from '../time/clock.ts';

/** Why a request was turned away before anybody looked at who asks. */
export type RefusalReason =
  | 'too-many-connections'
  | 'too-many-requests'
  | 'too-many-on-connection'
  /** The rest of a flood on one connection, which is cut. */
  | 'connection-cut'
  | 'too-many-authentications'
  | 'malformed'
  | 'headers-too-large'
  | 'too-slow'
  | 'expectation'
  | 'connect';

/** One line for each reason in this time, however many requests there are. */
export const SUMMARY_INTERVAL_MS = 60_000;

export interface RefusalsOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * Counts what is turned away, and logs it in summary: a line for each request would make a flood of requests a flood
 * of the log, which costs more than the requests. The first of a reason is logged at once, what follows once a minute.
 */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #since = new Map<RefusalReason, number>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  note(reason: RefusalReason): void {
    this.#options.metrics.requestsRefused.inc({ reason });
    const before = this.#since.get(reason);
    this.#since.set(reason, before === undefined ? 0 : before + 1);
    if (before !== undefined) return;
    this.#log(reason, 1);
    void this.#summarise(reason);
  }

  /** Until an interval passes without any. */
  async #summarise(reason: RefusalReason): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(SUMMARY_INTERVAL_MS);
      const requests = this.#since.get(reason) ?? 0;
      if (requests === 0) break;
      this.#since.set(reason, 0);
      this.#log(reason, requests);
    }
    this.#since.delete(reason);
  }

  #log(reason: RefusalReason, requests: number): void {
    this.#options.logger.warn('Requests refused unread', { reason, requests });
  }
}
