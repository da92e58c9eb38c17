import { describe, expect, it } from '@jest/globals';
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { CLIENTS } from './clients.ts';
import { answer, credentials, problem, unchanged } from './fake-serve.ts';
import { expectRow, type FaultRow } from './fault-row.ts';
import { FetchWorld } from './fetch-world.ts';
import { tokensFile } from './tokens-file.ts';

const now = () => Math.floor(Date.now() / 1000);

interface HealthRow {
  readonly name: string;
  readonly given: (world: FetchWorld) => Promise<unknown>;
  readonly exit: 0 | 1;
  readonly says?: RegExp;
}

const status = (world: FetchWorld, lines: Record<string, string | number> = {}) =>
  writeFile(
    `${world.output}.status`,
    Object.entries({ state: 'ok', writtenAt: now(), nextTryAt: now(), validUntil: '', reason: '', ...lines })
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );

async function silentFor(world: FetchWorld, seconds: number): Promise<void> {
  await status(world, { validUntil: now() + 1000 });
  await utimes(`${world.output}.status`, now() - seconds, now() - seconds);
}

const HEALTH: readonly HealthRow[] = [
  {
    name: 'a file, a sign of life, tokens that are valid',
    given: (world) => status(world, { validUntil: now() + 1000 }),
    exit: 0,
  },
  { name: 'tokens of which nobody knows the end', given: (world) => status(world), exit: 0 },
  { name: 'a server that is away', given: (world) => status(world, { state: 'waiting' }), exit: 0 },
  { name: 'a server that refuses', given: (world) => status(world, { state: 'refused' }), exit: 0 },
  { name: 'a sign of life of half a minute ago', given: (world) => silentFor(world, 30), exit: 0 },
  { name: 'a clock that was set back a little', given: (world) => silentFor(world, -30), exit: 0 },
  {
    name: 'a clock that was set back, and no watcher that mends it',
    given: (world) => silentFor(world, -86_400),
    exit: 1,
    says: /sign of life/,
  },
  {
    name: 'a sign of life that is too old',
    given: (world) => silentFor(world, 90),
    exit: 1,
    says: /sign of life/,
  },
  {
    name: 'tokens that have ended',
    given: (world) => status(world, { validUntil: now() - 9 }),
    exit: 1,
    says: /past/,
  },
  {
    name: 'no file',
    given: async (world) => {
      await status(world);
      await rm(world.output);
    },
    exit: 1,
    says: /hadoop\.token is not there/,
  },
  {
    name: 'a folder in the place of the file',
    given: async (world) => {
      await status(world);
      await rm(world.output);
      await mkdir(world.output);
    },
    exit: 1,
  },
  { name: 'no watcher', given: async () => undefined, exit: 1, says: /status/ },
  {
    name: 'a status of something else',
    given: (world) => writeFile(`${world.output}.status`, '$(touch x)\n=\n'),
    exit: 1,
  },
];

/** `--rejected`, once. */
const REJECTED: readonly FaultRow[] = [
  {
    name: 'reports each token of the file, then fetches anew',
    given: async (world) =>
      await writeFile(world.output, tokensFile({ sequenceNumbers: [4, 2_000_000_000] })),
    answers: (world) => [answer(204, {}), answer(204, {}), credentials(world.new)],
    exit: 0,
    file: 'new',
    after: (_world, { asked }) => {
      expect(asked.map(({ method, body }) => `${method} ${body}`)).toEqual([
        'POST {"sequenceNumber":4}',
        'POST {"sequenceNumber":2000000000}',
        'GET ',
      ]);
      expect(asked[2]?.headers).not.toHaveProperty('if-none-match');
    },
  },
  {
    name: 'reports tokens of a file in protobuf',
    given: async (world) =>
      await writeFile(world.output, tokensFile({ sequenceNumbers: [5], format: 'protobuf' })),
    answers: (world) => [answer(204, {}), credentials(world.new)],
    exit: 0,
    file: 'new',
    after: (_world, { reports }) => expect(reports.map(({ body }) => body)).toEqual(['{"sequenceNumber":5}']),
  },
  {
    name: 'fetches when there is no file',
    given: async (world) => await rm(world.output),
    exit: 0,
    file: 'new',
    after: (_world, { reports }) => expect(reports).toEqual([]),
  },
  {
    name: 'fetches when the server takes no reports',
    answers: (world) => [problem(404, 'not-found'), credentials(world.new)],
    exit: 0,
    file: 'new',
  },
  {
    name: 'goes on trying when the report can not be delivered',
    answers: (world) => [
      problem(503, 'overloaded'),
      credentials(world.old),
      answer(204, {}),
      credentials(world.new),
    ],
    args: () => ['--deadline=30'],
    exit: 0,
    file: 'new',
    says: /could not be reported.*503.*next try in/,
    after: (_world, { reports }) => expect(reports).toHaveLength(2),
  },
  {
    name: 'is done when the report is delivered, and the file is the one of the first try',
    answers: (world) => [
      problem(503, 'overloaded'),
      credentials(world.old),
      answer(202, {}),
      unchanged(world.old, {}),
    ],
    args: () => ['--deadline=30'],
    exit: 0,
    file: 'old',
    after: (_world, { reports }) => expect(reports).toHaveLength(2),
  },
  {
    name: 'is refused when the fetch is',
    answers: () => [answer(204, {}), problem(403, 'not-allowed')],
    exit: 3,
    file: 'old',
  },
];

const withRejected = (row: FaultRow): FaultRow => ({
  ...row,
  args: (world) => ['--rejected', ...(row.args?.(world) ?? [])],
});

describe.each(CLIENTS)('$name', (client) => {
  it.concurrent.each(HEALTH)('--healthy: $name', async ({ given, exit, says }) => {
    await using world = await FetchWorld.create(client);
    await given(world);
    const seen = await world.healthy();
    expect(seen.exit).toBe(exit);
    if (exit === 0) expect(seen.output).toBe('');
    else expect(seen.output).toMatch(says ?? /./);
    await world.expectClean();
  });

  it.concurrent.each(REJECTED.map(withRejected))('--rejected $name', async (row) => {
    await expectRow(client, row);
  });
});
