import { describe, expect, it } from '@jest/globals';
import { lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, CLIENTS, SCRIPT } from './clients.ts';
import { credentials, problem } from './fake-serve.ts';
import { expectRow, type FaultRow } from './fault-row.ts';

/** What some systems lack, in the place of what this one has. */
const TOOLS = {
  mv: `case $1 in *T*) echo 'mv: invalid option -- T' >&2; exit 1 ;; esac; exec /usr/bin/mv "$@"`,
  sleep: `case $1 in *.*) echo 'sleep: invalid number' >&2; exit 1 ;; esac; exec /usr/bin/sleep "$@"`,
  sync: 'exit 0',
} as const;

let tools: Promise<string> | undefined;

async function poorPath(client: Client): Promise<string> {
  tools ??= makeTools();
  return `${await tools}:${await client.path()}`;
}

async function makeTools(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-tools-'));
  process.once('exit', () => void rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(TOOLS)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return folder;
}

const ROWS: readonly FaultRow[] = [
  { name: 'a file', exit: 0, file: 'new' },
  {
    name: 'a symlink to a folder',
    given: async (world) => {
      await rm(world.output);
      await mkdir(join(world.folder, 'elsewhere'));
      await symlink(join(world.folder, 'elsewhere'), world.output);
    },
    exit: 0,
    file: 'new',
    after: async (world) => {
      expect((await lstat(world.output)).isFile()).toBe(true);
      expect(await readdir(join(world.folder, 'elsewhere'))).toEqual([]);
    },
  },
  {
    name: 'a folder',
    args: (world) => [`--output=${world.folder}`],
    exit: 5,
    file: 'old',
  },
  {
    name: 'a second try',
    answers: (world) => [problem(503, 'overloaded'), credentials(world.new)],
    args: () => ['--deadline=30'],
    exit: 0,
    file: 'new',
  },
];

const SHELLS = CLIENTS.filter(({ command }) => command.includes(SCRIPT)).map((client) => ({
  ...client,
  path: () => poorPath(client),
}));

describe.each(SHELLS)('$name, with poor tools, writes', (client) => {
  it.concurrent.each(ROWS)('$name', async (row) => {
    await expectRow(client, row);
  });
});
