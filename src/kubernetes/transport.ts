import http from 'node:http';
import https from 'node:https';
import {
  type HttpLibrary,
  type KubeConfig,
  type RequestContext,
  ResponseContext,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { errorCode } from '../observability/error-code.ts';

/** An object in etcd is at most 1.5 MiB by default; nothing that is read here is a list. */
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

  constructor(options: TransportOptions) {
    this.#kubeConfig = options.kubeConfig;
    this.#timeoutMs = options.timeoutMs;
  }

  /** For one call: aborting `signal` ends it, with the signal's reason. Otherwise rejects with KubernetesApiError. */
  withSignal(signal: AbortSignal | undefined): HttpLibrary {
    return wrapHttpLibrary({ send: (request) => this.#send(request, signal) });
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    this.#httpsAgent.destroy();
    this.#httpAgent.destroy();
  }

  async #send(request: RequestContext, caller: AbortSignal | undefined): Promise<ResponseContext> {
    caller?.throwIfAborted();
    const timeout = new AbortController();
    const timer = setTimeout(() => {
      timeout.abort();
    }, this.#timeoutMs);
    const signal = caller === undefined ? timeout.signal : AbortSignal.any([caller, timeout.signal]);
    try {
      const options = await untilAborted(this.#prepare(request), signal);
      return await exchange(request, { ...options, signal });
    } catch (error) {
      caller?.throwIfAborted();
      if (timeout.signal.aborted) {
        throw new KubernetesApiError(
          'timeout',
          `no reply from the Kubernetes API within ${this.#timeoutMs} ms`,
        );
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
async function exchange(request: RequestContext, options: https.RequestOptions): Promise<ResponseContext> {
  try {
    return await exchangeOnce(request, options);
  } catch (error) {
    if (!(error instanceof StaleConnectionError)) throw error;
    return await exchangeOnce(request, { ...options, agent: false });
  }
}

class StaleConnectionError extends Error {}

function exchangeOnce(request: RequestContext, options: https.RequestOptions): Promise<ResponseContext> {
  return new Promise((resolve, reject) => {
    const url = new URL(request.getUrl());
    const outgoing = (url.protocol === 'http:' ? http : https).request(url, options, (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_REPLY_BYTES) {
          outgoing.destroy();
          reject(
            new KubernetesApiError('bad-reply', `the Kubernetes API sent more than ${MAX_REPLY_BYTES} bytes`),
          );
        } else {
          chunks.push(chunk);
        }
      });
      incoming.on('error', reject);
      incoming.on('end', () => {
        resolve(toResponseContext(incoming, Buffer.concat(chunks)));
      });
    });
    outgoing.on('error', (error) => {
      reject(outgoing.reusedSocket && errorCode(error) === 'ECONNRESET' ? new StaleConnectionError() : error);
    });
    const body = request.getBody();
    outgoing.end(typeof body === 'string' ? body : undefined);
  });
}

function toResponseContext(incoming: http.IncomingMessage, bytes: Buffer): ResponseContext {
  const headers = { 'content-type': incoming.headers['content-type'] ?? '' };
  return new ResponseContext(incoming.statusCode ?? 0, headers, {
    text: () => Promise.resolve(bytes.toString('utf8')),
    binary: () => Promise.resolve(bytes),
    stream: () => null,
  });
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
