import type { BreakerState } from '../../concurrency/breaker.ts';
import { withDeadline } from '../../concurrency/deadline.ts';
import { SingleFlight } from '../../concurrency/single-flight.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { Secret } from '../../observability/secret.ts';
import type { Clock } from '../../time/clock.ts';
import type { HadoopRefusal } from '../classify-hadoop-reply.ts';
import { SpnegoError } from '../spnego.ts';
import type { SpnegoInitiator } from '../spnego.ts';
import { EndpointGate, type EndpointLoad, type GateRequest } from './endpoint-gate.ts';
import { cookieHeader, readHadoopAuthCookie } from './hadoop-auth-cookie.ts';
import type { HadoopAuthCookie } from './hadoop-auth-cookie.ts';
import type { HadoopHttpClient, HadoopHttpReply } from './hadoop-http-client.ts';
import { refusalError, refusalOf } from './refusal-error.ts';

/** Longer than an initiator's own limit for one step (40 s), which has more to say; see `callLimits`. */
export const DEFAULT_NEGOTIATE_TIMEOUT_MS = 45_000;
/** A cookie is dropped this long before it expires, for clocks that differ and for the time a request travels. */
const COOKIE_MARGIN_MS = 60_000;
/** New tickets are asked for no more often, or a server with a stale keytab would make us a burden to the KDC. */
const DISCARD_TICKETS_INTERVAL_MS = 60_000;

const KDC_FIX =
  'Check the kdc entries of the realm in krb5.conf, and the route and the network policies between this pod and the KDC (port 88, TCP and UDP).';

/** One Hadoop daemon as SPNEGO sees it. */
export interface SpnegoEndpoint {
  /** `scheme://host:port`. */
  readonly origin: string;
  /** The host of the daemon's HTTP principal, `HTTP/<host>@REALM`. */
  readonly spnHost: string;
  /** A cheap GET, harmless when repeated, that the daemon's authentication filter covers and that answers with the cookie. */
  readonly login: { readonly path: string; readonly query?: Readonly<Record<string, string>> };
}

export interface SpnegoSessionOptions {
  readonly endpoint: SpnegoEndpoint;
  readonly http: HadoopHttpClient;
  readonly spnego: SpnegoInitiator;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly negotiateTimeoutMs?: number;
  /** For the turn of a request to come, when as many are in flight as may. */
  readonly queueTimeoutMs?: number;
  /** Makes the initiator get new tickets: called when the server can't read the ones it was shown. */
  readonly discardTickets?: (() => void) | undefined;
}

/** A request to the endpoint of the session, which adds the authentication. */
export type SessionRequest = GateRequest;

/**
 * Authenticated calls of one principal to one (scheme, host, port): SPNEGO about once in the life of a `hadoop.auth`
 * cookie, the cookie otherwise.
 *
 * The login is a request of its own, shared by all callers that find no cookie. It has no effect on the server, so it
 * may go on when its first caller has given up, and may be repeated; GETDELEGATIONTOKEN is neither. The Negotiate header
 * is sent at once, without waiting for a 401 to ask for it. A daemon that gives no cookie gets a Negotiate header, each
 * time a new one, with every request. The server's half of the mutual authentication is not checked: without TLS it
 * would not protect the reply, and with TLS the certificate has already named the server.
 *
 * Every request, logins included, goes through the gate of the endpoint (see EndpointGate), with cookie or Negotiate
 * header in hand, so that a slow KDC takes up no place. Whoever must know if the daemon answers at all, a readiness check,
 * asks through HadoopHttpClient, beside the gate.
 */
export class SpnegoSession {
  readonly #endpoint: SpnegoEndpoint;
  readonly #spnego: SpnegoInitiator;
  readonly #clock: Clock;
  readonly #negotiateTimeoutMs: number;
  readonly #gate: EndpointGate;
  readonly #logins = new SingleFlight<'login', HadoopAuthCookie | undefined>();
  readonly #discardTickets: (() => void) | undefined;
  #cookie: HadoopAuthCookie | undefined;
  #cookieGoodUntil = Number.POSITIVE_INFINITY;
  #givesNoCookie = false;
  #ticketsWaitedFor = 0;
  #ticketsDiscardedAt = Number.NEGATIVE_INFINITY;

