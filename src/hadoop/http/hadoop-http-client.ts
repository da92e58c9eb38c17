import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

import { create as createAxios } from 'axios';
import type { AxiosInstance, AxiosResponse } from 'axios';

import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { Secret } from '../../observability/secret.ts';
import type { Clock } from '../../time/clock.ts';
import { callTimeout, connectionFailure } from './connection-failure.ts';
import { withDeadline } from '../../concurrency/deadline.ts';

export const DEFAULT_CALL_TIMEOUT_MS = 20_000;
export const MAX_REPLY_BYTES = 1024 * 1024;
/** Below Jetty's idle time-out (60 s, `hadoop.http.idle_timeout.ms`), so that we close idle connections first. */
const IDLE_CONNECTION_TIMEOUT_MS = 30_000;
const MAX_IDLE_CONNECTIONS = 8;

export interface HadoopHttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `scheme://host:port`, without a path. */
  readonly origin: string;
  /** Starts with a slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | Secret<string>>>;
  readonly headers?: Readonly<Record<string, string | Secret<string>>>;
  /** Sent as `application/json`. */
  readonly json?: string | Secret<string>;
  /** What this is called in errors, for example `GETDELEGATIONTOKEN`; never the URL, which may hold a token. */
  readonly operation: string;
  /**
   * False for what must not be done twice: a failure after the request may have gone out then says `mayHaveActed`.
   * Default true.
   */
  readonly isRepeatable?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Nothing of the request and no live object of the HTTP library hangs on a reply. */
export interface HadoopHttpReply {
  readonly status: number;
  /** The reason phrase: Hadoop's authentication layer and KMS put the exception's text there. */
  readonly statusMessage: string;
  /** Empty when there is none. */
  readonly contentType: string;
  /** Of a redirect, `scheme://host:port` where it leads: never followed, and the rest may repeat a token. */
  readonly redirectOrigin: string | undefined;
  /** How the server wants to be authenticated to, for example `Negotiate`; empty when it does not say. */
  readonly wwwAuthenticate: string;
  /** When it was sent by the server's clock, in whole seconds: ms since the epoch; undefined when it does not say. */
  readonly serverTime: number | undefined;
  /** The Set-Cookie lines. */
  readonly setCookies: Secret<readonly string[]>;
  /** Secret because a good reply is a delegation token. */
  readonly body: Secret<string>;
}

export interface HadoopHttpClientOptions {
  readonly clock: Clock;
  /** For one call, connecting and reading the whole reply included; default 20 s. */
  readonly timeoutMs?: number;
  readonly maxReplyBytes?: number;
  /** PEM certificates of the authorities that sign the servers' certificates; default: those of Node. */
  readonly ca?: string | readonly string[];
  /** A cookie sent in the open is hours of proxy-user power for whoever listens: default false. */
  readonly allowPlainHttp?: boolean;
}

/**
 * HTTP to Hadoop daemons: no redirects, no proxy from the environment, no decompression, one keep-alive pool per
 * (scheme, host, port), a limit for the reply's size and time. Any status is a reply; what rejects is a
 * TokenServiceError (`unreachable`, or `bad-request` for a plain-HTTP address) or the reason of the caller's signal.
 * The errors of axios hold the request with its cookies: none leaves this file, not even as a cause.
 */
export class HadoopHttpClient {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #ca: string | readonly string[] | undefined;
  readonly #allowPlainHttp: boolean;
  readonly #axios: AxiosInstance;
  readonly #agents = new Map<string, HttpAgent | HttpsAgent>();

