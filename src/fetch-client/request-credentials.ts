import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { isAxiosError } from 'axios';
import { CodecError } from '../hadoop/codec/codec-error.ts';
import { decodeCredentials } from '../hadoop/codec/credentials.ts';
import { Secret } from '../observability/secret.ts';

/** Far above any real credentials file (a token takes some 120 bytes), far below what would hurt a small pod. */
const MAX_REPLY_BYTES = 4 * 1024 * 1024;

export interface CredentialsQuery {
  /** Base URL of `kerbridge serve`, `http(s)://host[:port][/prefix]`. */
  readonly url: URL;
  readonly serviceAccountToken: Secret<string>;
  readonly cluster?: string;
  readonly kinds?: readonly string[];
  readonly optionalKinds?: readonly string[];
  readonly doAs?: string;
  readonly format?: 'writable' | 'protobuf';
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export type CredentialsReply =
  /** A whole, decodable Hadoop credentials file with at least one token: another would only replace a good one. */
  | {
      readonly outcome: 'received';
      readonly file: Secret<Uint8Array>;
      readonly tokenCount: number;
      readonly requestId: string;
    }
  /** The server answered and said no: asking again will not help until something is changed. */
  | {
      readonly outcome: 'refused';
      readonly status: number;
      readonly code: string;
      readonly title: string;
      readonly requestId: string;
    }
  /** No answer, an answer that is not Kerbridge's, or one that says "not now". */
  | { readonly outcome: 'not-reached'; readonly reason: string; readonly requestId: string };

/** Asks once for the credentials of the pod whose service-account token is given. Never rejects. */
export async function requestCredentials(query: CredentialsQuery): Promise<CredentialsReply> {
  const agents = {
    httpAgent: new HttpAgent(),
    httpsAgent: new HttpsAgent(query.ca === undefined ? {} : { ca: query.ca }),
  };
  try {
    const response = await axios.request<ArrayBuffer>({
      url: credentialsUrl(query).href,
      headers: {
        Authorization: `Bearer ${query.serviceAccountToken.reveal()}`,
        Accept: 'application/octet-stream',
      },
      responseType: 'arraybuffer',
      timeout: query.timeoutMs,
      signal: AbortSignal.any([
        AbortSignal.timeout(query.timeoutMs),
        ...(query.signal === undefined ? [] : [query.signal]),
      ]),
      // The bearer token must go nowhere else: no redirect, no proxy from the environment.
      maxRedirects: 0,
      proxy: false,
      maxContentLength: MAX_REPLY_BYTES,
      validateStatus: () => true,
      ...agents,
    });
    return judgeReply(response.status, response.headers, Buffer.from(response.data));
  } catch (error) {
    return { outcome: 'not-reached', reason: transportReason(error, query), requestId: '' };
  } finally {
    agents.httpAgent.destroy();
    agents.httpsAgent.destroy();
  }
}

function credentialsUrl(query: CredentialsQuery): URL {
  const url = new URL(query.url);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/credentials`;
  url.search = '';
  url.hash = '';
  if (query.cluster !== undefined) url.searchParams.set('cluster', query.cluster);
  for (const kind of query.kinds ?? []) url.searchParams.append('kind', kind);
  for (const kind of query.optionalKinds ?? []) url.searchParams.append('optional', kind);
  if (query.doAs !== undefined) url.searchParams.set('doAs', query.doAs);
  if (query.format !== undefined) url.searchParams.set('format', query.format);
  return url;
}

function judgeReply(status: number, headers: unknown, body: Buffer): CredentialsReply {
  const contentType = header(headers, 'content-type').split(';')[0]?.trim().toLowerCase() ?? '';
  const requestId = printable(header(headers, 'x-request-id'));
  if (status === 200 && contentType === 'application/octet-stream') {
    try {
      const { credentials } = decodeCredentials(body);
      if (credentials.tokens.length === 0) {
        return { outcome: 'not-reached', reason: 'no delegation token in the answer', requestId };
      }
      return {
        outcome: 'received',
        file: new Secret<Uint8Array>(body),
        tokenCount: credentials.tokens.length,
        requestId,
      };
    } catch (error) {
      const reason = error instanceof CodecError ? error.code : 'not decodable';
      return { outcome: 'not-reached', reason: `the reply is not a credentials file: ${reason}`, requestId };
    }
  }
  if (contentType !== 'application/problem+json') {
    const reason = `HTTP ${status} with content type ${printable(contentType) || 'none'}: not an answer of Kerbridge`;
    return { outcome: 'not-reached', reason, requestId };
  }
  const problem = parseProblem(body);
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
    return { outcome: 'refused', status, ...problem, requestId };
  }
  return { outcome: 'not-reached', reason: `HTTP ${status} ${problem.code}: ${problem.title}`, requestId };
}

function parseProblem(body: Buffer): { code: string; title: string } {
  try {
    const problem: unknown = JSON.parse(body.toString('utf8'));
    if (typeof problem === 'object' && problem !== null) {
      const code = 'code' in problem && typeof problem.code === 'string' ? problem.code : 'unknown';
      const title = 'title' in problem && typeof problem.title === 'string' ? problem.title : '';
      return { code: printable(code), title: printable(title) };
    }
  } catch {
    // told by the code below
  }
  return { code: 'unknown', title: '' };
}

/** axios errors carry the request with its Authorization header: only a code and a text of ours leave this file. */
function transportReason(error: unknown, query: CredentialsQuery): string {
  const where = query.url.host;
  if (query.signal?.aborted === true) return 'stopped';
  const code = isAxiosError(error) ? (error.code ?? 'unknown') : 'unknown';
  if (code === 'ERR_CANCELED' || code === 'ECONNABORTED' || code === 'ETIMEDOUT') {
    return `no answer from ${where} within ${query.timeoutMs} ms`;
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
    return `the certificate of ${where} is not trusted: ${code}; name its CA with --ca-file`;
  }
  return `cannot reach ${where}: ${code}`;
}

function header(headers: unknown, name: string): string {
  if (typeof headers !== 'object' || headers === null) return '';
  const value: unknown = Reflect.get(headers, name);
  return typeof value === 'string' ? value : '';
}

/** What a server says is shown to a person: one line, no control bytes, bounded. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
