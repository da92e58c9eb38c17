import http from 'node:http';
import https from 'node:https';
import { HttpMethod, RequestContext, ResponseContext } from '@kubernetes/client-node';
import { errorCode } from '../observability/error-code.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';

/** An object in etcd is at most 1.5 MiB by default; of a list it is for whoever asks to take smaller pages. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;

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

/** A reply of more bytes than are kept: nothing to be mended by asking the same once more. */
export class ReplyTooLargeError extends KubernetesApiError {
  constructor() {
    super('bad-reply', `the Kubernetes API sent more than ${MAX_REPLY_BYTES} bytes`);
  }
}

/** Sends, and sends once more if the API server had closed a kept connection meanwhile: no reply, so nothing was done. */
export async function exchange(
  request: RequestContext,
  url: URL,
  options: https.RequestOptions,
): Promise<Reply> {
  try {
    return await exchangeOnce(request, url, options);
  } catch (error) {
    if (!(error instanceof StaleConnectionError)) throw error;
    return await exchangeOnce(request, url, { ...options, agent: false });
  }
}

/** For who does not send once more. */
class StaleConnectionError extends KubernetesApiError {
  constructor() {
    super('unreachable', 'the Kubernetes API had closed the connection', { fix: 'say it again' });
  }
}

/** @param url of the request, read */
export function exchangeOnce(
  request: RequestContext,
  url: URL,
  options: https.RequestOptions,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = clientFor(url).request(url, options, (incoming) => {
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

export function openStream(url: URL, options: https.RequestOptions): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = clientFor(url).request(url, options, (incoming) => {
      // An abortion between here and the first read would else be an error without a listener.
      incoming.on('error', () => undefined);
      resolve(incoming);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const clientFor = ({ protocol }: URL): typeof http | typeof https => (protocol === 'http:' ? http : https);

export async function* bodyOf(incoming: http.IncomingMessage, caller: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* incoming as AsyncIterable<Buffer>;
  } catch (error) {
    caller.throwIfAborted();
    throw connectionError(error);
  }
}

export function jsonRequest(url: string, accept = 'application/json'): RequestContext {
  const request = new RequestContext(url, HttpMethod.GET);
  request.setHeaderParam('Accept', accept);
  return request;
}

export function requestWithBody(
  method: 'POST' | 'PUT' | 'DELETE',
  url: string,
  body: string,
): RequestContext {
  const request = new RequestContext(url, HttpMethod[method]);
  request.setHeaderParam('Accept', 'application/json');
  request.setHeaderParam('Content-Type', 'application/json');
  request.setBody(body);
  return request;
}

export function headOf({ statusCode = 0, headers }: http.IncomingMessage): Omit<Reply, 'bytes'> {
  const date = Date.parse(headers.date ?? '');
  return {
    status: statusCode,
    contentType: headers['content-type'] ?? '',
    retryAfter: headers['retry-after'],
    date: Number.isNaN(date) ? undefined : date,
  };
}

export function toResponseContext({ status, contentType, bytes }: Reply): ResponseContext {
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

export function connectionError(error: unknown): KubernetesApiError {
  const code = errorCode(error);
  const fix = /CERT|TLS|SSL|SIGNATURE|SIGNED/.test(code)
    ? 'check certificate-authority-data and server in the kubeconfig: the name and the CA must fit'
    : 'check that the server of the kubeconfig can be reached from here';
  return new KubernetesApiError('unreachable', `no connection to the Kubernetes API: ${code}`, { fix });
}
