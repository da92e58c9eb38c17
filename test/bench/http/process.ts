import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Sends one message to the process that started this one. */
export function tellParent(message: object): void {
  process.send?.(message);
}

/** A server of a measurement, in a process of its own. */
export interface Side {
  readonly port: number;
  /** For HTTPS, where the side has two. */
  readonly tlsPort: number | undefined;
  /** ms of processor time that the process has used. */
  cpuMs(): Promise<number>;
  stop(): void;
}

/** Starts a file of this folder and waits until it says where it listens. */
export async function startSide(file: string, args: readonly string[] = []): Promise<Side> {
  const child = start(file, args);
  const { port, tlsPort } = (await nextMessage(child)) as { port: number; tlsPort?: number };
  return {
    port,
    tlsPort,
    cpuMs: async () => ((await ask(child, 'cpu')) as { cpuMs: number }).cpuMs,
    stop: () => child.disconnect(),
  };
}

export function start(file: string, args: readonly string[] = []): ChildProcess {
  return fork(join(import.meta.dirname, file), args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** One question, one answer. */
export async function ask(child: ChildProcess, question: string | object): Promise<unknown> {
  child.send(question);
  return await nextMessage(child);
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const ended = once(child, 'exit', { signal: over.signal }).then(([code]) => {
    throw new Error(`${child.spawnfile} ${child.spawnargs.slice(1).join(' ')} ended with ${String(code)}`);
  });
  try {
    const [message] = (await Promise.race([once(child, 'message', over), ended])) as [unknown];
    return message;
  } finally {
    over.abort();
    ended.catch(() => undefined);
  }
}

/** Answers the questions about processor time, and ends with the parent. */
export function serveParent(): void {
  process.on('message', (question) => {
    if (question !== 'cpu') return;
    const { user, system } = process.cpuUsage();
    tellParent({ cpuMs: (user + system) / 1000 });
  });
  process.on('disconnect', () => process.exit(0));
}
