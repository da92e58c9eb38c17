import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What a NameNode answers in the place of the real one; it may quote what it was sent. */
export type FalseAnswer = (asked: { readonly headers: IncomingHttpHeaders; readonly operation: string }) =>
  | {
      readonly status: number;
      readonly type: string;
      readonly body: string;
      readonly headers?: Record<string, string>;
    }
  /** The connection is cut. */
  | 'cut'
  /** The real one answers. */
  | undefined;

/** Stands before a NameNode and keeps every secret that passes, as a log of somebody careless would. */
export class NameNodeTap implements AsyncDisposable {
  /** Whole, `name=value`, as the client sends them. */
  readonly cookies = new Set<string>();
  /** Base64, of both sides. */
  readonly negotiateTokens = new Set<string>();
  /** As WebHDFS encodes them. */
  readonly delegationTokens = new Set<string>();
  falseAnswer: FalseAnswer = () => undefined;
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://localhost:${(server.address() as AddressInfo).port}`;
  }

  static async before(nameNodeUrl: string): Promise<NameNodeTap> {
    const target = new URL(nameNodeUrl);
    const server = createServer((incoming, outgoing) => {
      tap.#keep(incoming.headers);
      const url = new URL(incoming.url ?? '/', target);
      const operation = url.searchParams.get('op') ?? '';
      const answer = tap.falseAnswer({ headers: incoming.headers, operation });
      if (answer !== undefined) {
        incoming.resume();
        answerFalsely(outgoing, answer);
        return;
      }
      const headers = { ...incoming.headers, host: target.host };
      const forwarded = request(url, { method: incoming.method, headers }, (reply) => {
        tap.#keep(reply.headers);
        void buffer(reply).then((body) => {
          for (const [, token = ''] of body.toString().matchAll(/"urlString":"([^"]+)"/g)) {
            tap.delegationTokens.add(token);
          }
          const { 'transfer-encoding': _chunked, ...kept } = reply.headers;
          return outgoing.writeHead(reply.statusCode ?? 500, reply.statusMessage, kept).end(body);
        });
      });
      forwarded.on('error', () => outgoing.destroy());
      incoming.pipe(forwarded);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const tap = new NameNodeTap(server);
    return tap;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #keep(headers: IncomingHttpHeaders): void {
    const cookies = [headers.cookie ?? '', ...(headers['set-cookie'] ?? [])];
    for (const [cookie] of cookies.flatMap((each) => [...each.matchAll(/hadoop\.auth="?[^";]+/g)])) {
      this.cookies.add(cookie.replace('"', ''));
    }
    for (const value of [headers.authorization ?? '', headers['www-authenticate'] ?? '']) {
      const token = /^Negotiate (.+)$/.exec(value)?.[1];
      if (token !== undefined) this.negotiateTokens.add(token);
    }
  }
}

function answerFalsely(outgoing: ServerResponse, answer: Exclude<ReturnType<FalseAnswer>, undefined>): void {
  if (answer === 'cut') {
    outgoing.destroy();
    return;
  }
  const { status, type, body, headers = {} } = answer;
  outgoing.writeHead(status, { 'content-type': type, ...headers }).end(body);
}
