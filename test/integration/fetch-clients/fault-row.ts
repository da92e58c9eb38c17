import type { ClientProcess } from './client-process.ts';
import type { Client } from './clients.ts';
import { type Answer, credentials, type FakeServe, type FakeServeOptions } from './fake-serve.ts';
import { type Expected, FetchWorld } from './fetch-world.ts';

/** One fault, and what every client has to make of it. */
export interface FaultRow extends Expected {
  readonly name: string;
  /** What the server answers, one a request, the last again and again; default: the new file. */
  readonly answers?: (world: FetchWorld) => readonly Answer[];
  readonly server?: FakeServeOptions;
  /** Runs the client as its arguments. */
  readonly wrapper?: readonly string[];
  /** Before the client starts; may return another URL. */
  readonly given?: (world: FetchWorld, server: FakeServe) => Promise<string | void>;
  readonly args?: (world: FetchWorld) => readonly string[];
  readonly env?: (world: FetchWorld) => Record<string, string>;
  /** While the client runs. */
  readonly meanwhile?: (process: ClientProcess, world: FetchWorld, server: FakeServe) => Promise<void>;
  /** After its end. */
  readonly after?: (world: FetchWorld, server: FakeServe, output: string) => Promise<void> | void;
}

/** Runs one row against one client. */
export async function expectRow(client: Client, row: FaultRow): Promise<void> {
  await using world = await FetchWorld.create(client);
  const server = await world.serve(row.answers?.(world) ?? [credentials(world.new)], row.server);
  const url = (await row.given?.(world, server)) ?? server.url;
  const process = await world.start(url, row.args?.(world), row.env?.(world), row.wrapper);
  await row.meanwhile?.(process, world, server);
  await world.expectEnd(process, row);
  await row.after?.(world, server, process.output);
  await world.expectClean();
}
