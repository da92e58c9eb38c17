import { X509Certificate } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** What a client sees of a running server. */
export interface ServerProbe {
  /** What it showed, its own first; empty without TLS. */
  readonly chain: readonly X509Certificate[];
  /** Why a client would refuse that; undefined: it would not. */
  readonly refusal: string | undefined;
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface ProbeOptions {
  readonly url: URL;
  /** PEM that is trusted; undefined: what Node trusts. */
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

export type ProbeServer = (options: ProbeOptions) => Promise<ServerProbe>;

const MAX_BODY_BYTES = 64 * 1024;

/** One GET that shows no credential. What the server shows is looked at whether it is trusted or not. */
export const probeServer: ProbeServer = async ({ url, ca, signal }) => {
  const isTls = url.protocol === 'https:';
  const outgoing = isTls
    ? secureRequest(url, {
        agent: false,
        signal,
        // Nothing secret is sent, and what is wrong with it is what we want to know.
        rejectUnauthorized: false,
        ...(ca === undefined ? {} : { ca }),
      })
    : plainRequest(url, { agent: false, signal });
  let chain: X509Certificate[] = [];
  let refusal: string | undefined;
  outgoing.once('socket', (socket) => {
    if (!(socket instanceof TLSSocket)) return;
    socket.once('secureConnect', () => {
      chain = chainOf(socket.getPeerCertificate(true));
      if (!socket.authorized) refusal = codeOf(socket.authorizationError);
    });
  });
  const reply = await replyTo(outgoing);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) break;
    chunks.push(chunk);
  }
  return {
    chain,
    refusal,
    status: reply.statusCode ?? 0,
    contentType: reply.headers['content-type'] ?? '',
    body: Buffer.concat(chunks).toString('utf8'),
  };
};

function replyTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** Typed as an Error, and a code in practice. */
function codeOf(authorizationError: unknown): string {
  if (typeof authorizationError === 'string') return authorizationError;
  const code: unknown =
    typeof authorizationError === 'object' && authorizationError !== null
      ? Reflect.get(authorizationError, 'code')
      : undefined;
  return typeof code === 'string' ? code : 'not trusted';
}

/** Node links each to its issuer, and a self-signed one to itself. It puts in issuers that it trusts itself, too. */
function chainOf(peer: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<DetailedPeerCertificate>();
  for (let each: DetailedPeerCertificate | undefined = peer; each?.raw !== undefined && !seen.has(each);) {
    seen.add(each);
    chain.push(new X509Certificate(each.raw));
    each = each.issuerCertificate;
  }
  return chain;
}
