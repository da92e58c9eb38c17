import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { waitFor } from '../serve-process.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');

export interface FetchEnd {
  readonly exitCode: number | null;
  readonly stderr: string;
}

export interface FetchProcess {
  readonly pid: number;
  /** Everything on standard error so far. */
  stderr(): string;
  /** Waits until standard error has this; fails when it ends first. */
  hear(pattern: RegExp): Promise<void>;
  /** Waits for the end. */
  ended: Promise<FetchEnd>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<FetchEnd>;
}

const running = new Set<ChildProcess>();

/** What a test that failed has left running would keep jest from its end. */
export async function endAllFetches(): Promise<void> {
  for (const child of running) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
}

/** Starts `kerbridge fetch …` with nothing of our environment but the PATH. */
export function startFetch(
  args: readonly string[],
  { env = {}, before = [] }: { env?: Record<string, string>; before?: readonly string[] } = {},
): FetchProcess {
  // `before`: a command that becomes ours, as setpriv does.
  const [file = process.execPath, ...rest] = [...before, process.execPath, MAIN, 'fetch', ...args];
  const child: ChildProcess = spawn(file, rest, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = (async (): Promise<FetchEnd> => {
    await once(child, 'close');
    return { exitCode: child.exitCode, stderr };
  })();
  return {
    pid: child.pid ?? -1,
    stderr: () => stderr,
    ended,
    hear: async (pattern) => {
      await waitFor(() => {
        if (pattern.test(stderr)) return true;
        if (child.exitCode !== null) throw new Error(`fetch ended with ${child.exitCode}: ${stderr}`);
        return false;
      }, 60_000);
    },
    stop: async () => {
      child.kill('SIGTERM');
      return await ended;
    },
  };
}
