import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FetchWorld } from './fetch-world.ts';

/** How to run one of the programs beside this file. */
export const program = (name: string) => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  join(import.meta.dirname, name),
];

export interface Seen {
  readonly readings: number;
  readonly each: readonly number[];
  readonly faults: readonly string[];
}

/** Another process, which reads the file without a pause while `work` replaces it by one content and the other. */
export async function readWhile(
  world: FetchWorld,
  contents: readonly string[],
  work: () => Promise<void>,
): Promise<Seen> {
  const [node = '', ...args] = program('read-loop.ts');
  const reader: ChildProcess = spawn(node, [...args, world.output, ...contents], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  reader.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const closed = once(reader, 'close');
  try {
    if (reader.stdout !== null) await once(reader.stdout, 'data');
    await work();
  } finally {
    reader.kill('SIGTERM');
    await closed;
  }
  return JSON.parse(output.slice(output.indexOf('{'))) as Seen;
}
