import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cached, digestOf } from './cache.ts';
import { silent } from './progress.ts';

describe('cached', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'kerbridge-cache-'));
  });
  afterEach(() => rm(root, { recursive: true }));
  const entry = (build: (folder: string) => Promise<void>): Parameters<typeof cached>[0] => ({
    root,
    name: 'jars-1',
    build,
    progress: silent,
  });

  it('builds once, also for callers at the same moment', async () => {
    let builds = 0;
    const build = async (folder: string): Promise<void> => {
      builds += 1;
      await writeFile(join(folder, 'a.jar'), 'a');
    };
    const folders = await Promise.all([cached(entry(build)), cached(entry(build))]);
    folders.push(await cached(entry(build)));
    expect(builds).toBe(1);
    expect(new Set(folders)).toEqual(new Set([join(root, 'jars-1')]));
    expect(await readFile(join(root, 'jars-1', 'a.jar'), 'utf8')).toBe('a');
  });

  it('leaves nothing behind when the build fails, and builds again next time', async () => {
    const failing = cached(
      entry(async (folder) => {
        await writeFile(join(folder, 'half.jar'), '');
        throw new Error('no network');
      }),
    );
    await expect(failing).rejects.toThrow('no network');
    expect(await readdir(root)).toEqual([]);
    await cached(entry((folder) => writeFile(join(folder, 'a.jar'), 'a')));
    expect(await readdir(join(root, 'jars-1'))).toEqual(['a.jar']);
  });

  it('is not complete while it is being built, and clears what a killed build left', async () => {
    await mkdir(join(root, 'jars-1.building-old'));
    await cached(
      entry((folder) => {
        expect(existsSync(join(root, 'jars-1'))).toBe(false);
        expect(folder).not.toBe(join(root, 'jars-1'));
        return Promise.resolve();
      }),
    );
    expect(await readdir(root)).toEqual(['jars-1']);
  });
});

describe('digestOf', () => {
  it('tells texts apart that are the same when joined', () => {
    expect(digestOf('ab', 'c')).not.toBe(digestOf('a', 'bc'));
    expect(digestOf('ab', 'c')).toBe(digestOf('ab', 'c'));
  });
});
