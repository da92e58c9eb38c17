import type { Clock } from '../../time/clock.ts';
import type { SpnegoInitiator } from '../spnego.ts';
import type { HadoopHttpClient } from './hadoop-http-client.ts';
import { SpnegoSession } from './spnego-session.ts';
import type { SpnegoEndpoint } from './spnego-session.ts';

export interface SpnegoSessionsOptions {
  readonly http: HadoopHttpClient;
  readonly spnego: SpnegoInitiator;
  readonly clock: Clock;
  readonly negotiateTimeoutMs?: number;
  readonly queueTimeoutMs?: number;
  readonly discardTickets?: () => void;
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

  /** How busy each daemon is with our requests. */
  get loads(): readonly { readonly origin: string; readonly running: number; readonly waiting: number }[] {
    return [...this.#sessions].map(([origin, { load }]) => ({ origin, ...load }));
  }
}
