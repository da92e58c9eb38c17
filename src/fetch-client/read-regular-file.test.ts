import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { findEarlier } from './find-earlier.ts';
import { readCaFile } from './read-ca-file.ts';
import { MAX_FILE_BYTES, readRegularFile, UnfitFileError } from './read-regular-file.ts';
import { readServiceAccountToken } from './read-service-account-token.ts';
import { readStatus } from './status-file.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-read-'));
  path = join(folder, 'file');
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

it('reads a whole file, and says its mode and its time of change', async () => {
  const content = Buffer.alloc(MAX_FILE_BYTES, 'x');
  await writeFile(path, content);
  await chmod(path, 0o640);
  await utimes(path, 1, 7);
  const { bytes, mode, mtimeMs } = await readRegularFile(path);
  expect(bytes.equals(content)).toBe(true);
  expect([mode, mtimeMs]).toEqual([0o640, 7000]);
});

it('reads a file whose size the system does not say', async () => {
  expect((await readRegularFile('/proc/self/status')).bytes.toString()).toMatch(/^Name:/);
});

const UNFIT: [string, () => unknown, string][] = [
  ['a FIFO', () => execFileSync('mkfifo', [path]), 'not a regular file'],
  ['a symlink to a device', () => symlink('/dev/zero', path), 'not a regular file'],
  ['a folder', () => mkdir(path), 'not a regular file'],
  [
    'a byte too many',
    async () => {
      await writeFile(path, '');
      await truncate(path, MAX_FILE_BYTES + 1);
    },
    `more than ${MAX_FILE_BYTES} bytes`,
  ],
];

it.each(UNFIT)('refuses %s at once', async (_name, make, code) => {
  await make();
  const error = await readRegularFile(path).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UnfitFileError);
  expect(error).toMatchObject({ code });
});

it.each(UNFIT)('lets no reader of fetch wait for %s', async (_name, make, code) => {
  await make();
  await expect(readCaFile(path)).rejects.toThrow(`cannot read --ca-file ${path}: ${code}`);
  await expect(readServiceAccountToken(path)).rejects.toThrow(`service-account token ${path}: ${code};`);
  expect(await findEarlier(path, new FakeClock())).toBeUndefined();
});

it.each(['status', 'output'])('takes a FIFO for no %s', async (which) => {
  const output = join(folder, 'hadoop.token');
  execFileSync('mkfifo', [which === 'status' ? `${output}.status` : output]);
  expect(await readStatus(output)).toBeUndefined();
  expect(await findEarlier(output, new FakeClock())).toBeUndefined();
});
