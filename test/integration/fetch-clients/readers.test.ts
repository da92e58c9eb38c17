import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Client, CLIENTS, SCRIPT } from './clients.ts';
import { FetchWorld } from './fetch-world.ts';
import { program, readWhile } from './read-while.ts';

const run = promisify(execFile);

const WRITES = 1000;

async function contentsOf(world: FetchWorld): Promise<string[]> {
  const paths = [join(world.folder, 'content-a'), join(world.folder, 'content-b')];
  // Of different lengths, and longer than one write() of a shell.
  await writeFile(paths[0] ?? '', Buffer.alloc(20_000, 'a'));
  await writeFile(paths[1] ?? '', Buffer.alloc(50_000, 'b'));
  return paths;
}

/** The function that the client writes files with, in a loop: a thousand whole runs would take minutes. */
async function writeManyTimes(client: Client, world: FetchWorld, contents: readonly string[]): Promise<void> {
  const [shell = '', script = ''] = client.command;
  const env = { PATH: world.path };
  if (script !== SCRIPT) {
    const main = client.command.find((part) => part.endsWith('main.ts')) ?? '';
    const [node = '', ...args] = program('write-loop.ts');
    await run(node, [...args, dirname(main), world.output, String(WRITES), ...contents], { env });
    return;
  }
  const functions = join(world.folder, 'functions.sh');
  const text = await readFile(SCRIPT, 'utf8');
  expect(text.trimEnd()).toMatch(/\nmain "\$@"$/);
  await writeFile(functions, text.trimEnd().replace(/\nmain "\$@"$/, '\n'));
  const loop = join(import.meta.dirname, 'write-loop.sh');
  await run(shell, [loop, functions, world.output, String(WRITES), ...contents], { env });
}

describe.each(CLIENTS)('a reader of the file of $name', (client) => {
  it(`never sees half of it, nor none, while it is written ${WRITES} times`, async () => {
    await using world = await FetchWorld.create(client);
    const contents = await contentsOf(world);
    await writeFile(world.output, await readFile(contents[0] ?? ''));
    const seen = await readWhile(world, contents, () => writeManyTimes(client, world, contents));
    expect(seen.faults).toEqual([]);
    expect(seen.readings).toBeGreaterThan(WRITES);
    // It did see both, often: each was there.
    expect(Math.min(...seen.each)).toBeGreaterThan(10);
    await world.expectClean();
  });
});
