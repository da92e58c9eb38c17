import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SpnegoError } from '../hadoop/spnego.ts';

/** A private place for one FILE credential cache: whoever reads it has our tickets. */
export interface Tickets {
  /** For KRB5CCNAME. */
  readonly cacheName: string;
  /** Removes the tickets and their directory; may be called twice. */
  remove(): Promise<void>;
}

export type MakeTickets = () => Promise<Tickets>;

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown error';

/**
 * Makes directories of mode 0700 (what mkdtemp(3) gives) below `parent`. A FILE cache and not a MEMORY one, because
 * the latter fails now and then ("Matching credential not found") while tickets are refreshed, and because it outlives
 * a worker that had to be killed. What it returns rejects with {@link SpnegoError} 'configuration' when it can't write there.
 */
export const ticketsBelow =
  (parent: string): MakeTickets =>
  async () => {
    const dir = await mkdtemp(join(parent, 'kerbridge-tickets-')).catch((error: unknown) => {
      throw new SpnegoError(
        'configuration',
        `no directory for tickets can be made in ${parent} (${codeOf(error)})`,
        {
          fix: 'Mount a small writable volume there, memory-backed at best: tickets are credentials',
        },
      );
    });
    return {
      cacheName: `FILE:${join(dir, 'ccache')}`,
      remove: () => rm(dir, { recursive: true, force: true }),
    };
  };
