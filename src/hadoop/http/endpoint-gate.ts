import { BoundedQueue, QueueFullError, QueueTimeoutError } from '../../concurrency/bounded-queue.ts';
import { Breaker, BreakerOpenError, type BreakerState, type Verdict } from '../../concurrency/breaker.ts';
import { TokenServiceError, type Urgency } from '../../delegation-tokens/token-service.ts';
import type { Clock } from '../../time/clock.ts';
import { CALLS_IN_FLIGHT_PER_NAME_NODE, CALLS_WAITING_PER_NAME_NODE } from '../call-limits.ts';
import type { HadoopHttpClient, HadoopHttpReply, HadoopHttpRequest } from './hadoop-http-client.ts';
import { refusalError, refusalOf } from './refusal-error.ts';

/** As long as a call itself may take; see `callLimits`. */
export const DEFAULT_QUEUE_TIMEOUT_MS = 20_000;

const OVERLOAD_FIX =
  'More is asked of the Hadoop daemon than it answers in time: check its load and its log, and how many pods start at once.';

/**
 * The priority is strict. A renewal that waits keeps a token alive that pods hold, while who waits for a new token waits.
 * Renewals can't starve issues for long: there is one for each live token in about half a renew interval, that is some 2 a
 * second for 100,000 tokens of a day, one at a time for each token, and what fails is tried again ever more rarely. Where a
 * daemon does not even answer those, an issue would only add a token that lapses too. Cancels come last: a token that
 * nobody holds ends by itself. Who waits too long in any lane is told `overloaded`.
 */
const LANES = { renewal: 0, issue: 1, cancel: 2 } as const satisfies Readonly<Record<Urgency, number>>;

export interface EndpointGateOptions {
  readonly http: HadoopHttpClient;
  /** `scheme://host:port`. */
  readonly origin: string;
  /** A cheap GET, harmless when repeated: any answer to it says that the daemon answers. */
  readonly harmless: Pick<HadoopHttpRequest, 'path' | 'query'>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** For the turn of a request to come, when as many are in flight as may. */
  readonly queueTimeoutMs?: number | undefined;
}

export type GateRequest = Omit<HadoopHttpRequest, 'origin'> & {
  /** Default `issue`. */
  readonly urgency?: Urgency | undefined;
};

export interface EndpointLoad {
  readonly running: number;
  readonly waiting: Readonly<Record<Urgency, number>>;
}

/**
 * What one Hadoop daemon is spared, and what our callers are.
 *
 * The daemon gets so many requests at once and no more; others wait for their turn, the most urgent first. One that can't
 * wait, or waited too long, was not sent: `overloaded`.
 *
 * While the daemon can't be reached (refused connections, time-outs, a 5xx of something before it) requests are not sent
 * at all, `unreachable` with a BreakerOpenError as cause, but for one now and then that finds out. Whatever the daemon
 * itself says, also a no, is an answer. A request that must not be done twice is not what finds out: a daemon that was
 * stopped reads it when it wakes, and does it for nobody. A harmless one goes before it.
 */
export class EndpointGate {
  readonly #http: HadoopHttpClient;
  readonly #origin: string;
  readonly #harmless: Pick<HadoopHttpRequest, 'path' | 'query'>;
  readonly #queueTimeoutMs: number;
  readonly #queue: BoundedQueue;
  readonly #breaker: Breaker;
  #lastFailure: TokenServiceError | undefined;

  constructor(options: EndpointGateOptions) {
    const { clock, random } = options;
    this.#http = options.http;
    this.#origin = options.origin;
    this.#harmless = options.harmless;
    this.#queueTimeoutMs = options.queueTimeoutMs ?? DEFAULT_QUEUE_TIMEOUT_MS;
    this.#queue = new BoundedQueue({
      clock,
      inFlight: CALLS_IN_FLIGHT_PER_NAME_NODE,
      waiting: CALLS_WAITING_PER_NAME_NODE,
      lanes: Object.keys(LANES).length,
    });
    this.#breaker = new Breaker({ clock, random });
  }

  get load(): EndpointLoad {
    const [renewal = 0, issue = 0, cancel = 0] = this.#queue.waitingByLane;
    return { running: this.#queue.running, waiting: { renewal, issue, cancel } };
  }

  get breaker(): BreakerState {
    return this.#breaker.state;
  }

  /** Throws TokenServiceError if a request would not be sent now as the daemon can't be reached. */
  check(operation: string): void {
    try {
      this.#breaker.check();
    } catch (error) {
      throw this.#notSent(operation, error);
    }
  }

  /** Rejects with TokenServiceError, or with the reason of the request's signal. */
  async send({ urgency = 'issue', ...request }: GateRequest): Promise<HadoopHttpReply> {
    const { operation, signal } = request;
    this.check(operation);
    try {
      return await this.#queue.run(() => this.#send({ ...request, origin: this.#origin }), {
        signal,
        maxWaitMs: this.#queueTimeoutMs,
        lane: LANES[urgency],
      });
    } catch (error) {
      throw this.#notSent(operation, error);
    }
  }

  async #send(request: HadoopHttpRequest): Promise<HadoopHttpReply> {
    const call = this.#breaker.begin();
    let verdict: Verdict = 'unknown';
    try {
      if (call.isProbe && request.isRepeatable === false) await this.#sendHarmless(request);
      const reply = await this.#http.send(request);
      const failure = failureBefore(reply, request);
      verdict = failure === undefined ? 'answered' : 'failed';
      if (failure !== undefined) this.#lastFailure = failure;
      return reply;
    } catch (error) {
      if (isOfConnection(error, request.signal)) {
        verdict = 'failed';
        this.#lastFailure = error;
      }
      throw error;
    } finally {
      call.end(verdict);
    }
  }

  async #sendHarmless({ origin, operation, signal }: HadoopHttpRequest): Promise<void> {
    const request = { method: 'GET', origin, ...this.#harmless, operation, signal } as const;
    const failure = failureBefore(await this.#http.send(request), request);
    if (failure !== undefined) throw failure;
  }

  /** In our words, if it is our queue or breaker that did not send it. */
  #notSent(operation: string, error: unknown): unknown {
    const endpoint = this.#origin;
    const what = `${operation} at ${endpoint} was not sent`;
    if (error instanceof QueueFullError || error instanceof QueueTimeoutError) {
      return new TokenServiceError('overloaded', `${what}: ${error.message}`, {
        endpoint,
        fix: OVERLOAD_FIX,
      });
    }
    if (!(error instanceof BreakerOpenError)) return error;
    const last = this.#lastFailure;
    const since = new Date(error.since).toISOString();
    return new TokenServiceError(
      'unreachable',
      `${what}: no answer since ${since}${last === undefined ? '' : `, the last time ${last.message}`}; ${error.message}`,
      { endpoint, ...(last?.fix === undefined ? {} : { fix: last.fix }), cause: error },
    );
  }
}

/** A 5xx in which Hadoop says nothing is of something before the daemon, or of one that is not there yet. */
function failureBefore(
  reply: HadoopHttpReply,
  { operation, origin }: HadoopHttpRequest,
): TokenServiceError | undefined {
  if (reply.status < 500) return undefined;
  const refusal = refusalOf(reply);
  if (refusal?.failure !== 'unreachable' || refusal.exception !== undefined) return undefined;
  return refusalError(operation, origin, refusal);
}

/** The call's own end, and not that of its caller. */
function isOfConnection(error: unknown, signal: AbortSignal | undefined): error is TokenServiceError {
  if (signal?.aborted === true && error === signal.reason) return false;
  return error instanceof TokenServiceError && error.failure === 'unreachable';
}
