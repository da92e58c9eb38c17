import { request } from 'node:http';
import type { Agent } from 'node:http';
import { connect } from 'node:net';

/** What `fetch` doesn't let a test choose: which connection a request goes over, and what else is on it. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** Rejects with the signal's reason, too. */
export async function get(
  url: string,
  headers: Readonly<Record<string, string>>,
  { agent, signal }: { readonly agent: Agent | false; readonly signal: AbortSignal | undefined },
): Promise<Reply> {
  const options = { headers, agent, ...(signal === undefined ? {} : { signal }) };
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const received = Object.entries(incoming.headersDistinct);
        resolve({
          status: incoming.statusCode ?? 0,
          headers: Object.fromEntries(received.map(([name, values]) => [name, values?.join(', ')])),
          body: Buffer.concat(chunks),
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** All of them at once on one new connection; the answers in the order in which they came. */
export async function pipeline(
  url: string,
  requests: readonly Readonly<Record<string, string>>[],
): Promise<readonly Reply[]> {
  const { host, hostname, port, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  for (const headers of requests) {
    const lines = Object.entries({ Host: host, ...headers }).map(([name, value]) => `${name}: ${value}`);
    socket.write([`GET ${pathname} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
  }
  let received = Buffer.alloc(0);
  const replies: Reply[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    for (let next = takeReply(received); next !== undefined; next = takeReply(received)) {
      replies.push(next.reply);
      received = Buffer.from(next.rest);
    }
    if (replies.length === requests.length) break;
  }
  socket.destroy();
  if (replies.length !== requests.length) {
    throw new Error(`${replies.length} replies to ${requests.length} requests on one connection`);
  }
  return replies;
}

/** The first whole reply; ours have a Content-Length, but for 304. */
function takeReply(bytes: Buffer): { readonly reply: Reply; readonly rest: Buffer } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [statusLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  const status = Number(statusLine.split(' ')[1]);
  const bodyEnd = end + 4 + (status === 304 ? 0 : Number(headers['content-length']));
  if (bytes.length < bodyEnd) return undefined;
  return {
    reply: { status, headers, body: bytes.subarray(end + 4, bodyEnd) },
    rest: bytes.subarray(bodyEnd),
  };
}
