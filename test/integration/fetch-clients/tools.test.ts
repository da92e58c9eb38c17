import { describe, expect, it } from '@jest/globals';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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

/** Every program that the script may call, and some that a shell could have in itself, noting what it is told. */
async function notingPath(client: Client, log: string): Promise<string> {
  const folder = `${log}-tools`;
  await mkdir(folder);
  const own = await client.path();
  const names =
    'awk cat chgrp chmod curl date echo head ln mv od printf rm sed sleep stat sync test touch tr';
  for (const name of names.split(' ')) {
    const text = `for argument in "$0" "$@"; do echo "$argument" >>'${log}'; done; PATH='${own}'; exec ${name} "$@"`;
    await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return `${folder}:${own}`;
}

describe.each(CLIENTS.filter(({ command }) => command.includes(SCRIPT)))('$name', (client) => {
  it('tells no program the service-account token', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kerbridge-arguments-'));
    const log = join(folder, 'log');
    const path = await notingPath(client, log);
    let token = '';
    await expectRow(
      { ...client, path: async () => path },
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
      },
    );
    const told = await readFile(log, 'utf8');
    await rm(folder, { recursive: true });
    // It was this that it called.
    expect(told).toMatch(/\/curl\n--disable\n[\s\S]*\/mv\n/);
    for (const part of [token, ...token.split('.')]) expect(told).not.toContain(part);
  });
});

describe.each(SHELLS)('$name, with poor tools, writes', (client) => {
  it.concurrent.each(ROWS)('$name', async (row) => {
    await expectRow(client, row);
  });
});
