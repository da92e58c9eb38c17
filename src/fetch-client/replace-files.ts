import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../observability/error-code.ts';

/** A file that is written, beside the one that it is to replace. */
export interface StagedFile {
  readonly path: string;
  readonly temporary: string;
}

export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
}

/**
 * Renames each over its target, in their order. When one can't be, those before it are put back: some places show only
 * then that they can't be replaced (a file that is a mount of its own, another user's file in a sticky folder).
 */
export async function replaceFiles(
  files: readonly StagedFile[],
  toError: (path: string, error: unknown) => Error,
): Promise<void> {
  const kept: { path: string; old: string | undefined }[] = [];
  try {
    for (const [index, { path, temporary }] of files.entries()) {
      const isLast = index === files.length - 1;
      const old = isLast ? undefined : await keepOld(path);
      try {
        await rename(temporary, path);
      } catch (error) {
        if (old !== undefined && old !== ABSENT) await unlink(old).catch(() => undefined);
        throw toError(path, error);
      }
      if (!isLast) kept.push({ path, old });
    }
  } catch (error) {
    for (const each of kept.splice(0).toReversed()) await putBack(each);
    throw error;
  }
  for (const { old } of kept) {
    if (old !== undefined && old !== ABSENT) await unlink(old).catch(() => undefined);
  }
  for (const folder of new Set(files.map(({ path }) => dirname(path)))) await syncFolder(folder);
}

/** No path: those have a folder and a name. */
const ABSENT = '';

/** A second name for what is at `path`; undefined where the file system has no such thing, and it can't be put back. */
async function keepOld(path: string): Promise<string | undefined> {
  const old = temporaryBeside(path);
  try {
    await link(path, old);
    return old;
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? ABSENT : undefined;
  }
}

async function putBack({ path, old }: { path: string; old: string | undefined }): Promise<void> {
  if (old === undefined) return;
  await (old === ABSENT ? unlink(path) : rename(old, path)).catch(() => undefined);
}

/** Makes the rename itself durable. Not every file system lets a folder be synced; the file is whole either way. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // nothing to mend: the new files are in place
  }
}
