import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { lstat, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { replaceFiles, temporaryBeside } from './replace-files.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-replace-'));
  await writeFile(join(folder, 'file'), 'old');
  await symlink('file', join(folder, 'link'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const staged = async (name: string, content?: string) => {
  const path = join(folder, name);
  const temporary = temporaryBeside(path);
  if (content !== undefined) await writeFile(temporary, content);
  return { path, temporary };
};

const toError = (path: string, error: unknown) => new Error(path, { cause: error });

it('replaces all and leaves nothing else', async () => {
  const files = [await staged('file', 'new'), await staged('link', 'new'), await staged('none', 'new')];
  await replaceFiles(files, toError);
  expect(await readdir(folder)).toEqual(['file', 'link', 'none']);
  for (const { path } of files) {
    expect((await lstat(path)).isFile()).toBe(true);
    expect(await readFile(path, 'utf8')).toBe('new');
  }
});

it('puts all back, a symlink and what was not there too, when the last one fails', async () => {
  const files = [await staged('file', 'new'), await staged('link', 'new'), await staged('none', 'new')];
  const last = await staged('last');
  await expect(replaceFiles([...files, last], toError)).rejects.toThrow(last.path);
  expect(await readdir(folder)).toEqual(['file', 'link']);
  expect(await readFile(join(folder, 'file'), 'utf8')).toBe('old');
  expect(await readlink(join(folder, 'link'))).toBe('file');
});

it('replaces nothing after the one that fails, and keeps no second name of it', async () => {
  const files = [await staged('link', 'new'), await staged('file'), await staged('none', 'new')];
  await expect(replaceFiles(files, toError)).rejects.toThrow(join(folder, 'file'));
  expect((await readdir(folder)).filter((name) => !name.startsWith('.none'))).toEqual(['file', 'link']);
  expect(await readlink(join(folder, 'link'))).toBe('file');
});

it('makes temporaries beside the file, hidden, and never twice the same', () => {
  const names = [1, 2, 3].map(() => temporaryBeside('/a/b.token'));
  expect(new Set(names).size).toBe(3);
  for (const name of names) expect(name).toMatch(/^\/a\/\.b\.token\.[0-9a-f]{12}$/);
});
