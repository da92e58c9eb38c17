// What the measurements ask instead of an API server, in a process of its own:
//   node api-endpoint.ts JWKS
// Every TokenReview of a pod's token is answered yes, ANSWER_MS after it came.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ISSUER, podNumberOf, podOf, PODS, reviewOf } from './pods.ts';
import { serveParent, tellParent } from './process.ts';

const ANSWER_MS = 1;
const [jwks = ''] = process.argv.slice(2);

const answer = (response: ServerResponse, body: object | string): void => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(200, ['Content-Type', 'application/json', 'Content-Length', String(text.length)]);
  response.end(text);
};

const listOf = (items: readonly object[]): string =>
  JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items });
/** Made once: each pod has a signature of its own. */
const podList = listOf(Array.from({ length: PODS }, (_, n) => podOf(n)));
/** For who only wants to know how old what they have is, again and again. */
const onePod = listOf([podOf(0)]);

const server = createServer((request, response) => {
  const url = request.url ?? '';
  if (url.startsWith('/apis/authentication.k8s.io/')) void review(request, response);
  else if (url.startsWith('/openid/v1/jwks')) answer(response, jwks);
  else if (url.startsWith('/.well-known/')) answer(response, { issuer: ISSUER });
  else if (url.includes('watch=')) {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
  } else {
    const { searchParams } = new URL(url, 'http://127.0.0.1');
    answer(response, searchParams.get('limit') === '1' ? onePod : podList);
  }
});

async function review(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const asked = JSON.parse(Buffer.concat(chunks).toString()) as { spec: { token: string } };
  await delay(ANSWER_MS);
  const status = reviewOf(podNumberOf(asked.spec.token));
  answer(response, { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', ...asked, status });
}

serveParent();
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  tellParent({ port: typeof address === 'object' ? address?.port : undefined });
});
