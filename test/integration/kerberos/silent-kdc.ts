import { createServer, type Socket } from 'node:net';

/** A KDC that takes every connection and never says a word: the worst kind. */
export interface SilentKdc {
  readonly port: number;
  /** How many have called so far. */
  readonly calls: () => number;
  stop(): Promise<void>;
}

export const startSilentKdc = async (port = 0): Promise<SilentKdc> => {
  const sockets = new Set<Socket>();
  let calls = 0;
  const server = createServer((socket) => {
    calls += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new Error('no port');
  }
  return {
    port: address.port,
    calls: () => calls,
    stop: async () => {
      for (const socket of sockets) {
        socket.destroy();
      }
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
};
