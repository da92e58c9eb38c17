import http from 'node:http';
import https from 'node:https';
import {
  type HttpLibrary,
  HttpMethod,
  type KubeConfig,
  RequestContext,
  ResponseContext,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { errorCode } from '../observability/error-code.ts';

/** An object in etcd is at most 1.5 MiB by default; of a list it is for whoever asks to take smaller pages. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;
/** Idle connections are closed after this; the API server itself keeps them for minutes. */
const IDLE_TIMEOUT_MS = 60_000;
/** A burst waits for a connection rather than opening hundreds; the waiting counts for the time-out. */
const MAX_CONNECTIONS = 32;
const AGENT = { keepAlive: true, timeout: IDLE_TIMEOUT_MS, maxSockets: MAX_CONNECTIONS };

export interface TransportOptions {
  readonly kubeConfig: KubeConfig;
  /** Of one request, from asking for our own credentials to the last byte of the reply. */
  readonly timeoutMs: number;
}

/** A whole reply, whatever its status. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  /** In s or as a date, as RFC 9110 has it; undefined if there is none. */
  readonly retryAfter: string | undefined;
  /** When the API server sent it by its own clock, which shows whole seconds: ms since the epoch. */
  readonly date: number | undefined;
  readonly bytes: Buffer;
}

/** A reply whose body is still to come. */
export interface StreamedReply extends Omit<Reply, 'bytes'> {
  /**
   * Read once. Rejects with the reason of the caller's signal, or with KubernetesApiError `unreachable` when the
   * connection breaks; leaving it early closes the connection.
   */
  readonly body: AsyncIterable<Buffer>;
}

export interface GetOptions {
  readonly signal: AbortSignal | undefined;
  /** Default: that of the transport. */
  readonly timeoutMs?: number;
  /** Default `application/json`. */
  readonly accept?: string;
}

export interface StreamOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface SendOptions {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  /** JSON. */
  readonly body: string;
  readonly signal: AbortSignal | undefined;
}

/** A reply of more bytes than are kept: nothing to be mended by asking the same once more. */
export class ReplyTooLargeError extends KubernetesApiError {
  constructor() {
    super('bad-reply', `the Kubernetes API sent more than ${MAX_REPLY_BYTES} bytes`);
  }
}

/**
 * Carries the requests of client-node's generated API classes. In the place of client-node's own, which (2.0.1) makes a
 * new undici Agent for every request, hence a TLS handshake for each, and follows redirects with a TokenReview in hand.
 * Here connections are kept, redirects are not followed, replies are bounded, and the time-out ends the request itself.
 */
export class Transport {
  readonly #kubeConfig: KubeConfig;
  readonly #timeoutMs: number;
  // One for all: it keeps connections apart by their CA and our certificate, so a changed file makes new ones.
  readonly #httpsAgent = new https.Agent(AGENT);
  readonly #httpAgent = new http.Agent(AGENT);
  // A stream has a new connection: one that is kept may be dead without a word, and a stream may be silent for long.
  readonly #httpsStreamAgent = new https.Agent();
  readonly #httpStreamAgent = new http.Agent();
  #lastDate: number | undefined;

  constructor(options: TransportOptions) {
    this.#kubeConfig = options.kubeConfig;
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
        const run = (options: https.RequestOptions) => exchange(request, options);
        const reply = await this.#send(request, signal, this.#timeoutMs, run);
        this.#lastDate = reply.date;
        return toResponseContext(reply);
      },
    });
  }

  /** One GET, for what client-node's classes would take too long to read. `timeoutMs` is for all of it. */
  async get(url: string, { signal, timeoutMs = this.#timeoutMs, accept }: GetOptions): Promise<Reply> {
    const request = jsonRequest(url, accept);
    return await this.#send(request, signal, timeoutMs, (options) => exchange(request, options));
  }

  /**
   * One request that changes something, sent once: after a second time nobody could tell whether "it is another version
   * now" is about the first.
   */
  async send({ method, url, body, signal }: SendOptions): Promise<Reply> {
    const request = new RequestContext(url, HttpMethod[method]);
    request.setHeaderParam('Accept', 'application/json');
    request.setHeaderParam('Content-Type', 'application/json');
    request.setBody(body);
    return await this.#send(request, signal, this.#timeoutMs, (options) => exchangeOnce(request, options));
  }

  /** One GET on a connection of its own. `timeoutMs` is until the reply's head is here; then only `signal` ends it. */
  async stream(url: string, { signal, timeoutMs }: StreamOptions): Promise<StreamedReply> {
    const request = jsonRequest(url);
    return await this.#send(request, signal, timeoutMs, async (options) => {
      const { agent } = options;
      const own =
        agent === this.#httpsAgent
          ? this.#httpsStreamAgent
          : agent === this.#httpAgent
            ? this.#httpStreamAgent
            : agent;
      const incoming = await openStream(url, { ...options, agent: own });
      return { ...headOf(incoming), body: bodyOf(incoming, signal) };
    });
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
    run: (options: https.RequestOptions) => Promise<T>,
  ): Promise<T> {
    caller?.throwIfAborted();
    const timeout = new AbortController();
    const timer = setTimeout(() => {
      timeout.abort();
    }, timeoutMs);
    const signal = caller === undefined ? timeout.signal : AbortSignal.any([caller, timeout.signal]);
    try {
      const options = await untilAborted(this.#prepare(request), signal);
      return await run({ ...options, signal });
    } catch (error) {
      caller?.throwIfAborted();
      if (timeout.signal.aborted) {
        throw new KubernetesApiError('timeout', `no reply from the Kubernetes API within ${timeoutMs} ms`);
      }
      throw error instanceof KubernetesApiError ? error : connectionError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #prepare(request: RequestContext): Promise<https.RequestOptions> {
    const applied: https.RequestOptions & { headers: Record<string, string> } = { headers: {} };
    try {
      await this.#kubeConfig.applyToHTTPSOptions(applied);
    } catch (error) {
      // Without the message: an exec plugin's has its output.
      throw new KubernetesApiError(
        'credentials',
        `cannot get our own Kubernetes credentials: ${errorCode(error)}`,
        {
          fix: 'check the token file, certificate files or exec plugin that the kubeconfig or this pod names',
        },
      );
    }
    const headers: Record<string, string> = { ...request.getHeaders(), 'User-Agent': 'kerbridge' };
    // A token file may end with a line break, which no header may.
    for (const [name, value] of Object.entries(applied.headers)) headers[name] = value.trim();
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, auth } = applied;
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, auth };
    const proxied = this.#kubeConfig.getCurrentCluster()?.proxyUrl !== undefined;
    const isTls = new URL(request.getUrl()).protocol === 'https:';
    return {
      method: request.getHttpMethod(),
      headers,
      ...Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
      agent: proxied ? applied.agent : isTls ? this.#httpsAgent : this.#httpAgent,
    };
  }
}

