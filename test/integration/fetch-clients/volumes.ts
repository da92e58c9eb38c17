import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../../../src/observability/error-code.ts';
import type { FetchWorld } from './fetch-world.ts';

const run = promisify(execFile);

/** Mounts are root's. */
async function asRoot(command: string, ...args: readonly string[]): Promise<void> {
  if (process.getuid?.() === 0) await run(command, args);
  else await run('sudo', ['-n', command, ...args]);
}

/** A real volume in memory, of 64 KiB, for everybody to write to; gone with the world. */
export async function mountVolume(world: FetchWorld, name: string): Promise<string> {
  const path = join(world.folder, name);
  await mkdir(path);
  await asRoot('mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0777', 'kerbridge-test', path);
  world.onCleanUp(() => asRoot('umount', '-l', path));
  return path;
}

export async function makeReadOnly(path: string): Promise<void> {
  await asRoot('mount', '-o', 'remount,ro', path);
}

/** Up to its last byte. */
export async function fill(path: string): Promise<void> {
  for (const size of [8192, 1]) {
    try {
      for (let each = 0; ; each += 1)
        await writeFile(join(path, `filler-${size}-${each}`), Buffer.alloc(size));
    } catch (error) {
      if (errorCode(error) !== 'ENOSPC') throw error;
    }
  }
}

/** What a subPath volume is: a mount on a file, which nothing can be renamed over. */
export async function mountFile(world: FetchWorld, path: string): Promise<void> {
  await asRoot('mount', '--bind', path, path);
  world.onCleanUp(() => asRoot('umount', '-l', path));
}

export async function makeFifo(path: string): Promise<void> {
  await run('mkfifo', [path]);
}

export async function makeWritable(path: string): Promise<void> {
  await asRoot('mount', '-o', 'remount,rw', path);
}

/** Another name of /dev/null, where nobody else writes. */
export async function makeDevice(path: string): Promise<void> {
  await asRoot('mknod', path, 'c', '1', '3');
}
