import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from './lock.ts';
import type { Progress } from './progress.ts';

export interface CacheEntry {
  readonly root: string;
  /** Name with version or hash of the sources: other content has another name. */
  readonly name: string;
  /** Fills the folder it is given. */
  readonly build: (folder: string) => Promise<void>;
  readonly progress: Progress;
}

/**
 * The folder of something built once. It is built in a folder of another name and renamed when complete, so an
 * interrupted build leaves nothing that could be taken for a whole one; two processes never build the same thing at once.
 */
export async function cached({ root, name, build, progress }: CacheEntry): Promise<string> {
  const folder = join(root, name);
  if (existsSync(folder)) {
    return folder;
  }
  return withLock(
    `cache ${folder}`,
    async () => {
      if (existsSync(folder)) {
        return folder;
      }
      await mkdir(root, { recursive: true });
      await removeLeftovers(root, `${name}.building-`);
      const temporary = await mkdtemp(join(root, `${name}.building-`));
      try {
        await build(temporary);
        await rename(temporary, folder);
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
      return folder;
    },
    () => progress(`waiting for another process that builds ${name}`),
  );
}

async function removeLeftovers(root: string, prefix: string): Promise<void> {
  for (const entry of await readdir(root)) {
    if (entry.startsWith(prefix)) {
      await rm(join(root, entry), { recursive: true, force: true });
    }
  }
}

/** Twelve hex digits that change with any of the texts. */
export function digestOf(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) {
    hash.update(`${Buffer.byteLength(text)}:`).update(text);
  }
  return hash.digest('hex').slice(0, 12);
}
