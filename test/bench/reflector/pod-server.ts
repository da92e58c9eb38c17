// The LIST and WATCH of pods of an API server, with POD_COUNT pods, in a process of its own:
//   node pod-server.ts
// Prints its port. `POST /events?count=N` sends N changes into the open watch, as fast as it takes them.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { POD_COUNT, podJson } from './pod-json.ts';

const LIST_VERSION = 1_000_000;
let version = LIST_VERSION;
let watch: ServerResponse | undefined;

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (request.method === 'POST') {
    void sendEvents(Number(url.searchParams.get('count'))).then(() => response.end());
  } else if (url.searchParams.has('watch')) {
    watch = response;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
  } else {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(page(Number(url.searchParams.get('continue') ?? 0), Number(url.searchParams.get('limit'))));
  }
});

function page(from: number, limit: number): string {
  const to = Math.min(from + limit, POD_COUNT);
  const pods = Array.from({ length: to - from }, (_, i) => podJson(from + i, from + i));
  const next = to === POD_COUNT ? '' : `"continue":"${to}","remainingItemCount":${POD_COUNT - to},`;
  const metadata = `{${next}"resourceVersion":"${LIST_VERSION}"}`;
  return `{"kind":"PodList","apiVersion":"v1","metadata":${metadata},"items":[${pods.join(',')}]}\n`;
}

async function sendEvents(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    version += 1;
    const pod = podJson(n, version, performance.timeOrigin + performance.now()).slice(1);
    const more = watch?.write(`{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1",${pod}}\n`);
    if (more === false && watch !== undefined) await once(watch, 'drain');
  }
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
