import type { AuditDecision } from '../observability/audit-record.ts';
import type { WriteAudit } from '../observability/audit-stream.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Clock } from '../time/clock.ts';
import {
  expectationFailed,
  headersTooLarge,
  invalidRequest,
  methodNotAllowed,
  type Problem,
  requestTimeout,
} from './problem.ts';

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
  | 'connect'
  | 'tls-handshake';

/** What the audit says of each; without a status where the connection is closed and nobody gets an answer. */
const DECISIONS: Readonly<
  Record<
    RefusalReason,
    { readonly decision: AuditDecision; readonly status?: number; readonly code?: string }
  >
> = {
  'too-many-connections': { decision: 'limited' },
  'too-many-requests': { decision: 'limited', status: 503, code: 'overloaded' },
  'too-many-on-connection': { decision: 'limited', status: 503, code: 'overloaded' },
  'connection-cut': { decision: 'limited' },
  'too-many-authentications': { decision: 'limited', status: 503, code: 'overloaded' },
  malformed: malformed(invalidRequest('')),
  'headers-too-large': malformed(headersTooLarge),
  'too-slow': malformed(requestTimeout),
  expectation: malformed(expectationFailed),
  connect: malformed(methodNotAllowed('')),
  'tls-handshake': { decision: 'malformed' },
};

/** One line for each reason in this time, however many requests there are. */
export const SUMMARY_INTERVAL_MS = 60_000;

export interface RefusalsOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Tried once for each line: who is turned away unread gets nothing that a missing line could hide. */
  readonly writeAudit?: WriteAudit;
}

/**
 * Counts what is turned away, and logs and audits it in summary: a line for each request would make a flood of requests
 * a flood of the log, which costs more than the requests. The first of a reason is logged at once, what follows once a minute.
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

  /** Logs and audits at once what waits for the end of its interval: before the end of the process. */
  flush(): void {
    for (const [reason, requests] of this.#since) {
      this.#since.set(reason, 0);
      if (requests > 0) this.#log(reason, requests);
    }
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
    const { logger, writeAudit } = this.#options;
    logger.warn('Requests refused unread', { reason, requests });
    writeAudit?.({ ...DECISIONS[reason], reason, requests }).catch(() => undefined);
  }
}

function malformed({ status, code }: Problem) {
  return { decision: 'malformed', status, code } as const;
}
