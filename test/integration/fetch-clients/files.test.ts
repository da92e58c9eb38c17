import { describe, expect, it } from '@jest/globals';
import { lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLIENTS } from './clients.ts';
import { expectRow, type FaultRow } from './fault-row.ts';
import type { FetchWorld } from './fetch-world.ts';
import { fill, makeDevice, makeFifo, makeReadOnly, mountFile, mountVolume } from './volumes.ts';

const MORE_TRIES = '--deadline=30';

const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);
const copyOf = (world: FetchWorld, name = 'copy') => join(world.volume, name);
/** Where a test has its target elsewhere than the row's `file` looks. */
const elsewhere = (world: FetchWorld) => join(world.folder, 'elsewhere');

const rowOfMode = (mode: string): FaultRow => ({
  name: `mode ${mode}`,
  args: (world) => [`--mode=${mode}`, `--copy=${copyOf(world)}`],
  exit: 0,
  file: 'new',
  after: async (world) => {
    expect(await modeOf(world.output)).toBe(mode.slice(1));
    expect(await modeOf(copyOf(world))).toBe(mode.slice(1));
  },
});

const OUTPUT_ROWS: readonly FaultRow[] = [
  {
    name: 'mode 0600 by default, though the old file had another',
    given: async (world) => {
      await rm(world.output);
      await writeFile(world.output, world.old, { mode: 0o644 });
    },
    exit: 0,
    file: 'new',
    after: async (world) => expect(await modeOf(world.output)).toBe('600'),
  },
  ...['0640', '0660', '0400', '0440'].map(rowOfMode),
  {
    name: 'a file of mode 0400 over one',
    args: () => ['--mode=0400'],
    given: async (world) => {
      await rm(world.output);
      await writeFile(world.output, world.old, { mode: 0o400 });
    },
    exit: 0,
    file: 'new',
  },
  {
    name: 'a group',
    args: (world) => ['--group=4711', '--mode=0640', `--copy=${copyOf(world)}`],
    exit: 0,
    file: 'new',
    after: async (world) => {
      for (const path of [world.output, copyOf(world)]) {
        expect((await stat(path)).gid).toBe(4711);
        expect(await modeOf(path)).toBe('640');
      }
    },
  },
  {
    name: 'a file that was not there',
    given: async (world) => await rm(world.output),
    exit: 0,
    file: 'new',
  },
  {
    name: 'a relative path, from the environment',
    args: () => ['--copy=a copy'],
    env: () => ({ KERBRIDGE_COPIES: 'ignored' }),
    exit: 0,
    file: 'new',
    after: async (world) => {
      expect(await world.read(join(world.folder, 'a copy'))).toEqual(world.new);
      expect(await world.read(join(world.folder, 'ignored'))).toBeUndefined();
    },
  },
  {
    name: 'copies from the environment',
    env: (world) => ({ KERBRIDGE_COPIES: `${copyOf(world, 'b')}:${copyOf(world, 'c c')}` }),
    exit: 0,
    file: 'new',
    after: async (world) => {
      expect(await world.read(copyOf(world, 'b'))).toEqual(world.new);
      expect(await world.read(copyOf(world, 'c c'))).toEqual(world.new);
    },
  },
  {
    name: 'a symlink to a file: replaced, not followed',
    given: async (world) => {
      await rm(world.output);
      await writeFile(elsewhere(world), 'untouched');
      await symlink(elsewhere(world), world.output);
    },
    exit: 0,
    file: 'new',
    after: async (world) => {
      expect((await lstat(world.output)).isFile()).toBe(true);
      expect(await readFile(elsewhere(world), 'utf8')).toBe('untouched');
    },
  },
  {
    name: 'a symlink to a folder: replaced, not followed, in a copy too',
    given: async (world) => {
      await rm(world.output);
      await mkdir(elsewhere(world));
      await symlink(elsewhere(world), world.output);
      await symlink(elsewhere(world), copyOf(world));
    },
    args: (world) => [`--copy=${copyOf(world)}`],
    exit: 0,
    file: 'new',
    after: async (world) => {
      expect((await lstat(world.output)).isFile()).toBe(true);
      expect((await lstat(copyOf(world))).isFile()).toBe(true);
      expect(await readdir(elsewhere(world))).toEqual([]);
    },
  },
  {
    name: 'a symlink to nothing',
    given: async (world) => {
      await rm(world.output);
      await symlink('/nonexistent/file', world.output);
    },
    exit: 0,
    file: 'new',
  },
  {
    name: 'a folder',
    args: (world) => [`--output=${elsewhere(world)}`, MORE_TRIES],
    given: async (world) => {
      await mkdir(elsewhere(world));
    },
    exit: 5,
    file: 'old',
    says: /cannot write .*elsewhere: .*folder/,
    after: async (world) => expect(await readdir(elsewhere(world))).toEqual([]),
  },
  {
    name: 'a FIFO',
    args: (world) => [`--output=${elsewhere(world)}`, MORE_TRIES],
    given: async (world) => await makeFifo(elsewhere(world)),
    exit: 5,
    file: 'old',
    says: /FIFO/,
    after: async (world) => expect((await lstat(elsewhere(world))).isFIFO()).toBe(true),
  },
  {
    name: 'a device',
    args: (world) => [`--output=${elsewhere(world)}`, MORE_TRIES],
    given: async (world) => await makeDevice(elsewhere(world)),
    exit: 5,
    file: 'old',
    says: /device/,
    after: async (world) => {
      expect((await lstat(elsewhere(world))).isCharacterDevice()).toBe(true);
      expect((await readdir(world.folder)).filter((name) => name.startsWith('.'))).toEqual([]);
    },
  },
  {
    name: 'a folder that is not there',
    args: (world) => [`--output=${elsewhere(world)}/hadoop.token`, MORE_TRIES],
    exit: 5,
    file: 'old',
    says: /folder does not exist/,
  },
  {
    name: 'a file in the place of the folder',
    args: (world) => [`--output=${world.output}/hadoop.token`, MORE_TRIES],
    exit: 5,
    file: 'old',
    says: /not a folder/,
  },
  {
    name: 'a volume that is read-only',
    args: (world) => [`--output=${elsewhere(world)}/hadoop.token`, MORE_TRIES],
    given: async (world) => {
      const volume = await mountVolume(world, 'elsewhere');
      await writeFile(join(volume, 'hadoop.token'), world.old);
      await makeReadOnly(volume);
    },
    exit: 5,
    file: 'old',
    says: /read-only/,
    after: async (world) => {
      expect(await world.read(join(elsewhere(world), 'hadoop.token'))).toEqual(world.old);
      expect(await readdir(elsewhere(world))).toEqual(['hadoop.token']);
    },
  },
  {
    name: 'a volume that is full',
    args: (world) => [`--output=${elsewhere(world)}/hadoop.token`, MORE_TRIES],
    given: async (world) => {
      const volume = await mountVolume(world, 'elsewhere');
      await writeFile(join(volume, 'hadoop.token'), world.old);
      await fill(volume);
    },
    exit: 5,
    file: 'old',
    says: /volume is full/,
    after: async (world) => {
      expect(await world.read(join(elsewhere(world), 'hadoop.token'))).toEqual(world.old);
      expect((await readdir(elsewhere(world))).filter((name) => name.startsWith('.'))).toEqual([]);
    },
  },
  {
    name: 'a file that is a mount of its own',
    args: () => [MORE_TRIES],
    given: async (world) => await mountFile(world, world.output),
    exit: 5,
    file: 'old',
    says: /cannot write/,
  },
];

