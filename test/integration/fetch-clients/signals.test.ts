import { describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClientProcess, until } from './client-process.ts';
import { type Client, CLIENTS } from './clients.ts';
import {
  type Answer,
  credentials,
  type FakeServe,
  halfThenSilence,
  silence,
  SilentServer,
} from './fake-serve.ts';
import { expectRow, type FaultRow } from './fault-row.ts';
import { FetchWorld } from './fetch-world.ts';

/** Where the client is when the signal comes. */
interface Stage {
  readonly at: string;
  readonly answers?: (world: FetchWorld) => readonly Answer[];
  readonly given?: FaultRow['given'];
  readonly reached: (process: ClientProcess, world: FetchWorld, server: FakeServe) => Promise<unknown>;
}

const isAsked = (server: FakeServe, times = 1) =>
  until(
    () => server.asked.length >= times,
    () => `${times} requests`,
  );

/** The answer, or its first half, is on its way. */
const isAnswered = (server: FakeServe, times = 1) =>
  until(
    () => server.answered >= times,
    () => `${times} answers`,
  );

const silentServers = new WeakMap<FetchWorld, SilentServer>();

const STAGES: readonly Stage[] = [
  {
    at: 'while it connects',
    given: async (world) => {
      const silent = await SilentServer.start();
      world.onCleanUp(async () => silent.stop());
      silentServers.set(world, silent);
      return silent.url;
    },
    // A connection that was taken, and TLS that never begins.
    reached: (_process, world) =>
      until(
        () => silentServers.get(world)?.connections === 1,
        () => 'a connection',
      ),
  },
  {
    at: 'while it waits for an answer',
    answers: () => [silence],
    reached: (_process, _world, server) => isAsked(server),
  },
  {
    at: 'while the body comes',
    answers: (world) => [halfThenSilence(world.new)],
    reached: (_process, _world, server) => isAnswered(server),
  },
  {
    at: 'between two tries',
    given: async (_world, server) => await server.stop(),
    reached: (process) => process.says(/next try in/),
  },
];

const rowsOf = ({ at, answers, given, reached }: Stage): FaultRow[] =>
  (
    [
      ['SIGTERM', 143, []],
      ['SIGINT', 130, []],
      ['SIGTERM', 143, ['--watch']],
    ] as const
  ).map(([signal, exit, args]) => ({
    name: `${signal} ${at}${args.length > 0 ? ', as a watcher' : ''}`,
    ...(answers === undefined ? {} : { answers }),
    ...(given === undefined ? {} : { given }),
    args: () => ['--deadline=600', '--timeout=600', ...args],
    meanwhile: async (process, world, server) => {
      await reached(process, world, server);
      process.kill(signal);
    },
    exit,
    file: 'old',
  }));

const WATCHING: readonly FaultRow[] = (['SIGTERM', 'SIGINT'] as const).flatMap((signal) => [
  {
    name: `${signal} while the watcher sleeps`,
    args: () => ['--watch'],
    meanwhile: async (process, world) => {
      await world.statusIs('ok');
      process.kill(signal);
    },
    exit: 0,
    file: 'new',
  },
  {
    name: `${signal} while the watcher waits for an answer`,
    args: () => ['--watch', '--timeout=600'],
    answers: (world) => [credentials(world.new, { 'Kerbridge-Refresh-After': '1' }), silence],
    meanwhile: async (process, _world, server) => {
      await isAsked(server, 2);
      process.kill(signal);
    },
    exit: 0,
    file: 'new',
  },
  {
    name: `${signal} while the watcher gets a body`,
    args: () => ['--watch', '--timeout=600'],
    answers: (world) => [
      credentials(world.new, { 'Kerbridge-Refresh-After': '1' }),
      halfThenSilence(world.old),
    ],
    meanwhile: async (process, _world, server) => {
      await isAnswered(server, 2);
      process.kill(signal);
    },
    exit: 0,
    file: 'new',
  },
  {
    name: `${signal} while the watcher waits for the next try`,
    args: () => ['--watch'],
    answers: (world) => [
      credentials(world.new, { 'Kerbridge-Refresh-After': '1' }),
      (response) => void response.destroy(),
    ],
    meanwhile: async (process) => {
      await process.says(/next try in .*\n.*next try in/);
      process.kill(signal);
    },
    exit: 0,
    file: 'new',
  },
]);

async function lifetimeMs(client: Client): Promise<number> {
  await using world = await FetchWorld.create(client);
  const server = await world.serve([credentials(world.new)]);
  const start = performance.now();
  await world.run(server.url);
  return performance.now() - start;
}

describe.each(CLIENTS)('$name ends by', (client) => {
  it.concurrent.each([...STAGES.flatMap(rowsOf), ...WATCHING])('$name', async (row) => {
    await expectRow(client, row);
  });

  it.concurrent.each(['SIGTERM', 'SIGINT'] as const)(
    '%s at any moment, with the whole file or none',
    async (signal) => {
      const ends = new Set<unknown>();
      const stepMs = (await lifetimeMs(client)) / 20;
      // From before its first line to after its last.
      for (let waitMs = 0; !ends.has(0); waitMs += stepMs) {
        await using world = await FetchWorld.create(client);
        await rm(world.output);
        const server = await world.serve([credentials(world.new)]);
        const process = await world.start(server.url);
        await delay(waitMs);
        process.kill(signal);
        const exit = await process.end();
        ends.add(exit);
        expect(await world.read()).toEqual(exit === 0 ? world.new : undefined);
        expect(await process.survivors()).toEqual([]);
        await world.expectClean();
      }
      // By the signal itself before its first line.
      const ended = signal === 'SIGTERM' ? 143 : 130;
      expect([0, ended, signal]).toEqual(expect.arrayContaining([...ends]));
    },
  );
});
