import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SpnegoError } from '../hadoop/spnego.ts';
import { errorCode } from '../observability/error-code.ts';
import { isAlive, ownIdentity } from './process-identity.ts';

/** A private place for one FILE credential cache: whoever reads it has our tickets. */
export interface Tickets {
  /** For KRB5CCNAME. */
  readonly cacheName: string;
  /** Removes the tickets and their directory; may be called twice. */
  remove(): Promise<void>;
}

export type MakeTickets = () => Promise<Tickets>;

/** Directories that were made and not removed yet, by anybody in this process. */
const present = new Set<string>();

/** What `process.exit()` skips. As process 1 of a container we take the worker along, so it can't do this for us. */
const removeAllAtExit = (): void => {
  for (const dir of present) {
    try {
      // The worker may be writing there.
      rmSync(dir, { recursive: true, force: true, maxRetries: 3, retryDelay: 10 });
    } catch {
      // Nobody is left to be told; the next process removes it.
    }
  }
};

const watchOver = (dir: string): void => {
  if (present.size === 0) {
    process.on('exit', removeAllAtExit);
  }
  present.add(dir);
};

const removeNow = async (dir: string): Promise<void> => {
  await rm(dir, { recursive: true, force: true });
  present.delete(dir);
  if (present.size === 0) {
    process.off('exit', removeAllAtExit);
  }
};

/** A pid means nothing on another machine or in another pod, with whom we may share a volume. */
const hostMark = (): string => createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

const NAME = /^kerbridge-tickets-(?<host>[0-9a-f]{8})-(?<pid>[0-9]{1,10})-(?<startTime>[0-9]{1,20})-\w{6}$/u;

/** Whether the tickets in the directory are ours, and of a process that is gone. */
const isAbandoned = async (parent: string, name: string): Promise<boolean> => {
  const { host, pid, startTime } = NAME.exec(name)?.groups ?? {};
  if (host !== hostMark() || pid === undefined || startTime === undefined) {
    return false;
  }
  const stats = await lstat(join(parent, name));
  return (
    stats.isDirectory() &&
    stats.uid === process.getuid?.() &&
    (stats.mode & 0o777) === 0o700 &&
    !(await isAlive({ pid: Number(pid), startTime }))
  );
};

/** Removes what processes left behind that were killed. Never rejects: it is a service to others. */
export const removeAbandonedTickets = async (parent: string): Promise<void> => {
  for (const name of await readdir(parent).catch(() => [])) {
    try {
      if (await isAbandoned(parent, name)) {
        await rm(join(parent, name), { recursive: true, force: true });
      }
    } catch {
      // Somebody else was faster, or it is not for us to remove.
    }
  }
};

/**
 * Makes directories of mode 0700 (what mkdtemp(3) gives) below `parent`, whose names tell the process that owns them; the
 * first time it removes those of processes that are gone. A FILE cache and not a MEMORY one, because
 * the latter fails now and then ("Matching credential not found") while tickets are refreshed, and because it outlives
 * a worker that had to be killed. What it returns rejects with {@link SpnegoError} 'configuration' when it can't write there.
 */
export const ticketsBelow = (parent: string): MakeTickets => {
  let cleaned: Promise<void> | undefined;
  return async () => {
    cleaned ??= removeAbandonedTickets(parent);
    await cleaned;
    const { pid, startTime } = await ownIdentity();
    const prefix = join(parent, `kerbridge-tickets-${hostMark()}-${pid}-${startTime}-`);
    const dir = await mkdtemp(prefix).catch((error: unknown) => {
      throw new SpnegoError(
        'configuration',
        `no directory for tickets can be made in ${parent} (${errorCode(error)})`,
        {
          fix: 'Mount a small writable volume there, memory-backed at best: tickets are credentials',
        },
      );
    });
    watchOver(dir);
    return { cacheName: `FILE:${join(dir, 'ccache')}`, remove: () => removeNow(dir) };
  };
};