/** When one file can't be written none is replaced, and a copy that was not there is not there after it either. */
const rowOfTwoCopies = (
  name: string,
  makeBad: (world: FetchWorld, path: string) => Promise<unknown>,
): FaultRow => ({
  name: `two copies, one of which is ${name}`,
  args: (world) => [
    `--copy=${copyOf(world, 'good')}`,
    `--copy=${copyOf(world, 'absent')}`,
    `--copy=${copyOf(world, 'bad')}`,
  ],
  given: async (world) => {
    await writeFile(copyOf(world, 'good'), 'what was there');
    await makeBad(world, copyOf(world, 'bad'));
  },
  exit: 5,
  file: 'old',
  says: /cannot write .*bad/,
  after: async (world) => {
    expect(await readFile(copyOf(world, 'good'), 'utf8')).toBe('what was there');
    expect((await readdir(world.volume)).sort()).toEqual(['bad', 'good', 'hadoop.token']);
  },
});

const COPY_ROWS: readonly FaultRow[] = [
  rowOfTwoCopies('a folder', (_world, path) => mkdir(path)),
  rowOfTwoCopies('a FIFO', (_world, path) => makeFifo(path)),
  rowOfTwoCopies('a mount of its own', async (world, path) => {
    await writeFile(path, 'mounted');
    await mountFile(world, path);
  }),
  {
    name: 'a copy in a full volume',
    args: (world) => [`--copy=${elsewhere(world)}/copy`],
    given: async (world) => {
      const volume = await mountVolume(world, 'elsewhere');
      await writeFile(join(volume, 'copy'), 'what was there');
      await fill(volume);
    },
    exit: 5,
    file: 'old',
    says: /cannot write .*elsewhere\/copy: .*full/,
    after: async (world) => {
      expect(await readFile(join(elsewhere(world), 'copy'), 'utf8')).toBe('what was there');
      expect((await readdir(elsewhere(world))).filter((name) => name.startsWith('.'))).toEqual([]);
    },
  },
  {
    name: 'an output that is a mount of its own, after its copies',
    args: (world) => [`--copy=${copyOf(world, 'good')}`, `--copy=${copyOf(world, 'absent')}`],
    given: async (world) => {
      await writeFile(copyOf(world, 'good'), 'what was there');
      await mountFile(world, world.output);
    },
    exit: 5,
    file: 'old',
    after: async (world) => {
      expect(await readFile(copyOf(world, 'good'), 'utf8')).toBe('what was there');
      expect((await readdir(world.volume)).sort()).toEqual(['good', 'hadoop.token']);
    },
  },
];

describe.each(CLIENTS)('$name writes', (client) => {
  it.concurrent.each([...OUTPUT_ROWS, ...COPY_ROWS])('$name', async (row) => {
    await expectRow(client, row);
  });
});
