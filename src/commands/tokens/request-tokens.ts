import http from 'node:http';
import https from 'node:https';
import { z } from 'zod';
import { errorCode } from '../../observability/error-code.ts';
import type { Secret } from '../../observability/secret.ts';
import { printable } from '../operator/format-table.ts';

/** `MAX_LISTED_TOKENS` of the route with long names. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;

const time = z.iso.datetime();

/** `TokensDocument` of http-api, as a client may rely on it: a later version may add to it. */
const documentSchema = z.object({
  replica: z.string(),
  tokens: z.array(
    z.object({
      cluster: z.string(),
      source: z.string(),
      kind: z.string(),
      owner: z.string(),
      stampedUser: z.string(),
      namespace: z.string().nullable(),
      scope: z.string(),
      podUid: z.string().nullable(),
      renewer: z.string(),
      services: z.array(z.string()),
      sequenceNumber: z.int(),
      issuedAt: time,
      expiresAt: time.nullable(),
      maxDate: time,
      state: z.string(),
      handedOutUntil: time.nullable(),
      retiredAt: time.nullable(),
      tombstonedAt: time.nullable(),
      provenAt: time.nullable(),
      holders: z.int(),
      failures: z.int(),
    }),
  ),
  truncated: z.boolean(),
});

export type ListedTokens = z.output<typeof documentSchema>;

export interface TokensQuery {
  /** Base URL of a replica. */
  readonly url: URL;
  readonly serviceAccountToken: Secret<string>;
  readonly user?: string;
  readonly namespace?: string;
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
  /** The name that the certificate must have; default: that of the URL. */
  readonly serverName?: string;
  readonly timeoutMs: number;
}

export type TokensReply =
  | { readonly outcome: 'listed'; readonly document: ListedTokens }
  /** It answered and said no. */
  | { readonly outcome: 'refused'; readonly reason: string }
  /** No answer, or "not now". */
  | { readonly outcome: 'not-reached'; readonly reason: string }
  /** An answer, but not that of `kerbridge serve` to this question. */
  | { readonly outcome: 'bad-reply'; readonly reason: string };

/** Asks one replica, once. Never rejects; what it says holds nothing of the request's headers. */
export async function requestTokens(query: TokensQuery): Promise<TokensReply> {
  try {
    return judge(await exchange(query));
  } catch (error) {
    return { outcome: 'not-reached', reason: transportReason(error, query) };
  }
}

interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

class ReplyTooLongError extends Error {
  readonly code = 'the reply is too long';
}

/** Follows no redirect and takes no proxy from the environment: the bearer token must go nowhere else. */
function exchange(query: TokensQuery): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const url = urlOf(query);
    const request = (url.protocol === 'http:' ? http : https).request(
      url,
      {
        headers: {
          Authorization: `Bearer ${query.serviceAccountToken.reveal()}`,
          Accept: 'application/json',
        },
        signal: AbortSignal.timeout(query.timeoutMs),
        agent: false,
        ...(query.ca === undefined ? {} : { ca: query.ca }),
        ...(query.serverName === undefined ? {} : { servername: query.serverName }),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_REPLY_BYTES) request.destroy(new ReplyTooLongError());
          else chunks.push(chunk);
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          const contentType = incoming.headers['content-type'] ?? '';
          const body = Buffer.concat(chunks).toString('utf8');
          resolve({ status: incoming.statusCode ?? 0, contentType, body });
        });
      },
    );
    request.on('error', reject);
    request.end();
  });
}

function urlOf(query: TokensQuery): URL {
  const url = new URL(query.url);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/tokens`;
  url.search = '';
  url.hash = '';
  if (query.user !== undefined) url.searchParams.set('user', query.user);
  if (query.namespace !== undefined) url.searchParams.set('namespace', query.namespace);
  return url;
}

function judge({ status, contentType, body }: Reply): TokensReply {
  const type = contentType.split(';')[0]?.trim().toLowerCase();
  if (status === 200 && type === 'application/json') {
    const parsed = documentSchema.safeParse(parseJson(body));
    return parsed.success
      ? { outcome: 'listed', document: parsed.data }
      : { outcome: 'bad-reply', reason: 'the answer is not a list of tokens' };
  }
  if (type !== 'application/problem+json') {
    return { outcome: 'bad-reply', reason: `HTTP ${status}: not an answer of kerbridge serve` };
  }
  const problem = z
    .object({ code: z.string(), title: z.string(), requestId: z.string() })
    .safeParse(parseJson(body));
  const { code, title, requestId } = problem.success
    ? problem.data
    : { code: 'unknown', title: '', requestId: '' };
  const reason = printable(`HTTP ${status} ${code}: ${title} (request ${requestId})`).slice(0, 300);
  if (status === 401 || status === 403) return { outcome: 'refused', reason: `${reason}; ${FIXES[status]}` };
  if (status >= 500 || status === 429 || status === 408) return { outcome: 'not-reached', reason };
  return { outcome: 'bad-reply', reason };
}

const FIXES = {
  401: 'is --audience the kubernetes.adminAudience of serve, and the token one of this cluster?',
  403: 'grant the service account `list` on `tokens` of `kerbridge.dev` with a ClusterRole',
} as const;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function transportReason(error: unknown, { url, timeoutMs }: TokensQuery): string {
  const code = errorCode(error);
  if (code === 'ABORT_ERR') return `no answer from ${url.host} within ${timeoutMs} ms`;
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
    return `the certificate of ${url.host} is not trusted: ${code}; name its CA with --ca-file, or its name with --server-name`;
  }
  return `cannot reach ${url.host}: ${code}`;
}
