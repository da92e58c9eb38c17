import { createHash, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';

const TLS = join(import.meta.dirname, '../../fixtures/tls');

/** The authority of `chain`, and itself a certificate of the name localhost, but of no address. */
export const CA_FILE = join(TLS, 'localhost.crt');

const CERTIFICATES = {
  /** For localhost and 127.0.0.1, signed by CA_FILE. */
  chain: ['chain.crt', 'renewed.key'],
  /** For localhost alone. */
  localhost: ['localhost.crt', 'localhost.key'],
  expired: ['expired.crt', 'renewed.key'],
} as const;

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Answer = (response: ServerResponse, asked: Asked) => void | Promise<void>;

export interface FakeServeOptions {
  readonly certificate?: keyof typeof CERTIFICATES;
  /** One a request; the last again and again. */
  readonly answers?: readonly Answer[];
  /** In the place of one that was stopped. */
  readonly at?: { readonly host: string; readonly port: number };
  /** Before each answer, while the client waits. */
  readonly onRequest?: () => Promise<void>;
}

/** In the place of `kerbridge serve`: answers what it is told, right or wrong, and notes what it was asked. */
export class FakeServe {
  readonly asked: Asked[] = [];
  /** How many answers were begun. */
  answered = 0;
  answers: Answer[];
  readonly host: string;
  readonly port: number;
  readonly #server: Server & { closeAllConnections?: () => void };
  readonly #secure: boolean;
  readonly #onRequest: () => Promise<void>;

  private constructor(server: Server, options: FakeServeOptions) {
    this.#server = server;
    ({ address: this.host, port: this.port } = server.address() as AddressInfo);
    this.#secure = options.certificate !== undefined;
    this.#onRequest = options.onRequest ?? (async () => undefined);
    this.answers = [...(options.answers ?? [])];
  }

  static async start(options: FakeServeOptions = {}): Promise<FakeServe> {
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      void fake.#handle(request, response);
    };
    const { certificate } = options;
    const server: Server =
      certificate === undefined
        ? createServer(listener)
        : createSecureServer(
            {
              cert: await readFile(join(TLS, CERTIFICATES[certificate][0])),
              key: await readFile(join(TLS, CERTIFICATES[certificate][1])),
            },
            listener,
          );
    const host = certificate === undefined ? anyLoopbackAddress() : '127.0.0.1';
    await listen(server, options.at ?? { host, port: 0 });
    const fake = new FakeServe(server, options);
    return fake;
  }

  get url(): string {
    return `${this.#secure ? 'https' : 'http'}://${this.host}:${this.port}`;
  }

  /** Of the requests for the file. */
  get fetches(): readonly Asked[] {
    return this.asked.filter(({ method }) => method === 'GET');
  }

  get reports(): readonly Asked[] {
    return this.asked.filter(({ method }) => method === 'POST');
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections?.();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    };
    this.asked.push(asked);
    await this.#onRequest();
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
    if (answer === undefined) response.destroy();
    else await answer(response, asked);
    this.answered += 1;
  }
}

/** Takes connections and says nothing, not even TLS. */
export class SilentServer {
  connections = 0;
  readonly #server = createTcpServer((socket) => {
    this.connections += 1;
    socket.on('error', () => undefined);
  });

  static async start(): Promise<SilentServer> {
    const silent = new SilentServer();
    await listen(silent.#server, { host: '127.0.0.1', port: 0 });
    return silent;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
  }
}

/**
 * Of 127.0.0.0/8: a client whose server was stopped must not come to that of another row, which got the same port. The
 * certificates name 127.0.0.1 alone.
 */
function anyLoopbackAddress(): string {
  return `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
}

async function listen(server: Server, at: { readonly host: string; readonly port: number }): Promise<void> {
  server.listen(at.port, at.host);
  await once(server, 'listening');
}

// --- what there is to answer ------------------------------------------------------------------------------------------

export type Headers = Readonly<Record<string, string>>;

export const answer =
  (status: number, headers: Headers, body: string | Buffer = ''): Answer =>
  (response) => {
    response.writeHead(status, { 'X-Request-Id': 'r-17', ...headers }).end(body);
  };

export const credentials = (file: Buffer, headers: Headers = {}): Answer =>
  answer(200, { 'Content-Type': 'application/octet-stream', ETag: etagOf(file), ...headers }, file);

export const etagOf = (file: Buffer): string =>
  `"${createHash('sha256').update(file).digest('hex').slice(0, 32)}"`;

/** "Not modified", with the ETag that the file has. */
export const unchanged = (file: Buffer, headers: Headers): Answer =>
  answer(304, { ETag: etagOf(file), ...headers });

export const problem = (status: number, code: string, headers: Headers = {}): Answer =>
  answer(
    status,
    { 'Content-Type': 'application/problem+json; charset=utf-8', ...headers },
    JSON.stringify({ title: `title of ${code}`, status, code, requestId: 'r-17' }),
  );

/** Never anything. */
export const silence: Answer = () => undefined;

/** The beginning of the file, then nothing more for as long as the client stays. */
export const halfThenSilence =
  (file: Buffer): Answer =>
  async (response) => {
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(file.length),
    });
    await new Promise((resolve) => response.write(file.subarray(0, file.length / 2), resolve));
  };

/** The beginning of the file, then the end of the connection. */
export const halfThenEnd =
  (file: Buffer, framing: 'content-length' | 'chunked'): Answer =>
  (response) => {
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      ...(framing === 'chunked' ? {} : { 'Content-Length': String(file.length) }),
    });
    response.write(file.subarray(0, file.length / 2), () => response.destroy());
  };

/** What was asked for, in an order of its own. */
export const parametersOf = (asked: Asked | undefined): [string, string][] =>
  [...new URL(asked?.url ?? '', 'http://localhost').searchParams].sort(([a, b], [c, d]) =>
    `${a}=${b}` < `${c}=${d}` ? -1 : 1,
  );
