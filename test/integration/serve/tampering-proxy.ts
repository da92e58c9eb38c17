import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HdfsCluster } from '../../stack/stack.ts';

/**
 * Stands before the HTTP port of a real NameNode and changes what passes: the servers behind it are real, the man in
 * the middle is not Kerberos's friend. The client's SPN stays `HTTP@localhost`.
 */
export class TamperingProxy implements AsyncDisposable {
  /** Changes the query of a request on its way to the NameNode. */
  rewriteQuery: (query: URLSearchParams) => void = () => undefined;
  /** A request waits for this on its way to the NameNode. */
  hold: Promise<void> = Promise.resolve();
  /** Asked about each request, by its `op`; true if it is dealt with and must not go on. */
  interfere: (operation: string, outgoing: ServerResponse) => Promise<boolean> | boolean = () => false;
  /** `op` of every request that came. */
  readonly operations: string[] = [];
  readonly #server: Server;
  readonly #port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  static async before(nameNodeUrl: string): Promise<TamperingProxy> {
    const target = new URL(nameNodeUrl);
    const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
      const url = new URL(incoming.url ?? '/', target);
      const operation = url.searchParams.get('op') ?? '';
      proxy.operations.push(operation);
      proxy.rewriteQuery(url.searchParams);
      if (await proxy.interfere(operation, outgoing)) return;
      const forwarded = httpRequest(
        url,
        { method: incoming.method, headers: { ...incoming.headers, host: target.host } },
        (reply) => {
          outgoing.writeHead(reply.statusCode ?? 500, reply.statusMessage, reply.headers);
          reply.pipe(outgoing);
        },
      );
      forwarded.on('error', () => outgoing.destroy());
      await proxy.hold;
      incoming.pipe(forwarded);
    };
    const server = createServer((incoming, outgoing) => void forward(incoming, outgoing));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const proxy = new TamperingProxy(server, address.port);
    return proxy;
  }

  get url(): string {
    return `http://localhost:${this.#port}`;
  }

  /** A copy of the cluster's conf dir in which the NameNode's HTTP address is ours. */
  async confDir(cluster: HdfsCluster, folder: string): Promise<string> {
    const copy = join(folder, `conf-proxy-${this.#port}`);
    await mkdir(copy);
    const [nameNode] = cluster.nameNodes;
    const address = new URL(nameNode?.httpUrl ?? '').host;
    let replaced = 0;
    for (const file of await readdir(cluster.confDir)) {
      const text = await readFile(join(cluster.confDir, file), 'utf8');
      replaced += text.split(address).length - 1;
      await writeFile(join(copy, file), text.replaceAll(address, `localhost:${this.#port}`));
    }
    if (replaced === 0) throw new Error(`${cluster.confDir} does not name ${address}`);
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
