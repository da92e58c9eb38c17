import { describe, expect, it } from '@jest/globals';
import { lstat, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from './client-process.ts';
import { CLIENTS } from './clients.ts';
import { answer, credentials, etagOf, problem, silence, unchanged } from './fake-serve.ts';
import { expectRow, type FaultRow } from './fault-row.ts';
import type { FetchWorld } from './fetch-world.ts';
import { tokensFile } from './tokens-file.ts';
import { makeReadOnly, makeWritable, mountVolume } from './volumes.ts';
import { BRIEFLY, expectWatch, LONG, type WatchRow } from './watch-row.ts';

const isNew = (world: FetchWorld, path = world.output) =>
  until(
    async () => (await world.read(path))?.equals(world.new) === true,
    () => `the new file at ${path}`,
  );
const now = () => Math.floor(Date.now() / 1000);

/** What an earlier watcher leaves: its file is the world's old one. */
async function leaveStatus(world: FetchWorld, validUntil: number | ''): Promise<void> {
  const lines = { state: 'ok', writtenAt: now() - 60, nextTryAt: now() + 60, validUntil, requestId: 'r-1' };
  const more = { etag: etagOf(world.old), sequenceNumbers: '12', reason: '' };
  const text = Object.entries({ ...lines, ...more }).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(`${world.output}.status`, text.join(''));
}

const ROWS: readonly WatchRow[] = [
  {
    name: 'asks again after Kerbridge-Refresh-After, with If-None-Match, and writes what is new',
    answers: (world) => [
      credentials(world.old, BRIEFLY),
      unchanged(world.old, BRIEFLY),
      credentials(world.new, {
        ...LONG,
        'Kerbridge-Valid-For': '5000',
        'Kerbridge-Sequence-Numbers': '77,78',
      }),
    ],
    args: (world) => [`--copy=${join(world.volume, 'copy')}`],
    happens: async ({ world, server }) => {
      await isNew(world);
      expect(await world.read(join(world.volume, 'copy'))).toEqual(world.new);
      const seen = server.fetches.map(({ headers }) => headers['if-none-match']);
      expect(seen).toEqual([undefined, etagOf(world.old), etagOf(world.old)]);
      await until(
        async () => (await world.status())['sequenceNumbers'] === '77,78',
        () => 'the status',
      );
      const status = await world.status();
      expect(status).toEqual({
        state: 'ok',
        writtenAt: expect.stringMatching(/^\d+$/),
        nextTryAt: expect.stringMatching(/^\d+$/),
        validUntil: expect.stringMatching(/^\d+$/),
        requestId: 'r-17',
        etag: etagOf(world.new),
        sequenceNumbers: '77,78',
        reason: '',
      });
      // Both are rounded.
      expect(Math.abs(Number(status['validUntil']) - Number(status['writtenAt']) - 5000)).toBeLessThan(5);
      expect(await world.healthy()).toEqual({ exit: 0, output: '' });
    },
  },
  {
    name: 'finds in the file what the headers do not say',
    answers: (world) => {
      world.new = tokensFile({ sequenceNumbers: [3, 4], validFor: 9000 });
      return [credentials(world.new, LONG)];
    },
    happens: async ({ world }) => {
      await world.statusIs('ok');
      const status = await world.status();
      expect(status['sequenceNumbers']).toBe('3,4');
      expect(Math.abs(Number(status['validUntil']) - now() - 9000)).toBeLessThan(60);
    },
  },
  ...(
    [
      ['999999999', undefined, 86_400],
      ['9999999999', undefined, 86_400],
      ['99999999999999999999', '9999999', 86_400],
      ['999999999', '600', 300],
      [undefined, '600', 300],
    ] as const
  ).map(([refreshAfter, validFor, seconds]): WatchRow => ({
    name: `asks again within ${seconds} s, told to in ${refreshAfter} for tokens of ${validFor}`,
    answers: (world) => [
      credentials(world.new, {
        ...(refreshAfter === undefined ? {} : { 'Kerbridge-Refresh-After': refreshAfter }),
        ...(validFor === undefined ? {} : { 'Kerbridge-Valid-For': validFor }),
      }),
    ],
    happens: async ({ world }) => {
      await world.statusIs('ok');
      const left = Number((await world.status())['nextTryAt']) - now();
      expect(left).toBeGreaterThan(seconds * 0.8);
      // Both are rounded.
      expect(left).toBeLessThanOrEqual(seconds + 1);
    },
  })),
  {
    name: 'keeps the file while the server is away, and is healthy',
    answers: (world) => [credentials(world.new, BRIEFLY)],
    happens: async ({ world, server, process }) => {
      await world.statusIs('ok');
      await server.stop();
      await world.statusIs('waiting');
      await process.says(/cannot reach .*; next try in/);
      expect((await world.status())['reason']).toMatch(/cannot reach/);
      expect(await world.healthy()).toEqual({ exit: 0, output: '' });
      const newer = tokensFile();
      world.new = newer;
      await world.serve([credentials(newer, LONG)], { at: server });
      await isNew(world);
      await world.statusIs('ok');
    },
  },
  {
    name: 'keeps the file when it is refused, is healthy, and asks again',
    answers: (world) => [
      credentials(world.old, BRIEFLY),
      problem(403, 'not-allowed'),
      problem(403, 'not-allowed'),
      credentials(world.new, LONG),
    ],
    happens: async ({ world, process }) => {
      await world.statusIs('refused');
      expect(await world.read()).toEqual(world.old);
      expect(await world.healthy()).toEqual({ exit: 0, output: '' });
      await process.says(/403 not-allowed.*\(request r-17\).*next try in/);
      await isNew(world);
      await world.statusIs('ok');
    },
  },
  {
    name: 'waits as long as Retry-After says',
    answers: (world) => [
      credentials(world.old, BRIEFLY),
      problem(503, 'overloaded', { 'Retry-After': '3' }),
      credentials(world.new, LONG),
    ],
    happens: async ({ world, process }) => {
      await process.says(/503 overloaded.*next try in 3(\.0+)? s/);
      await isNew(world);
    },
  },
  {
    name: 'keeps the file when the answer is none',
    answers: (world) => [
      credentials(world.old, BRIEFLY),
      credentials(tokensFile({ sequenceNumbers: [] })),
      answer(200, { 'Content-Type': 'text/html' }, 'login'),
      credentials(world.new, LONG),
    ],
    happens: async ({ world, process }) => {
      await process.says(/no delegation token/);
      expect(await world.read()).toEqual(world.old);
      await process.says(/not an answer of Kerbridge/);
      expect(await world.read()).toEqual(world.old);
      await isNew(world);
    },
  },
  {
    name: 'takes another service-account token at once after a 401',
    answers: (world) => [
      credentials(world.old, BRIEFLY),
      async (response, asked) => {
        await world.rotateToken();
        await problem(401, 'not-authenticated')(response, asked);
      },
      credentials(world.new, LONG),
    ],
    happens: async ({ world, process }) => {
      await isNew(world);
      expect(process.output).toMatch(/at once/);
    },
  },
  {
    name: 'outlives a service-account token that is not there for a while',
    answers: (world) => [
      async (response, asked) => {
        await rm(world.tokenFile);
        await credentials(world.old, BRIEFLY)(response, asked);
      },
      credentials(world.new, LONG),
    ],
    happens: async ({ world, process }) => {
      await process.says(/cannot read the service-account token/);
      await world.rotateToken();
      await isNew(world);
    },
  },
  {
    name: 'outlives a volume that is read-only for a while',
    answers: (world) => [credentials(world.new, BRIEFLY)],
    args: (world) => [`--copy=${join(world.folder, 'elsewhere/copy')}`],
    given: async (world) => void (await mountVolume(world, 'elsewhere')),
    happens: async ({ world, server, process }) => {
      await world.statusIs('ok');
      await makeReadOnly(join(world.folder, 'elsewhere'));
      const newer = tokensFile();
      server.answers = [credentials(newer, LONG)];
      await process.says(/cannot write .*elsewhere\/copy.*read-only.*next try in/);
      expect(await world.read()).toEqual(world.new);
      world.new = newer;
      await makeWritable(join(world.folder, 'elsewhere'));
      await isNew(world);
      expect(await world.read(join(world.folder, 'elsewhere/copy'))).toEqual(newer);
    },
  },
  {
    name: 'writes a file again that was removed',
    happens: async ({ world, server }) => {
      await world.statusIs('ok');
      await rm(world.output);
      await isNew(world);
      expect(server.fetches[1]?.headers).not.toHaveProperty('if-none-match');
    },
  },
  {
    name: 'writes a file again that was changed',
    happens: async ({ world, server }) => {
      await world.statusIs('ok');
      await writeFile(`${world.output}-other`, world.old);
      await rename(`${world.output}-other`, world.output);
      await isNew(world);
      expect(server.fetches[1]?.headers).not.toHaveProperty('if-none-match');
    },
  },
  {
    name: 'writes a copy again that was removed',
    args: (world) => [`--copy=${join(world.volume, 'copy')}`],
    happens: async ({ world }) => {
      await world.statusIs('ok');
      await rm(join(world.volume, 'copy'));
      await isNew(world, join(world.volume, 'copy'));
    },
  },
  {
    name: 'reports each token of the file when there is the marker, and asks anew',
    answers: (world) => [
      credentials(world.old, { ...LONG, 'Kerbridge-Sequence-Numbers': '12,13' }),
      answer(204, {}),
      answer(202, {}),
      credentials(world.new, LONG),
    ],
    happens: async ({ world, server }) => {
      await world.statusIs('ok');
      await writeFile(`${world.output}.rejected`, '');
      await isNew(world);
      expect(await readdir(world.volume)).not.toContain('hadoop.token.rejected');
      expect(server.asked.map(({ method, url }) => `${method} ${url.split('?')[0]}`)).toEqual([
        'GET /v1/credentials',
        'POST /v1/credentials/rejected',
        'POST /v1/credentials/rejected',
        'GET /v1/credentials',
      ]);
      expect(server.reports.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
        { sequenceNumber: 12 },
        { sequenceNumber: 13 },
      ]);
      for (const { headers } of server.reports) {
        expect(headers['content-type']).toBe('application/json');
        expect(headers.authorization).toBe(server.fetches[0]?.headers.authorization);
      }
      expect(server.fetches[1]?.headers).not.toHaveProperty('if-none-match');
    },
  },
  ...[
    problem(404, 'not-found'),
    problem(405, 'method-not-allowed'),
    answer(404, { 'Content-Type': 'text/html' }),
  ].map((unknown, index): WatchRow => ({
    name: `asks anew, too, if the server takes no reports (${index + 1})`,
    answers: (world) => [credentials(world.old, LONG), unknown, credentials(world.new, LONG)],
    happens: async ({ world }) => {
      await world.statusIs('ok');
      await writeFile(`${world.output}.rejected`, '');
      await isNew(world);
      await world.statusIs('ok');
    },
  })),
  ...(
    [
      ['-5,7', ['-5', '7']],
      [
        Array.from({ length: 25 }, (_, index) => String(1_000_000_000 + index)).join(','),
        Array.from({ length: 25 }, (_, index) => String(1_000_000_000 + index)),
      ],
      ['5-7', ['12']],
      ['-,7', ['12']],
    ] as const
  ).map(([header, reported]): WatchRow => ({
    name: `reports ${reported.length} numbers from ${reported[0]} on, of the header ${header.slice(0, 20)}`,
    answers: (world) => [
      credentials(world.old, { ...LONG, 'Kerbridge-Sequence-Numbers': header }),
      ...reported.map(() => answer(204, {})),
      credentials(world.new, LONG),
    ],
    happens: async ({ world, server }) => {
      await world.statusIs('ok');
      expect((await world.status())['sequenceNumbers']).toBe(reported.join(','));
      await writeFile(`${world.output}.rejected`, '');
      await isNew(world);
      expect(server.reports.map(({ body }) => body)).toEqual(
        reported.map((number) => `{"sequenceNumber":${number}}`),
      );
    },
  })),
  {
    name: 'repeats a report that a proxy refused, but not one that Kerbridge refused',
    answers: (world) => [
      credentials(world.old, LONG),
      answer(403, { 'Content-Type': 'text/html' }, 'no'),
      credentials(world.old, LONG),
      problem(413, 'too-large'),
      credentials(world.old, BRIEFLY),
      credentials(world.new, LONG),
    ],
    happens: async ({ world, server, process }) => {
      await world.statusIs('ok');
      await writeFile(`${world.output}.rejected`, '');
      await process.says(/could not be reported.*403 with content type text\/html.*next try in/);
      await isNew(world);
      expect(process.output).toMatch(/the report of token 12 was refused: .*413/);
      expect(server.reports).toHaveLength(2);
    },
  },
  {
    name: 'repeats a report that could not be delivered',
    answers: (world) => [
      credentials(world.old, LONG),
      problem(503, 'overloaded', { 'Retry-After': '3' }),
      credentials(world.old, LONG),
      problem(503, 'overloaded'),
      unchanged(world.old, LONG),
      answer(204, {}),
      credentials(world.new, LONG),
    ],
    happens: async ({ world, server, process }) => {
      await world.statusIs('ok');
      await writeFile(`${world.output}.rejected`, '');
      await process.says(
        /could not be reported.*503.*next try in 3(\.0+)? s.*\n(.*\n)*.*could not be reported.*503/,
      );
      await isNew(world);
      expect(server.reports).toHaveLength(3);
      expect(server.fetches[2]?.headers['if-none-match']).toBe(etagOf(world.old));
    },
  },
  {
    name: 'gives signs of life while it waits for an answer',
    answers: (world) => [credentials(world.new, BRIEFLY), silence],
    args: () => ['--timeout=600'],
    happens: async ({ world, server }) => {
      await until(
        () => server.asked.length === 2,
        () => 'the second request',
      );
      const path = `${world.output}.status`;
      await utimes(path, 1, 1);
      expect((await world.healthy()).exit).toBe(1);
      await until(
        async () => (await stat(path)).mtimeMs > 1000,
        () => 'a sign of life',
      );
      expect(await world.healthy()).toEqual({ exit: 0, output: '' });
    },
  },
  {
    name: 'makes the status again that was removed',
    happens: async ({ world }) => {
      await world.statusIs('ok');
      await rm(`${world.output}.status`);
      await world.statusIs('ok');
      expect(await world.healthy()).toEqual({ exit: 0, output: '' });
    },
  },
  {
    name: 'replaces a link in the place of the status',
    happens: async ({ world }) => {
      await world.statusIs('ok');
      const path = `${world.output}.status`;
      await rename(path, join(world.folder, 'elsewhere'));
      await symlink(join(world.folder, 'elsewhere'), path);
      await until(
        async () => (await lstat(path)).isFile(),
        () => 'a status that is no link',
      );
      expect(await world.healthy()).toEqual({ exit: 0, output: '' });
    },
  },
  {
    name: 'goes on from the file of an earlier one while the server is down',
    given: async (world, server) => {
      await leaveStatus(world, now() + 1000);
      await server.stop();
    },
    happens: async ({ world, server, process }) => {
      await process.says(/cannot reach .*next try in/);
      expect(await world.read()).toEqual(world.old);
      await world.statusIs('waiting');
      expect(await world.healthy()).toEqual({ exit: 0, output: '' });
      await world.serve([credentials(world.new, LONG)], { at: server });
      await isNew(world);
    },
  },
  {
    name: 'goes on from the file of an earlier one that knew no end, when it is refused',
    answers: (world) => [problem(403, 'not-allowed'), credentials(world.new, LONG)],
    given: (world) => leaveStatus(world, ''),
    happens: async ({ world }) => {
      await isNew(world);
      await world.statusIs('ok');
    },
  },
];

