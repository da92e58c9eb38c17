import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../observability/error-code.ts';

/** Why the file could not be written. `code` is the system's (`ENOSPC`, `EROFS`, `EACCES`, `ENOENT` …). */
export class WriteTokenFileError extends Error {
  override readonly name = 'WriteTokenFileError';
  readonly code: string;

  constructor(path: string, code: string, hint: string) {
    super(`cannot write ${path}: ${code}: ${hint}`);
    this.code = code;
  }
}

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'the volume is full',
  EDQUOT: 'the quota of the volume is used up',
  EROFS: 'the volume is read-only; mount an emptyDir there',
  EACCES: 'the folder is not writable for this user',
  EPERM: 'the folder is not writable for this user',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'a device, FIFO or socket is there, and would be replaced; name a file',
  EISDIR: 'the path is a folder; name a file in it',
};

/**
 * Replaces `path` in one step: a reader sees the whole old file or the whole new one, never a part and never nothing.
 * The new file has mode 0600 from its first moment, under a name of its own beside the target, is synced to disk and
 * then renamed over it. A symlink at `path` is replaced, not followed;
 * a device, FIFO or socket is left alone. When anything fails the old file is untouched
 * and nothing is left behind.
 */
export async function writeTokenFile(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  let created = false;
  try {
    const code = await whyNotReplaceable(path);
    if (code !== undefined) throw Object.assign(new Error(), { code });
    const file = await open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    created = true;
    await writeAll(file, bytes);
    await rename(temporary, path);
    created = false;
    await syncFolder(folder);
  } catch (error) {
    if (created) await unlink(temporary).catch(() => undefined);
    const code = errorCode(error);
    throw new WriteTokenFileError(path, code, HINTS[code] ?? 'see the code');
  }
}

/** rename() would replace a device (/dev/null, for everybody), and does this or that to a folder: ask first. */
async function whyNotReplaceable(path: string): Promise<string | undefined> {
  const existing = await lstat(path).catch(() => undefined);
  if (existing === undefined || existing.isFile() || existing.isSymbolicLink()) return undefined;
  return existing.isDirectory() ? 'EISDIR' : 'EEXIST';
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await file.chmod(0o600); // the umask can only have taken bits away, an ACL default could have added some
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
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
    // nothing to mend: the new file is in place
  }
}
