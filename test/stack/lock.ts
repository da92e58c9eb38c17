import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { systemClock } from '../../src/time/clock.ts';
import { isErrno } from './errors.ts';

/**
 * Runs `work` while no other process of this machine runs one under the same name. The lock is a Unix socket in the
 * abstract namespace (unix(7)): the kernel frees it with the process that holds it, so that kill -9 leaves none behind.
 * @param onWait called once when the lock is taken.
 */
export async function withLock<T>(
  name: string,
  work: () => Promise<T>,
  onWait: () => void = () => {},
): Promise<T> {
  const server = await acquire(name, onWait);
  try {
    return await work();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

async function acquire(name: string, onWait: () => void): Promise<Server> {
  // A socket path holds 108 bytes at most, a folder name can be longer.
  const path = `\0kerbridge-stack-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  for (let attempt = 0; ; attempt += 1) {
    const server = await listen(path);
    if (server !== undefined) {
      return server;
    }
    if (attempt === 0) {
      onWait();
    }
    await systemClock.sleep(100);
  }
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => {
      if (isErrno(error, 'EADDRINUSE')) {
        resolve(undefined);
      } else {
        reject(error);
      }
    });
    server.listen({ path }, () => resolve(server));
  });
}
