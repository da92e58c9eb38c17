import { constants } from 'node:fs';
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises';
import { errorCode } from '../observability/error-code.ts';
import { replaceFiles, type StagedFile, temporaryBeside } from './replace-files.ts';

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
  EBUSY: 'a volume is mounted on the file itself (subPath); mount one on its folder',
};

export interface FileAccess {
  readonly mode: number;
  /** Numeric group; undefined: what the folder gives. */
  readonly group?: number | undefined;
}

/** Which file it is, for who looks again later: another inode, size or time of change is another file. */
export interface FileMark {
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

export interface WriteOptions extends FileAccess {
  /** In this order; the last is the one whose appearance means that all are there. */
  readonly paths: readonly string[];
  /** A name beside the path that begins with a dot and that nobody can guess. */
  readonly temporaryFor?: (path: string) => string;
}

/**
 * Replaces each of `paths` in one step: a reader sees the whole old file or the whole new one, never a part and never
 * nothing. Each new file has its mode from its first moment, under a name of its own beside the target, is synced to disk
 * and then renamed over it; the first is renamed when all are written. A symlink is replaced, not followed; a folder,
 * device, FIFO or socket is left alone. When anything fails the old files are there and nothing is left behind.
 */
export async function writeTokenFiles(bytes: Uint8Array, options: WriteOptions): Promise<FileMark[]> {
  const staged: StagedFile[] = [];
  try {
    for (const path of options.paths) staged.push(await stage(path, bytes, options));
    await replaceFiles(staged, toWriteError);
  } catch (error) {
    for (const { temporary } of staged) await unlink(temporary).catch(() => undefined);
    throw error;
  }
  // Not of the open file: what some file systems say of that is not what they say of the path.
  return await Promise.all(options.paths.map(markOf));
}

async function markOf(path: string): Promise<FileMark> {
  const found = await lstat(path, { bigint: true }).catch(() => undefined);
  // Gone already: no file will be this one.
  const { dev, ino, size, mtimeNs } = found ?? { dev: -1n, ino: -1n, size: -1n, mtimeNs: -1n };
  return { path, dev, ino, size, mtimeNs };
}

export async function isStill(mark: FileMark): Promise<boolean> {
  const found = await lstat(mark.path, { bigint: true }).catch(() => undefined);
  return (['dev', 'ino', 'size', 'mtimeNs'] as const).every((field) => found?.[field] === mark[field]);
}

async function stage(path: string, bytes: Uint8Array, options: WriteOptions): Promise<StagedFile> {
  const { temporaryFor = temporaryBeside } = options;
  const temporary = temporaryFor(path);
  let created = false;
  try {
    const code = await whyNotReplaceable(path);
    if (code !== undefined) throw Object.assign(new Error(), { code });
    const file = await open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      // Nobody of the group that the folder gives may open it before it has the group that was asked for.
      options.group === undefined ? options.mode : options.mode & 0o700,
    );
    created = true;
    await fill(file, bytes, options);
    return { path, temporary };
  } catch (error) {
    if (created) await unlink(temporary).catch(() => undefined);
    throw toWriteError(path, error);
  }
}

/** rename() would replace a device (/dev/null, for everybody), and does this or that to a folder: ask first. */
async function whyNotReplaceable(path: string): Promise<string | undefined> {
  const existing = await lstat(path).catch(() => undefined);
  if (existing === undefined || existing.isFile() || existing.isSymbolicLink()) return undefined;
  return existing.isDirectory() ? 'EISDIR' : 'EEXIST';
}

async function fill(file: FileHandle, bytes: Uint8Array, { mode, group }: FileAccess): Promise<void> {
  try {
    if (group !== undefined) await giveToGroup(file, group);
    await file.chmod(mode); // the umask can only have taken bits away, an ACL default could have added some
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

class GroupError extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(code: string, group: number) {
    super();
    this.code = code;
    this.hint = `can't be given to group ${group}; add it to supplementalGroups of the pod`;
  }
}

async function giveToGroup(file: FileHandle, group: number): Promise<void> {
  try {
    await file.chown(-1, group);
  } catch (error) {
    throw new GroupError(errorCode(error), group);
  }
}

function toWriteError(path: string, error: unknown): WriteTokenFileError {
  const code = errorCode(error);
  const hint = error instanceof GroupError ? error.hint : (HINTS[code] ?? 'see the code');
  return new WriteTokenFileError(path, code, hint);
}
