import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer, request } from 'node:https';
import type { Server as HttpsServer } from 'node:https';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { parse } from 'yaml';

const LOOPBACK = '127.0.0.1';
const TLS = join(import.meta.dirname, '../fixtures/tls');

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
}

/**
 * A wire between a client and the real API server that can be held or cut. TLS goes through, so the client needs no other
 * CA: the API server's certificate is for 127.0.0.1.
 */
export class KubernetesWire implements AsyncDisposable {
  /** For a kubeconfig. */
  readonly server: string;
  /** All connections that were ever made. */
  accepted = 0;
  readonly #listener: Server;
  readonly #port: number;
  readonly #pairs = new Set<Pair>();
  #paused = false;

  private constructor(listener: Server) {
    this.#listener = listener;
    this.#port = (listener.address() as AddressInfo).port;
    this.server = `https://${LOOPBACK}:${this.#port}`;
  }

  /** `apiServer` is the URL in the stack's kubeconfig. */
  static async before(apiServer: string): Promise<KubernetesWire> {
    const { hostname, port } = new URL(apiServer);
    const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      wire.#join(client, connect({ host: hostname, port: Number(port), allowHalfOpen: true }));
    });
    await listen(listener, 0);
    const wire = new KubernetesWire(listener);
    return wire;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** No byte goes through any more, either way. Connections stay, and new ones can be made. */
  pause(): void {
    this.#paused = true;
    for (const { client, upstream } of this.#pairs) {
      for (const socket of [client, upstream]) socket.unpipe().pause();
    }
  }

  /** What was held goes through. */
  resume(): void {
    this.#paused = false;
    for (const { client, upstream } of this.#pairs) client.pipe(upstream).pipe(client);
  }

  /** Resets all connections and refuses new ones, as when the machine of the API server restarts. */
  cut(): void {
    this.#listener.close();
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  }

  /** After {@link cut}: takes connections again, at the same address. */
  async restore(): Promise<void> {
    await listen(this.#listener, this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    if (this.#listener.listening) await once(this.#listener, 'close');
  }

  #join(client: Socket, upstream: Socket): void {
    const pair = { client, upstream };
    this.#pairs.add(pair);
    this.accepted += 1;
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      // 'close' comes after every error, and tells the other side.
      one.on('error', () => undefined);
      one.on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
    if (!this.#paused) client.pipe(upstream).pipe(client);
  }
}

/** `METHOD /path?query`, whole or as an expression. */
export type RequestPattern = string | RegExp;

export const TOKEN_REVIEW = 'POST /apis/authentication.k8s.io/v1/tokenreviews';

/** True if the request is dealt with and must not go on. */
type Meet = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<boolean> | boolean;

interface Fault {
  readonly pattern: RequestPattern;
  readonly meet: Meet;
}

/**
 * Stands before the real API server, reads what is asked and can answer itself. It ends the TLS of its clients with the
 * certificate for localhost of test/fixtures/tls; what they send and what comes back is passed on as it comes, so that a
 * WATCH works. Each request has a connection of its own to the API server.
 */
export class KubernetesProxy implements AsyncDisposable {
  /** For a kubeconfig, with {@link ca}. */
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  /** `METHOD /path?query` of every request, as it came. */
  readonly requests: string[] = [];
  readonly #listener: HttpsServer;
  readonly #faults = new Set<Fault>();
  #waiting: (() => void)[] = [];

  private constructor(listener: HttpsServer, ca: string) {
    this.#listener = listener;
    this.server = `https://localhost:${(listener.address() as AddressInfo).port}`;
    this.ca = ca;
  }

  /** URL and CA of the API server: `kubernetes.server` and the text of `kubernetes.caFile` of the stack. */
  static async before(apiServer: string, apiServerCa: string): Promise<KubernetesProxy> {
    const cert = await readFile(join(TLS, 'localhost.crt'), 'utf8');
    const key = await readFile(join(TLS, 'localhost.key'), 'utf8');
    const listener = createHttpsServer({ cert, key }, (incoming, outgoing) => {
      void proxy.#take(incoming, outgoing, apiServer, apiServerCa);
    });
    await listen(listener, 0);
    const proxy = new KubernetesProxy(listener, cert);
    return proxy;
  }

  /** How many such requests have come. */
  count(pattern: RequestPattern): number {
    return this.requests.filter((one) => matches(one, pattern)).length;
  }

  /** Waits until so many such requests have come, those before the call included. */
  async arrival(pattern: RequestPattern, count = 1): Promise<void> {
    while (this.count(pattern) < count) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** Such requests wait for the promise before they go on. As all faults: until the function it returns is called. */
  hold(pattern: RequestPattern, until: Promise<unknown>): () => void {
    return this.#fail({ pattern, meet: () => until.then(() => false) });
  }

  /** Such requests never reach the API server; a body that is no text is sent as JSON. */
  answer(
    pattern: RequestPattern,
    status: number,
    body: unknown = '',
    headers: Readonly<Record<string, string>> = {},
  ): () => void {
    return this.#fail({
      pattern,
      meet: (incoming, outgoing) => {
        incoming.resume();
        outgoing.writeHead(status, { 'content-type': 'application/json', ...headers });
        outgoing.end(typeof body === 'string' ? body : JSON.stringify(body));
        return true;
      },
    });
  }

  /** Such requests lose their connection. */
  drop(pattern: RequestPattern): () => void {
    return this.#fail({
      pattern,
      meet: ({ socket }) => {
        socket.destroy();
        return true;
      },
    });
  }

  /** Asked about each such request. */
  interfere(pattern: RequestPattern, meet: Meet): () => void {
    return this.#fail({ pattern, meet });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#listener.closeAllConnections();
    await once(this.#listener, 'close');
  }

  #fail(fault: Fault): () => void {
    this.#faults.add(fault);
    return () => {
      this.#faults.delete(fault);
    };
  }

  async #take(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    apiServer: string,
    ca: string,
  ): Promise<void> {
    const name = `${incoming.method} ${incoming.url}`;
    this.requests.push(name);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    for (const { pattern, meet } of [...this.#faults]) {
      if (matches(name, pattern) && (await meet(incoming, outgoing))) return;
    }
    // The caller may have hung up while it was held.
    if (outgoing.destroyed) return;
    const target = new URL(apiServer);
    const { method, url: path } = incoming;
    const headers = { ...incoming.headers, host: target.host };
    const forwarded = request(
      { host: target.hostname, port: target.port, ca, agent: false, method, path, headers },
      (reply) => {
        outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
        // A WATCH with nothing to tell yet has a status all the same.
        outgoing.flushHeaders();
        reply.on('error', () => outgoing.destroy());
        reply.pipe(outgoing);
      },
    );
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  }
}

/** The kubeconfig in that file, for the same user, by way of the proxy. */
export async function kubeconfigThrough(
  proxy: { readonly server: string; readonly ca?: string },
  kubeconfig: string,
): Promise<string> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as {
    readonly clusters: readonly { readonly cluster: Record<string, string> }[];
  };
  for (const { cluster } of config.clusters) {
    cluster['server'] = proxy.server;
    if (proxy.ca !== undefined) {
      cluster['certificate-authority-data'] = Buffer.from(proxy.ca).toString('base64');
    }
  }
  return JSON.stringify(config);
}

function matches(name: string, pattern: RequestPattern): boolean {
  return typeof pattern === 'string' ? name === pattern : pattern.test(name);
}

async function listen(listener: Server, port: number): Promise<void> {
  listener.listen(port, LOOPBACK);
  await once(listener, 'listening');
}
