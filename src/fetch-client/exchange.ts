import http, { type IncomingHttpHeaders } from 'node:http';
import https from 'node:https';
import { getCACertificates } from 'node:tls';
import { withDeadline } from '../concurrency/deadline.ts';
import { errorCode } from '../observability/error-code.ts';
import type { Clock } from '../time/clock.ts';

/** Far above any real credentials file (a token takes some 120 bytes), far below what would hurt a small pod. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export interface ExchangeOptions {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
  readonly clock: Clock;
  /** For the whole of it: name look-up, connection, answer. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** There was no whole answer. The message is for people and has nothing of the request's headers. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/**
 * One HTTP exchange on a connection of its own, by Node's own client: this runs in every pod, and others take half as much
 * memory again. The bearer token must go nowhere else: no redirect is followed, no proxy of the environment used, and no
 * variable (NODE_TLS_REJECT_UNAUTHORIZED) turns off the look at the certificate.
 *
 * Rejects with {@link NoAnswerError} alone.
 */
export async function exchange(options: ExchangeOptions): Promise<HttpAnswer> {
  const { clock, timeoutMs, signal, url } = options;
  const onTimeout = () => new NoAnswerError(`no answer from ${url.host} within ${timeoutMs / 1000} s`);
  try {
    return await withDeadline({ clock, timeoutMs, signal, onTimeout }, (ended) => send(options, ended));
  } catch (error) {
    if (signal?.aborted === true) throw new NoAnswerError('stopped');
    throw error instanceof NoAnswerError ? error : new NoAnswerError(reasonOf(error, url));
  }
}

function send({ url, method, headers, body, ca }: ExchangeOptions, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const request = (secure ? https : http).request(
      url,
      {
        method,
        headers,
        signal,
        agent: secure
          ? new https.Agent({ rejectUnauthorized: true, ca: ca ?? systemCertificates() })
          : new http.Agent(),
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) {
            request.destroy(
              new NoAnswerError(`the answer of ${url.host} has more than ${MAX_ANSWER_BYTES} bytes`),
            );
          } else chunks.push(chunk);
        });
        answer.on('error', (error) => {
          reject(
            error instanceof NoAnswerError
              ? error
              : new NoAnswerError(`the answer of ${url.host} broke off: ${errorCode(error)}`),
          );
        });
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** Node's own list is for images without one. */
function systemCertificates(): string[] {
  const system = getCACertificates('system');
  return system.length === 0 ? getCACertificates('default') : [...system, ...getCACertificates('extra')];
}

function reasonOf(error: unknown, { host, hostname }: URL): string {
  const code = errorCode(error);
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `cannot reach ${host}: ${code}: no address of ${hostname} is known`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate of ${host} is not trusted: ${code}: it has another name; take that in --url`;
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${host} is not trusted: ${code}; is the clock right here?`;
    default:
      return /CERT|SELF_SIGNED|UNABLE_TO/.test(code)
        ? `the certificate of ${host} is not trusted: ${code}; name its CA with --ca-file`
        : `cannot reach ${host}: ${code}`;
  }
}
