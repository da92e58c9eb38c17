import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { ListenAddress } from '../../config/listen-address.ts';
import type { Clock } from '../../time/clock.ts';

/** A request has no body to wait for: whoever needs longer for its headers than this holds a socket on purpose. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** A server that ends its requests before its connections. */
export class HttpServer {
  readonly #server: Server;
  readonly #unanswered = new Set<ServerResponse>();
  #stopping = false;

  constructor(listener: RequestListener) {
    this.#server = createServer(
      { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => {
        this.#unanswered.add(response);
        response.once('close', () => this.#unanswered.delete(response));
        if (this.#stopping) response.setHeader('Connection', 'close');
        listener(request, response);
      },
    );
  }

  /** Resolves to where it listens, which with port 0 is news. Rejects with the system's error. */
  async listen({ address, port }: ListenAddress): Promise<ListenAddress> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, address, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the server has no address');
    return { address: bound.address, port: bound.port };
  }

  /**
   * Takes no more connections and waits for the requests under way, for as long as the grace period lasts.
   * @returns how many requests were cut off
   */
  async stop(gracePeriodMs: number, clock: Clock): Promise<number> {
    this.#stopping = true;
    for (const response of this.#unanswered) {
      if (!response.headersSent) response.setHeader('Connection', 'close');
    }
    const over = new AbortController();
    // close() also closes the connections that are idle now; those in use end with their answer (Connection: close).
    const closed = new Promise<'closed'>((resolve) => this.#server.close(() => resolve('closed')));
    const timeout = clock.sleep(gracePeriodMs, over.signal).then(
      () => 'timeout' as const,
      () => 'closed' as const,
    );
    const outcome = await Promise.race([closed, timeout]);
    over.abort();
    const cutOff = outcome === 'closed' ? 0 : this.#unanswered.size;
    this.#server.closeAllConnections();
    return cutOff;
  }
}
