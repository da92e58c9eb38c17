import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isStill, WriteTokenFileError, type WriteOptions, writeTokenFiles } from './write-token-file.ts';

let folder: string;
let target: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-write-'));
  target = join(folder, 'hadoop.token');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const write = (paths: string | readonly string[], more: Partial<WriteOptions> = {}) =>
  writeTokenFiles(Buffer.from('new'), { paths: [paths].flat(), mode: 0o600, ...more });

describe('writeTokenFiles', () => {
  it.each([0o600, 0o640, 0o660, 0o400, 0o440])('makes a file of mode %o whatever the umask', async (mode) => {
    const umask = process.umask(0o277);
    try {
      await write(target, { mode });
    } finally {
      process.umask(umask);
    }
    expect((await stat(target)).mode & 0o7777).toBe(mode);
    expect(await readFile(target, 'utf8')).toBe('new');
  });

  it('gives a file that was open to others its mode', async () => {
    await writeFile(target, 'old');
    await chmod(target, 0o644);
    await write(target);
    expect((await stat(target)).mode & 0o7777).toBe(0o600);
  });

  it('gives the file to the group that is asked for', async () => {
    // Only root may choose any; everybody else their own.
    const group = process.getuid?.() === 0 ? 54_321 : (process.getgid?.() ?? 0);
    await write(target, { mode: 0o640, group });
    const { gid, mode } = await stat(target);
    expect([gid, mode & 0o7777]).toEqual([group, 0o640]);
  });

  it('replaces the file by another, so that a reader of the old one keeps the whole old one', async () => {
    await writeFile(target, 'old');
    const before = await stat(target);
    await write(target);
    expect((await stat(target)).ino).not.toBe(before.ino);
    expect(await readdir(folder)).toEqual(['hadoop.token']);
  });

  it('replaces a symlink instead of following it', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await writeFile(elsewhere, 'precious');
    await symlink(elsewhere, target);
    await write(target);
    expect(await readFile(elsewhere, 'utf8')).toBe('precious');
    expect(await readFile(target, 'utf8')).toBe('new');
  });

  it.each(['a symlink', 'a file'])('does not write through %s in place of the temporary', async (what) => {
    const elsewhere = join(folder, 'elsewhere');
    const temporary = join(folder, '.guessed');
    await writeFile(elsewhere, 'precious');
    await (what === 'a file' ? writeFile(temporary, 'planted') : symlink(elsewhere, temporary));
    await writeFile(target, 'old');
    await expect(write(target, { temporaryFor: () => temporary })).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(elsewhere, 'utf8')).toBe('precious');
    expect(await readFile(target, 'utf8')).toBe('old');
    expect((await lstat(temporary)).isSymbolicLink()).toBe(what === 'a symlink');
  });

  it('writes into a folder that is reached by a symlink', async () => {
    await mkdir(join(folder, 'real'));
    await symlink(join(folder, 'real'), join(folder, 'linked'));
    await write(join(folder, 'linked', 'hadoop.token'));
    expect(await readFile(join(folder, 'real', 'hadoop.token'), 'utf8')).toBe('new');
  });

  it('leaves a socket alone', async () => {
    const server = createServer().listen(target);
    await once(server, 'listening');
    await expect(write(target)).rejects.toMatchObject({ code: 'EEXIST' });
    expect((await lstat(target)).isSocket()).toBe(true);
    expect(await readdir(folder)).toEqual(['hadoop.token']);
    server.close();
  });

  it('leaves a FIFO alone', async () => {
    execFileSync('mkfifo', [target]);
    await expect(write(target)).rejects.toThrow(/EEXIST: a device, FIFO or socket/);
    expect((await lstat(target)).isFIFO()).toBe(true);
    expect(await readdir(folder)).toEqual(['hadoop.token']);
  });

  it('replaces a symlink to a device, not the device', async () => {
    await symlink('/dev/null', target);
    await write(target);
    expect((await lstat(target)).isFile()).toBe(true);
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  it('leaves a device alone', async () => {
    await expect(write('/dev/null')).rejects.toThrow(/\/dev\/null: EEXIST: a device/);
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  it.each([
    ['the folder is missing', 'ENOENT', async () => join(folder, 'missing', 'file')],
    [
      'the path is a folder',
      'EISDIR',
      async () => {
        await mkdir(join(folder, 'directory'));
        return join(folder, 'directory');
      },
    ],
    [
      'a part of the path is a file',
      'ENOTDIR',
      async () => {
        await writeFile(join(folder, 'plain'), '');
        return join(folder, 'plain', 'file');
      },
    ],
    ['the volume takes no file', 'EACCES|EPERM|ENOENT|EROFS', async () => '/proc/self/hadoop.token'],
  ])('says why when %s and leaves nothing behind', async (_name, code, makePath) => {
    const path = await makePath();
    const before = await readdir(folder);
    const error = await write(path).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(WriteTokenFileError);
    expect(error).toHaveProperty('code', expect.stringMatching(new RegExp(`^(${code})$`)));
    expect(String(error)).toContain(path);
    expect(await readdir(folder)).toEqual(before);
  });
});

describe('writeTokenFiles with several files', () => {
  it('replaces them all', async () => {
    const copies = [join(folder, 'a'), join(folder, 'b')];
    await writeFile(join(folder, 'a'), 'old');
    await write([...copies, target]);
    expect(await readdir(folder)).toEqual(['a', 'b', 'hadoop.token']);
    for (const path of [...copies, target]) expect(await readFile(path, 'utf8')).toBe('new');
  });

  it.each([0, 1, 2])('replaces none when the one at place %d is a folder', async (place) => {
    const paths = [join(folder, 'a'), join(folder, 'b'), target];
    for (const [index, path] of paths.entries()) {
      await (index === place ? mkdir(path) : writeFile(path, 'old'));
    }
    await expect(write(paths)).rejects.toThrow(`cannot write ${paths[place] ?? ''}: EISDIR`);
    for (const [index, path] of paths.entries()) {
      if (index !== place) expect(await readFile(path, 'utf8')).toBe('old');
    }
    expect(await readdir(folder)).toEqual(['a', 'b', 'hadoop.token']);
  });
});

describe('the mark of a written file', () => {
  it.each<[string, (path: string) => Promise<unknown>, boolean]>([
    ['left alone', async () => undefined, true],
    ['read', (path) => readFile(path), true],
    ['removed', (path) => unlink(path), false],
    ['written over', (path) => writeFile(path, 'NEW'), false],
    ['touched', (path) => utimes(path, 1, 1), false],
    [
      'replaced by a symlink',
      async (path) => {
        await rename(path, `${path}.moved`);
        await symlink(`${path}.moved`, path);
      },
      false,
    ],
  ])('knows it when it is %s: %s', async (_name, change, isTheSame) => {
    const [mark] = await write(target);
    if (mark === undefined) throw new Error('no mark');
    await change(target);
    expect(await isStill(mark)).toBe(isTheSame);
  });
});
