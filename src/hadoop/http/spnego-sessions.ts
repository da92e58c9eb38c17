import type { BreakerState } from '../../concurrency/breaker.ts';
import type { Clock } from '../../time/clock.ts';
import type { SpnegoInitiator } from '../spnego.ts';
import type { EndpointLoad } from './endpoint-gate.ts';
import type { HadoopHttpClient } from './hadoop-http-client.ts';
import { SpnegoSession } from './spnego-session.ts';
import type { SpnegoEndpoint } from './spnego-session.ts';

export interface SpnegoSessionsOptions {
  readonly http: HadoopHttpClient;
  readonly spnego: SpnegoInitiator;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly negotiateTimeoutMs?: number;
  readonly queueTimeoutMs?: number;
  readonly discardTickets?: () => void;
}

export interface DaemonLoad extends EndpointLoad {
  readonly origin: string;
  readonly breaker: BreakerState;
}

/**
 * The sessions of one principal, one for each (scheme, host, port), so that all token services which speak to one
 * daemon share its cookie, and the limit for how many requests are in flight to it.
 */
export class SpnegoSessions {
  readonly #options: SpnegoSessionsOptions;
  readonly #sessions = new Map<string, SpnegoSession>();

  constructor(options: SpnegoSessionsOptions) {
    this.#options = options;
  }

  /** The session of that address; host and login of the first call for it stay. */
  at(endpoint: SpnegoEndpoint): SpnegoSession {
    const origin = URL.parse(endpoint.origin)?.origin ?? endpoint.origin;
    const known = this.#sessions.get(origin);
    if (known !== undefined) return known;
    const session = new SpnegoSession({ ...this.#options, endpoint: { ...endpoint, origin } });
    this.#sessions.set(origin, session);
    return session;
  }

  /** How busy each daemon is with our requests, and if it answers. */
  get loads(): readonly DaemonLoad[] {
    return [...this.#sessions].map(([origin, { load, breaker }]) => ({ origin, breaker, ...load }));
  }
}
