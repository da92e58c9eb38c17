import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** Key of each certificate in test/fixtures/tls that is not of the same name. */
const KEYS: Readonly<Record<string, string>> = { expired: 'renewed', future: 'renewed' };

/** HTTP servers on loopback that say what a test wants, and are gone after it. */
export class HttpServers {
  readonly #servers: Server[] = [];

  async http(listener: RequestListener): Promise<URL> {
    return new URL(`http://127.0.0.1:${await this.#listen(createServer(listener))}`);
  }

  /** With a certificate of test/fixtures/tls. */
  async https(certificate: string, listener: RequestListener): Promise<URL> {
    const cert = this.certificate(certificate);
    const key = fixture(`${KEYS[certificate] ?? certificate}.key`);
    return new URL(`https://localhost:${await this.#listen(createSecureServer({ cert, key }, listener))}`);
  }

  certificate(name: string): string {
    return fixture(`${name}.crt`);
  }

  close(): void {
    for (const server of this.#servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  }

  async #listen(server: Server): Promise<number> {
    this.#servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
}

function fixture(name: string): string {
  return readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), 'utf8');
}
