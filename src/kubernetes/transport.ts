import http from 'node:http';
import https from 'node:https';
import {
  type HttpLibrary,
  type KubeConfig,
  type RequestContext,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
import { type Clock, systemClock } from '../time/clock.ts';
import {
  bodyOf,
  connectionError,
  exchange,
  exchangeOnce,
  headOf,
  jsonRequest,
  openStream,
  type Reply,
  requestWithBody,
  type StreamedReply,
  toResponseContext,
} from './exchange.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { OwnCredentialsReader } from './own-credentials.ts';

/** Idle connections are closed after this; the API server itself keeps them for minutes. */
const IDLE_TIMEOUT_MS = 60_000;
/** A burst waits for a connection rather than opening hundreds; the waiting counts for the time-out. */
const MAX_CONNECTIONS = 32;
const AGENT = { keepAlive: true, timeout: IDLE_TIMEOUT_MS, maxSockets: MAX_CONNECTIONS };

export interface TransportOptions {
  readonly kubeConfig: KubeConfig;
  /** Of one request, from asking for our own credentials to the last byte of the reply. */
  readonly timeoutMs: number;
  readonly clock?: Pick<Clock, 'uptime'>;
}

export interface GetOptions {
  readonly signal: AbortSignal | undefined;
  /** Default: that of the transport. */
  readonly timeoutMs?: number;
  /** Default `application/json`. */
  readonly accept?: string;
}

export interface AskOptions {
  readonly url: string;
  /** JSON. */
  readonly body: string;
  readonly signal: AbortSignal | undefined;
}

export interface StreamOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface SendOptions extends AskOptions {
  readonly method: 'POST' | 'PUT' | 'DELETE';
}

/** Sends to the URL, which was read for it. */
type Run<T> = (url: URL, options: https.RequestOptions) => Promise<T>;

/**
 * Carries the requests of client-node's generated API classes. In the place of client-node's own, which (2.0.1) makes a
 * new undici Agent for every request, hence a TLS handshake for each, and follows redirects with a TokenReview in hand.
 * Here connections are kept, redirects are not followed, replies are bounded, and the time-out ends the request itself.
 */
export class Transport {
  readonly #credentials: OwnCredentialsReader;
  readonly #timeoutMs: number;
  // One for all: it keeps connections apart by their CA and our certificate, so a changed file makes new ones.
  readonly #httpsAgent = new https.Agent(AGENT);
  readonly #httpAgent = new http.Agent(AGENT);
  // A stream has a new connection: one that is kept may be dead without a word, and a stream may be silent for long.
  readonly #httpsStreamAgent = new https.Agent();
  readonly #httpStreamAgent = new http.Agent();
  #lastDate: number | undefined;

  constructor(options: TransportOptions) {
    this.#credentials = new OwnCredentialsReader(options.kubeConfig, options.clock ?? systemClock);
    this.#timeoutMs = options.timeoutMs;
  }

  /** The `date` of the last reply to a call (not to `get` or `stream`); undefined: it had none, or there was no reply. */
  get lastDate(): number | undefined {
    return this.#lastDate;
  }

  /** For one call: aborting `signal` ends it, with the signal's reason. Otherwise rejects with KubernetesApiError. */
  withSignal(signal: AbortSignal | undefined): HttpLibrary {
    return wrapHttpLibrary({
      send: async (request) => {
        const run: Run<Reply> = (url, options) => exchange(request, url, options);
        const reply = await this.#send(request, signal, this.#timeoutMs, run);
        this.#lastDate = reply.date;
        return toResponseContext(reply);
      },
    });
  }

  /** One GET, for what client-node's classes would take too long to read. `timeoutMs` is for all of it. */
  async get(url: string, { signal, timeoutMs = this.#timeoutMs, accept }: GetOptions): Promise<Reply> {
    const request = jsonRequest(url, accept);
    return await this.#send(request, signal, timeoutMs, (target, options) =>
      exchange(request, target, options),
    );
  }

  /**
   * One request that changes something, sent once: after a second time nobody could tell whether "it is another version
   * now" is about the first.
   */
  async send({ method, url, body, signal }: SendOptions): Promise<Reply> {
    const request = requestWithBody(method, url, body);
    return await this.#send(request, signal, this.#timeoutMs, (target, options) =>
      exchangeOnce(request, target, options),
    );
  }

  /** One POST that changes nothing, such as a review: a second one does no harm. */
  async ask({ url, body, signal }: AskOptions): Promise<Reply> {
    const request = requestWithBody('POST', url, body);
    return await this.#send(request, signal, this.#timeoutMs, (target, options) =>
      exchange(request, target, options),
    );
  }

  /** One GET on a connection of its own. `timeoutMs` is until the reply's head is here; then only `signal` ends it. */
  async stream(url: string, { signal, timeoutMs }: StreamOptions): Promise<StreamedReply> {
    const request = jsonRequest(url);
    const open: Run<StreamedReply> = async (target, options) => {
      const { agent } = options;
      const own =
        agent === this.#httpsAgent
          ? this.#httpsStreamAgent
          : agent === this.#httpAgent
            ? this.#httpStreamAgent
            : agent;
      // What is read on is the caller's to end.
      const lasting = options.signal === undefined ? signal : AbortSignal.any([signal, options.signal]);
      const incoming = await openStream(target, { ...options, agent: own, signal: lasting });
      return { ...headOf(incoming), body: bodyOf(incoming, signal) };
    };
    return await this.#send(request, signal, timeoutMs, open);
  }

  /** Closes the connections; calls and streams under way fail. */
  close(): void {
    for (const agent of [this.#httpsAgent, this.#httpAgent, this.#httpsStreamAgent, this.#httpStreamAgent]) {
      agent.destroy();
    }
  }

  async #send<T>(
    request: RequestContext,
    caller: AbortSignal | undefined,
    timeoutMs: number,
    run: Run<T>,
  ): Promise<T> {
    caller?.throwIfAborted();
    const ended = new AbortController();
    let isTimedOut = false;
    const timer = setTimeout(() => {
      isTimedOut = true;
      ended.abort();
    }, timeoutMs);
    // By hand, since AbortSignal.any costs several times as much.
    const onAbort = (): void => ended.abort(caller?.reason);
    caller?.addEventListener('abort', onAbort, { once: true });
    const { signal } = ended;
    try {
      const { headers, options } =
        this.#credentials.known ?? (await untilAborted(this.#credentials.read(), signal));
      const url = new URL(request.getUrl());
      const agent = options.agent ?? (url.protocol === 'https:' ? this.#httpsAgent : this.#httpAgent);
      const method = request.getHttpMethod();
      return await run(url, {
        ...options,
        method,
        headers: { ...request.getHeaders(), ...headers },
        agent,
        signal,
      });
    } catch (error) {
      caller?.throwIfAborted();
      if (isTimedOut) {
        throw new KubernetesApiError('timeout', `no reply from the Kubernetes API within ${timeoutMs} ms`);
      }
      throw error instanceof KubernetesApiError ? error : connectionError(error);
    } finally {
      clearTimeout(timer);
      caller?.removeEventListener('abort', onAbort);
    }
  }
}

/** Ends the waiting, not the work: an exec plugin can't be aborted. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new Error('aborted'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