/** Until the first file a watcher ends as one that isn't. */
const FIRST_ROWS: readonly FaultRow[] = [
  { name: 'refused', answers: () => [problem(403, 'not-allowed')], exit: 3, file: 'old' },
  { name: 'not now', answers: () => [problem(503, 'overloaded')], exit: 4, file: 'old' },
  {
    name: 'without a service-account token',
    given: async ({ tokenFile }) => await rm(tokenFile),
    exit: 2,
    file: 'old',
  },
  {
    name: 'with a folder as target',
    args: (world) => [`--output=${world.volume}`],
    exit: 5,
    file: 'old',
  },
  {
    name: 'with the file of an earlier one whose tokens have ended',
    answers: () => [problem(503, 'overloaded')],
    given: (world) => leaveStatus(world, now() - 5),
    exit: 4,
    file: 'old',
  },
  {
    name: 'with a file that is none, of an earlier one',
    answers: () => [problem(503, 'overloaded')],
    given: async (world) => {
      await leaveStatus(world, now() + 1000);
      world.old = world.old.subarray(0, 20);
      await writeFile(world.output, world.old);
    },
    exit: 4,
    file: 'old',
  },
];

const withWatch = (row: FaultRow): FaultRow => ({
  ...row,
  args: (world) => ['--watch', ...(row.args?.(world) ?? [])],
});

describe.each(CLIENTS)('$name --watch', (client) => {
  it.concurrent.each(ROWS)('$name', async (row) => {
    await expectWatch(client, row);
  });

  it.concurrent.each(FIRST_ROWS.map(withWatch))('ends before its first file $name', async (row) => {
    await expectRow(client, row);
  });
});