  constructor(options: SpnegoSessionOptions) {
    this.#endpoint = options.endpoint;
    this.#spnego = options.spnego;
    this.#clock = options.clock;
    this.#negotiateTimeoutMs = options.negotiateTimeoutMs ?? DEFAULT_NEGOTIATE_TIMEOUT_MS;
    this.#gate = new EndpointGate({
      http: options.http,
      origin: options.endpoint.origin,
      harmless: options.endpoint.login,
      clock: options.clock,
      random: options.random,
      queueTimeoutMs: options.queueTimeoutMs,
    });
    this.#discardTickets = options.discardTickets;
  }

  get origin(): string {
    return this.#endpoint.origin;
  }

  /** Requests in flight, and those that wait for their turn. */
  get load(): EndpointLoad {
    return this.#gate.load;
  }

  /** Closed: the daemon answers, as far as we know. */
  get breaker(): BreakerState {
    return this.#gate.breaker;
  }

  /** A request can be sent without asking the KDC for anything. */
  get hasCookie(): boolean {
    return this.#validCookie() !== undefined;
  }

  /** What to say of a request that ended before the KDC had answered; undefined if it was not the KDC. */
  get ticketAwaited(): TokenServiceError | undefined {
    if (this.#ticketsWaitedFor === 0) return undefined;
    const error = new SpnegoError('kdc-unreachable', `no ticket for HTTP@${this.#endpoint.spnHost} yet`, {
      fix: KDC_FIX,
    });
    return spnegoFailure(error, this.#spnego.principal, this.origin);
  }

  /**
   * The server's reply, whatever its status, once it has accepted who we are. Rejects with TokenServiceError
   * `authentication` when it has not (also not after one new SPNEGO), `unreachable` when the server or the KDC
   * (`dependency` kerberos) could not be asked, or the server has not answered lately, `overloaded` when our queue before the server is full or too slow, or with the
   * reason of the request's signal.
   */
  async send(request: SessionRequest): Promise<HadoopHttpReply> {
    // Not even a ticket is worth its while.
    this.#gate.check(request.operation);
    let refused: HadoopRefusal | undefined;
    // Once more after a 401: the server may have restarted, and with it the secret that signs its cookies.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const cookie = this.#validCookie() ?? (await this.#login(request.signal));
      if (cookie === undefined) return await this.#sendNegotiated(request);
      const reply = await this.#sendWith(request, 'Cookie', cookieHeader(cookie));
      this.#learn(reply, cookie);
      refused = authenticationRefusal(reply);
      if (refused === undefined) return reply;
      // A 403 of the authentication layer to a cookie is not about the cookie: a new one would meet the same answer.
      if (reply.status !== 401) break;
      this.#drop(cookie);
    }
    throw this.#refused(request.operation, refused);
  }

  #validCookie(): HadoopAuthCookie | undefined {
    if (this.#clock.now() >= this.#cookieGoodUntil) this.#cookie = undefined;
    return this.#cookie;
  }

  async #login(signal: AbortSignal | undefined): Promise<HadoopAuthCookie | undefined> {
    if (this.#givesNoCookie) return undefined;
    return await this.#logins.run('login', () => this.#runLogin(), signal === undefined ? {} : { signal });
  }

  async #runLogin(): Promise<HadoopAuthCookie | undefined> {
    // A refusal that is not about authentication (the login request may be forbidden to us) is left to the real request.
    // As urgent as the most urgent that may come to wait for it.
    const reply = await this.#sendNegotiated({
      method: 'GET',
      operation: 'login',
      urgency: 'renewal',
      ...this.#endpoint.login,
    });
    const refusal = refusalOf(reply);
    if (this.#cookie !== undefined) return this.#validCookie();
    if (refusal?.failure === 'unreachable') throw refusalError('login', this.origin, refusal);
    this.#givesNoCookie = refusal === undefined;
    return undefined;
  }

  /** With a Negotiate header of its own; once more with another where that may help. */
  async #sendNegotiated(request: SessionRequest): Promise<HadoopHttpReply> {
    let refused: HadoopRefusal | undefined;
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const spnegoToken = await this.#negotiate(request.signal);
      const header = new Secret(`Negotiate ${spnegoToken.reveal()}`);
      const reply = await this.#sendWith(request, 'Authorization', header);
      this.#learn(reply, undefined);
      refused = authenticationRefusal(reply);
      if (refused === undefined) return reply;
      if (!this.#mayPassNow(refused)) break;
    }
    throw this.#refused(request.operation, refused);
  }

  #mayPassNow(refused: HadoopRefusal): boolean {
    if (refused.remedy !== 'new-tickets') return refused.remedy === 'new-spnego-token';
    const now = this.#clock.now();
    const age = now - this.#ticketsDiscardedAt;
    if (this.#discardTickets === undefined || (age >= 0 && age < DISCARD_TICKETS_INTERVAL_MS)) return false;
    this.#ticketsDiscardedAt = now;
    this.#discardTickets();
    return true;
  }

  async #sendWith(request: SessionRequest, header: string, value: Secret<string>): Promise<HadoopHttpReply> {
    return await this.#gate.send({ ...request, headers: { ...request.headers, [header]: value } });
  }

  async #negotiate(signal: AbortSignal | undefined): Promise<Secret<string>> {
    const onTimeout = (): SpnegoError =>
      new SpnegoError(
        'kdc-unreachable',
        `no ticket for HTTP@${this.#endpoint.spnHost} within ${this.#negotiateTimeoutMs} ms`,
        { fix: KDC_FIX },
      );
    this.#ticketsWaitedFor += 1;
    try {
      return await withDeadline(
        { clock: this.#clock, timeoutMs: this.#negotiateTimeoutMs, signal, onTimeout },
        (ended) => this.#spnego.negotiate(this.#endpoint.spnHost, { signal: ended }),
      );
    } catch (error) {
      signal?.throwIfAborted();
      throw spnegoFailure(error, this.#spnego.principal, this.origin);
    } finally {
      this.#ticketsWaitedFor -= 1;
    }
  }

  #learn(reply: HadoopHttpReply, sent: HadoopAuthCookie | undefined): void {
    const change = readHadoopAuthCookie(reply.setCookies);
    if (change?.change === 'set') {
      this.#keep(change.cookie);
    } else if (change?.change === 'cleared') {
      this.#drop(sent);
    }
  }

  #keep(cookie: HadoopAuthCookie): void {
    const now = this.#clock.now();
    const expiresAt = cookie.expiresAt ?? Number.POSITIVE_INFINITY;
    this.#cookie = cookie;
    this.#cookieGoodUntil = expiresAt - Math.min(COOKIE_MARGIN_MS, Math.max(0, expiresAt - now) / 10);
    this.#givesNoCookie = false;
  }

  /** Only the cookie that was refused: another request may have got a new one meanwhile. */
  #drop(cookie: HadoopAuthCookie | undefined): void {
    if (this.#cookie === cookie) this.#cookie = undefined;
  }

  #refused(operation: string, refusal: HadoopRefusal | undefined): TokenServiceError {
    if (refusal === undefined)
      return new TokenServiceError('authentication', `${operation} at ${this.origin} was refused`);
    return refusalError(operation, this.origin, refusal);
  }
}

function authenticationRefusal(reply: HadoopHttpReply): HadoopRefusal | undefined {
  const refusal = refusalOf(reply);
  return refusal?.failure === 'authentication' ? refusal : undefined;
}

/** Out of reach is "could not check"; anything about the keytab, the realm or the principals is ours to repair. */
function spnegoFailure(error: unknown, principal: string, endpoint: string): TokenServiceError {
  if (!(error instanceof SpnegoError)) {
    return new TokenServiceError('unreachable', `no ticket for ${principal}: the Kerberos client failed`, {
      endpoint,
      dependency: 'kerberos',
    });
  }
  const couldNotAsk = error.failure === 'kdc-unreachable' || error.failure === 'process';
  return new TokenServiceError(
    couldNotAsk ? 'unreachable' : 'authentication',
    couldNotAsk && error.failure === 'kdc-unreachable'
      ? `the KDC of ${principal} does not answer: ${error.message}`
      : `no ticket for ${principal}: ${error.message}`,
    {
      endpoint,
      dependency: 'kerberos',
      cause: error,
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    },
  );
}
