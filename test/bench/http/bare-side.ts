// The bare server of a measurement:
//   node bare-side.ts OPTIONS   (JSON: BareOptions)
// It reads the Authorization header and answers the same bytes as Kerbridge, head and body in one write. For `fresh` it
// first verifies the signature and asks for the same TokenReview.
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, createServer, type RequestListener, request as httpRequest } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { AUDIENCE } from './pods.ts';
import { serveParent, tellParent } from './process.ts';

export interface BareOptions {
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** In latin1. */
  readonly body: string;
  /** undefined: answer at once. */
  readonly review: { readonly port: number; readonly publicKey: string } | undefined;
}

const { tls, headers, body, review } = JSON.parse(process.argv[2] ?? '') as BareOptions;
const answerHeaders = [...headers];
const agent = new Agent({ keepAlive: true, maxSockets: 32 });
const publicKey = review === undefined ? undefined : createPublicKey(review.publicKey);

const listener: RequestListener = (request, response) => {
  const { authorization } = request.headers;
  const answer = (isKnown: boolean): void => {
    if (isKnown) response.writeHead(200, answerHeaders).end(body, 'latin1');
    else response.writeHead(401).end();
  };
  if (authorization === undefined) answer(false);
  else if (review === undefined) answer(true);
  else check(authorization.slice('Bearer '.length), answer);
};

function check(token: string, answer: (isKnown: boolean) => void): void {
  const dot = token.lastIndexOf('.');
  const signature = Buffer.from(token.slice(dot + 1), 'base64url');
  if (publicKey === undefined || !verify('sha256', Buffer.from(token.slice(0, dot)), publicKey, signature)) {
    answer(false);
    return;
  }
  const question = JSON.stringify({
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, audiences: [AUDIENCE] },
  });
  const asked = httpRequest(
    {
      agent,
      host: '127.0.0.1',
      port: review?.port,
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      headers: { 'Content-Type': 'application/json', 'Content-Length': question.length },
    },
    (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      reply.on('end', () => {
        const { status } = JSON.parse(text) as { status: { authenticated: boolean } };
        answer(status.authenticated);
      });
    },
  );
  asked.on('error', () => answer(false)).end(question);
}

const server =
  tls === undefined
    ? createServer(listener)
    : createTlsServer({ cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) }, listener);
serveParent();
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  tellParent({ port: typeof address === 'object' ? address?.port : undefined });
});
