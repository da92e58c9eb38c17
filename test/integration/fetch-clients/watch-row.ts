import type { ClientProcess } from './client-process.ts';
import type { Client } from './clients.ts';
import { type Answer, credentials, type FakeServe } from './fake-serve.ts';
import { FetchWorld } from './fetch-world.ts';

/** How a watcher has its first file, and what then happens to it. */
export interface WatchRow {
  readonly name: string;
  readonly answers?: (world: FetchWorld) => readonly Answer[];
  /** Before it starts. */
  readonly given?: (world: FetchWorld, server: FakeServe) => Promise<unknown>;
  readonly args?: (world: FetchWorld) => readonly string[];
  readonly happens: (watcher: Watcher) => Promise<void>;
}

export interface Watcher {
  readonly world: FetchWorld;
  readonly server: FakeServe;
  readonly process: ClientProcess;
}

/** Answers that hold for a second, and for longer than any test. */
export const BRIEFLY = { 'Kerbridge-Refresh-After': '1' };
export const LONG = { 'Kerbridge-Refresh-After': '3600' };

/** Runs a watcher through a row. Whatever happened, a signal is then its end, and the file is there. */
export async function expectWatch(client: Client, row: WatchRow): Promise<void> {
  await using world = await FetchWorld.create(client);
  const server = await world.serve(row.answers?.(world) ?? [credentials(world.new, LONG)]);
  await row.given?.(world, server);
  const process = await world.start(server.url, ['--watch', ...(row.args?.(world) ?? [])]);
  try {
    await row.happens({ world, server, process });
  } catch (error) {
    throw new Error(`what the client said:\n${process.output}`, { cause: error });
  }
  process.kill('SIGTERM');
  await world.expectEnd(process, { exit: 0, file: 'new' });
  await world.expectClean();
}