/** Sends, and sends once more if the API server had closed a kept connection meanwhile: no reply, so nothing was done. */
async function exchange(request: RequestContext, options: https.RequestOptions): Promise<Reply> {
  try {
    return await exchangeOnce(request, options);
  } catch (error) {
    if (!(error instanceof StaleConnectionError)) throw error;
    return await exchangeOnce(request, { ...options, agent: false });
  }
}

/** For who does not send once more. */
class StaleConnectionError extends KubernetesApiError {
  constructor() {
    super('unreachable', 'the Kubernetes API had closed the connection', { fix: 'say it again' });
  }
}

function exchangeOnce(request: RequestContext, options: https.RequestOptions): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const url = new URL(request.getUrl());
    const outgoing = (url.protocol === 'http:' ? http : https).request(url, options, (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_REPLY_BYTES) {
          outgoing.destroy();
          reject(new ReplyTooLargeError());
        } else {
          chunks.push(chunk);
        }
      });
      incoming.on('error', reject);
      incoming.on('end', () => {
        resolve({ ...headOf(incoming), bytes: Buffer.concat(chunks) });
      });
    });
    outgoing.on('error', (error) => {
      reject(outgoing.reusedSocket && errorCode(error) === 'ECONNRESET' ? new StaleConnectionError() : error);
    });
    const body = request.getBody();
    if (typeof body === 'string') {
      // Node sends a DELETE's body without saying that there is one.
      outgoing.setHeader('Content-Length', Buffer.byteLength(body));
      outgoing.end(body);
    } else {
      outgoing.end();
    }
  });
}

function openStream(url: string, options: https.RequestOptions): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = (url.startsWith('http:') ? http : https).request(url, options, (incoming) => {
      // An abortion between here and the first read would else be an error without a listener.
      incoming.on('error', () => undefined);
      resolve(incoming);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function* bodyOf(incoming: http.IncomingMessage, caller: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* incoming as AsyncIterable<Buffer>;
  } catch (error) {
    caller.throwIfAborted();
    throw connectionError(error);
  }
}

function jsonRequest(url: string, accept = 'application/json'): RequestContext {
  const request = new RequestContext(url, HttpMethod.GET);
  request.setHeaderParam('Accept', accept);
  return request;
}

function headOf({ statusCode = 0, headers }: http.IncomingMessage): Omit<Reply, 'bytes'> {
  const date = Date.parse(headers.date ?? '');
  return {
    status: statusCode,
    contentType: headers['content-type'] ?? '',
    retryAfter: headers['retry-after'],
    date: Number.isNaN(date) ? undefined : date,
  };
}

function toResponseContext({ status, contentType, bytes }: Reply): ResponseContext {
  return new ResponseContext(
    status,
    { 'content-type': contentType },
    {
      text: () => Promise.resolve(bytes.toString('utf8')),
      binary: () => Promise.resolve(bytes),
      stream: () => null,
    },
  );
}

function connectionError(error: unknown): KubernetesApiError {
  const code = errorCode(error);
  const fix = /CERT|TLS|SSL|SIGNATURE|SIGNED/.test(code)
    ? 'check certificate-authority-data and server in the kubeconfig: the name and the CA must fit'
    : 'check that the server of the kubeconfig can be reached from here';
  return new KubernetesApiError('unreachable', `no connection to the Kubernetes API: ${code}`, { fix });
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
