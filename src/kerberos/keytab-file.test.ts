import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keytabFile } from './keytab-file.ts';
import { MAX_KEYTAB_BYTES } from './keytab.ts';

/** `alice@R`, key version 1, a key of four bytes. */
const KEYTAB = Buffer.from(`05020000001d00010001520005616c69636500000001000000000100120004deadbeef`, 'hex');

describe('keytabFile', () => {
  let dir = '';

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kerbridge-keytab-test-'));
  });

  afterEach(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  const write = async (name: string, content: Uint8Array = KEYTAB): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, content);
    return path;
  };

  it('reads the principals', async () => {
    const source = keytabFile(await write('a.keytab'));
    await expect(source.read()).resolves.toMatchObject({ principals: ['alice@R'] });
  });

  it('has the same fingerprint while nothing changes', async () => {
    const source = keytabFile(await write('a.keytab'));
    expect(await source.fingerprint()).toBe(await source.fingerprint());
  });

  it('sees a file put in its place, even one with the same size and time', async () => {
    const path = await write('a.keytab');
    const other = await write('b.keytab');
    const time = new Date(1_700_000_000_000);
    await utimes(path, time, time);
    await utimes(other, time, time);
    const before = await keytabFile(path).fingerprint();
    await rename(other, path);
    expect(await keytabFile(path).fingerprint()).not.toBe(before);
  });

  it('sees a change of time alone', async () => {
    const path = await write('a.keytab');
    const before = await keytabFile(path).fingerprint();
    await utimes(path, 1, 1);
    expect(await keytabFile(path).fingerprint()).not.toBe(before);
  });

  it('sees the link of a Kubernetes Secret volume swing over', async () => {
    for (const version of ['..v1', '..v2']) {
      await mkdir(join(dir, version));
      await write(join(version, 'keytab'));
    }
    await symlink('..v1', join(dir, '..data'));
    await symlink('..data/keytab', join(dir, 'keytab'));
    const source = keytabFile(join(dir, 'keytab'));
    const before = await source.fingerprint();
    await symlink('..v2', join(dir, '..data_tmp'));
    await rename(join(dir, '..data_tmp'), join(dir, '..data'));
    expect(await source.fingerprint()).not.toBe(before);
  });

  it.each([
    ['a file that is not there', async () => join(dir, 'none'), 'missing'],
    ['a path below a file', async () => join(await write('a.keytab'), 'x'), 'missing'],
    ['an empty file', async () => write('empty', Buffer.alloc(0)), 'empty'],
    ['garbage', async () => write('garbage', Buffer.from('garbage')), 'bad-magic'],
    ['a cut file', async () => write('cut', KEYTAB.subarray(0, 20)), 'damaged'],
    ['a directory', async () => dir, 'not-a-file'],
    [
      'a file that is far too large',
      async () => {
        const path = await write('large');
        await truncate(path, MAX_KEYTAB_BYTES + 1);
        return path;
      },
      'too-large',
    ],
    [
      'a file larger than memory',
      async () => {
        const path = await write('huge');
        await truncate(path, 2 ** 43);
        return path;
      },
      'too-large',
    ],
    ['a device without end', async () => '/dev/zero', 'not-a-file'],
    [
      'a named pipe that nobody writes to',
      async () => {
        const path = join(dir, 'pipe');
        execFileSync('mkfifo', [path]);
        return path;
      },
      'not-a-file',
    ],
  ])('refuses %s', async (_, make, problem) => {
    const path = await make();
    await expect(keytabFile(path).read()).rejects.toMatchObject({ name: 'KeytabError', problem });
  });

  it('has no fingerprint of a missing file', async () => {
    await expect(keytabFile(join(dir, 'none')).fingerprint()).rejects.toMatchObject({
      problem: 'missing',
      message: expect.stringContaining(join(dir, 'none')),
    });
  });
});