  constructor(options: HadoopHttpClientOptions) {
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    this.#ca = options.ca;
    this.#allowPlainHttp = options.allowPlainHttp ?? false;
    this.#axios = createAxios({
      adapter: 'http',
      maxRedirects: 0,
      proxy: false,
      decompress: false,
      validateStatus: () => true,
      responseType: 'arraybuffer',
      transformRequest: [],
      transformResponse: [],
      maxContentLength: options.maxReplyBytes ?? MAX_REPLY_BYTES,
    });
  }

  async send(request: HadoopHttpRequest): Promise<HadoopHttpReply> {
    const { operation, signal } = request;
    const origin = parseOrigin(request.origin, operation);
    if (origin.protocol === 'http:' && !this.#allowPlainHttp) {
      throw new TokenServiceError(
        'bad-request',
        `${operation} is not sent to ${origin.origin}: plain HTTP is not allowed`,
        {
          endpoint: origin.origin,
          fix: 'Set dfs.http.policy (or its KMS or YARN counterpart) to HTTPS_ONLY, or allow plain HTTP for this cluster with allowPlainHttp: true.',
        },
      );
    }
    const call = {
      operation,
      endpoint: origin.origin,
      wasConnected: false,
      isRepeatable: request.isRepeatable ?? true,
    };
    const onTimeout = (): TokenServiceError => callTimeout(call, this.#timeoutMs);
    return await withDeadline(
      { clock: this.#clock, timeoutMs: this.#timeoutMs, signal, onTimeout },
      async (ended) => {
        try {
          return await this.#send(request, origin, ended, () => {
            call.wasConnected = true;
          });
        } catch (error) {
          throw connectionFailure(error, call);
        }
      },
    );
  }

  async #send(
    request: HadoopHttpRequest,
    origin: URL,
    signal: AbortSignal,
    onConnected: () => void,
  ): Promise<HadoopHttpReply> {
    const agent = this.#agentOf(origin);
    const response = await this.#axios.request<unknown>({
      method: request.method,
      url: `${origin.origin}${request.path}${queryText(request.query ?? {})}`,
      headers: {
        Accept: 'application/json',
        'Accept-Encoding': 'identity',
        // Hadoop's CSRF filter asks browsers for a header more; anything that is not Mozilla is none.
        'User-Agent': 'kerbridge',
        // Null, or axios says that a PUT without a body is a form.
        'Content-Type': request.json === undefined ? null : 'application/json',
        ...Object.fromEntries(
          Object.entries(request.headers ?? {}).map(([name, value]) => [name, open(value)]),
        ),
      },
      ...(request.json === undefined ? {} : { data: open(request.json) }),
      httpAgent: agent,
      httpsAgent: agent,
      signal,
      transport: transportOf(origin, onConnected),
    });
    return toReply(response);
  }

  #agentOf(origin: URL): HttpAgent | HttpsAgent {
    const known = this.#agents.get(origin.origin);
    if (known !== undefined) return known;
    const options = {
      keepAlive: true,
      maxFreeSockets: MAX_IDLE_CONNECTIONS,
      timeout: IDLE_CONNECTION_TIMEOUT_MS,
    };
    const agent =
      origin.protocol === 'http:'
        ? new HttpAgent(options)
        : new HttpsAgent(this.#ca === undefined ? options : { ...options, ca: [this.#ca].flat() });
    this.#agents.set(origin.origin, agent);
    return agent;
  }

  /** Closes the pooled connections; calls under way fail. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}

function parseOrigin(text: string, operation: string): URL {
  const url = URL.parse(text);
  const isOrigin =
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.password === '' &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '';
  if (!isOrigin) {
    throw new TokenServiceError('bad-request', `${operation} has no valid address to go to`, {
      fix: "Give the server's address as http(s)://host:port, without a path or credentials.",
    });
  }
  return url;
}

/** Node's own, watched: whether a request that failed can have reached the server decides if it may be repeated. */
function transportOf(
  { protocol }: URL,
  onConnected: () => void,
): { request(options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest } {
  const isPlain = protocol === 'http:';
  return {
    request: (options, onResponse) => {
      const request = (isPlain ? httpRequest : httpsRequest)(options, onResponse);
      request.once('socket', (socket) => {
        if (!socket.connecting) onConnected();
        else socket.once(isPlain ? 'connect' : 'secureConnect', onConnected);
      });
      return request;
    },
  };
}

function open(value: string | Secret<string>): string {
  return value instanceof Secret ? value.reveal() : value;
}

/** `%20` and not `+` for a space: what a servlet filter makes of `+` is its own business. */
function queryText(query: Readonly<Record<string, string | Secret<string>>>): string {
  const parts = Object.entries(query).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(open(value))}`,
  );
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function toReply(response: AxiosResponse<unknown>): HadoopHttpReply {
  const headers = response.headers as Readonly<Record<string, unknown>>;
  const { data } = response;
  const location = headers['location'];
  const setCookies = headers['set-cookie'];
  const wwwAuthenticate = headers['www-authenticate'];
  const date = headers['date'];
  // Hadoop's filter and Jetty may each write one.
  const serverTime = typeof date === 'string' ? Date.parse(date.replace(/(GMT), .*$/u, '$1')) : Number.NaN;
  return {
    status: response.status,
    statusMessage: response.statusText,
    contentType: typeof headers['content-type'] === 'string' ? headers['content-type'] : '',
    redirectOrigin: typeof location === 'string' ? URL.parse(location)?.origin : undefined,
    wwwAuthenticate: typeof wwwAuthenticate === 'string' ? wwwAuthenticate : '',
    serverTime: Number.isNaN(serverTime) ? undefined : serverTime,
    setCookies: new Secret(Array.isArray(setCookies) ? setCookies.map(String) : []),
    body: new Secret(Buffer.isBuffer(data) ? data.toString('utf8') : ''),
  };
}
