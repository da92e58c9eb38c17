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
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WriteTokenFileError, writeTokenFile } from './write-token-file.ts';

describe('writeTokenFile', () => {
  let folder: string;
  let target: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerbridge-write-'));
    target = join(folder, 'hadoop.token');
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('makes a file of mode 0600 whatever the umask', async () => {
    const umask = process.umask(0o277);
    try {
      await writeTokenFile(target, Buffer.from('new'));
    } finally {
      process.umask(umask);
    }
    expect((await stat(target)).mode & 0o7777).toBe(0o600);
    expect(await readFile(target, 'utf8')).toBe('new');
  });

  it('gives a file that was open to others mode 0600', async () => {
    await writeFile(target, 'old');
    await chmod(target, 0o644);
    await writeTokenFile(target, Buffer.from('new'));
    expect((await stat(target)).mode & 0o7777).toBe(0o600);
  });

  it('replaces the file by another, so that a reader of the old one keeps the whole old one', async () => {
    await writeFile(target, 'old');
    const before = await stat(target);
    await writeTokenFile(target, Buffer.from('new'));
    expect((await stat(target)).ino).not.toBe(before.ino);
    expect(await readdir(folder)).toEqual(['hadoop.token']);
  });

  it('replaces a symlink instead of following it', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await writeFile(elsewhere, 'precious');
    await symlink(elsewhere, target);
    await writeTokenFile(target, Buffer.from('new'));
    expect(await readFile(elsewhere, 'utf8')).toBe('precious');
    expect(await readFile(target, 'utf8')).toBe('new');
  });

  it('writes into a folder that is reached by a symlink', async () => {
    await mkdir(join(folder, 'real'));
    await symlink(join(folder, 'real'), join(folder, 'linked'));
    await writeTokenFile(join(folder, 'linked', 'hadoop.token'), Buffer.from('new'));
    expect(await readFile(join(folder, 'real', 'hadoop.token'), 'utf8')).toBe('new');
  });

  it('leaves a socket alone', async () => {
    const server = createServer().listen(target);
    await once(server, 'listening');
    await expect(writeTokenFile(target, Buffer.from('new'))).rejects.toMatchObject({ code: 'EEXIST' });
    expect((await lstat(target)).isSocket()).toBe(true);
    expect(await readdir(folder)).toEqual(['hadoop.token']);
    server.close();
  });

  it('leaves a FIFO alone', async () => {
    execFileSync('mkfifo', [target]);
    await expect(writeTokenFile(target, Buffer.from('new'))).rejects.toThrow(
      /EEXIST: a device, FIFO or socket/,
    );
    expect((await lstat(target)).isFIFO()).toBe(true);
    expect(await readdir(folder)).toEqual(['hadoop.token']);
  });

  it('replaces a symlink to a device, not the device', async () => {
    await symlink('/dev/null', target);
    await writeTokenFile(target, Buffer.from('new'));
    expect((await lstat(target)).isFile()).toBe(true);
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
    const error = await writeTokenFile(path, Buffer.from('new')).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(WriteTokenFileError);
    expect(error).toHaveProperty('code', expect.stringMatching(new RegExp(`^(${code})$`)));
    expect(String(error)).toContain(path);
    expect(await readdir(folder)).toEqual(before);
  });
});
