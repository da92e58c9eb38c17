import { describe, expect, it } from '@jest/globals';
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, CLIENTS, SCRIPT } from './clients.ts';
import { answer, credentials, problem } from './fake-serve.ts';
import { expectRow, type FaultRow } from './fault-row.ts';

/** What some systems lack, in the place of what this one has. */
const TOOLS = {
  mv: `case $1 in *T*) echo 'mv: invalid option -- T' >&2; exit 1 ;; esac; exec /usr/bin/mv "$@"`,
  sleep: `case $1 in *.*) echo 'sleep: invalid number' >&2; exit 1 ;; esac; exec /usr/bin/sleep "$@"`,
  sync: 'exit 0',
} as const;

async function poorPath(client: Client, folder: string): Promise<string> {
  const tools = join(folder, 'poor-tools');
  await mkdir(tools);
  for (const [name, text] of Object.entries(TOOLS)) {
    await writeFile(join(tools, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return `${tools}:${await client.path(folder)}`;
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
    args: (world) => [`--output=${world.volume}`],
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
  path: (folder: string) => poorPath(client, folder),
}));

/** Every program that the script may call, and some that a shell could have in itself, noting what it is told. */
async function notingPath(client: Client, folder: string): Promise<string> {
  const tools = join(folder, 'noting-tools');
  await mkdir(tools);
  const own = await client.path(folder);
  const log = join(folder, 'told');
  const names =
    'awk cat chgrp chmod curl date echo head ln mv od printf rm sed sleep stat sync test touch tr';
  for (const name of names.split(' ')) {
    const text = `for argument in "$0" "$@"; do echo "$argument" >>'${log}'; done; PATH='${own}'; exec ${name} "$@"`;
    await writeFile(join(tools, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return `${tools}:${own}`;
}

describe.each(CLIENTS.filter(({ command }) => command.includes(SCRIPT)))('$name', (client) => {
  it('tells no program the service-account token', async () => {
    let token = '';
    await expectRow(
      { ...client, path: (folder) => notingPath(client, folder) },
      {
        name: 'after a refusal, reported tokens and another try',
        given: async (world) => {
          await world.rotateToken();
          token = await world.rotateToken();
        },
        answers: (world) => [
          answer(204, {}),
          (response, { headers }) => {
            response.writeHead(503, { 'Content-Type': 'application/problem+json' });
            response.end(JSON.stringify({ code: 'overloaded', title: headers.authorization }));
          },
          credentials(world.new),
        ],
        args: (world) => ['--rejected', '--deadline=30', `--copy=${join(world.volume, 'copy')}`],
        exit: 0,
        file: 'new',
        after: async (world) => {
          const told = await readFile(join(world.folder, 'told'), 'utf8');
          // It was this that it called.
          expect(told).toMatch(/\/curl\n--disable\n[\s\S]*\/mv\n/);
          for (const part of [token, ...token.split('.')]) expect(told).not.toContain(part);
        },
      },
    );
  });
});

describe.each(SHELLS)('$name, with poor tools, writes', (client) => {
  it.concurrent.each(ROWS)('$name', async (row) => {
    await expectRow(client, row);
  });
});
