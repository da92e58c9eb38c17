import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Carries TCP connections to the API server until it is told to fall silent (no byte passes any more and no connection
 * ends, as behind a firewall that has forgotten them) or to refuse new ones.
 */
export class SilentProxy implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #silence: { on: boolean };
  #refuses = false;

  private constructor(server: Server, silence: { on: boolean }, port: number) {
    this.#server = server;
    this.#silence = silence;
    this.url = `https://127.0.0.1:${port}`;
  }

  static async before(server: string): Promise<SilentProxy> {
    const target = new URL(server);
    const silence = { on: false };
    const listener = createServer((incoming) => {
      const outgoing = connect(Number(target.port), target.hostname);
      proxy.#carry(incoming, outgoing);
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const proxy = new SilentProxy(listener, silence, address.port);
    return proxy;
  }

  /** Those that fell silent stay so: they belong to the past. */
  setSilent(on: boolean): void {
    this.#silence.on = on;
    if (on) {
      for (const sockets of this.#pairs)
        for (const socket of sockets) socket.removeAllListeners('data').pause();
    }
  }

  /** Breaks all connections, and ends every new one at once until it is taken back. */
  refuse(on: boolean): void {
    this.#refuses = on;
    if (on) this.#breakAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#breakAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #breakAll(): void {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.destroy();
  }

  #carry(incoming: Socket, outgoing: Socket): void {
    if (this.#refuses) {
      incoming.destroy();
      outgoing.destroy();
    }
    const pair = [incoming, outgoing] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [outgoing, incoming] as const]) {
      if (!this.#silence.on) from.on('data', (bytes: Buffer) => to.write(bytes));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
