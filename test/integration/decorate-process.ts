import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort, waitFor } from './serve-process.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

export interface DecorateProcess {
  readonly port: number;
  readonly pid: number;
  readonly adminUrl: string;
  /** Everything the process printed so far, on both streams. */
  output(): string;
  auditLines(): readonly Record<string, unknown>[];
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
}

export interface DecorateOptions {
  /** Folder for the configuration file. */
  readonly dir: string;
  /** Without `listen` and `admin`. */
  readonly config: object;
  /** Default: a free one. That of a process before: the webhook configurations name it. */
  readonly port?: number;
  readonly args?: readonly string[];
}

/** Starts a real `kerbridge decorate` on loopback and waits until it is ready. */
export async function startDecorate({
  dir,
  config,
  args = [],
  ...given
}: DecorateOptions): Promise<DecorateProcess> {
  const [port, adminPort] = [given.port ?? (await freePort()), await freePort()];
  const file = join(dir, `decorate-${port}.yaml`);
  await writeFile(
    file,
    stringify({
      listen: { address: '127.0.0.1', port },
      admin: { address: '127.0.0.1', port: adminPort },
      shutdownDrainPeriod: '100ms', // nobody routes to it
      ...config,
    }),
  );
  const child = spawn(process.execPath, [MAIN, 'decorate', '--config', file, ...args], {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let audit = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (audit += chunk.toString()));
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await once(child, 'exit');
    clearTimeout(timer);
  };
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  try {
    await waitFor(async () => {
      const how = child.exitCode ?? child.signalCode;
      if (how !== null) throw new Error(`decorate ended with ${how}`);
      return (await fetch(`${adminUrl}/readyz`).catch(() => undefined))?.status === 200;
    }, 60_000);
  } catch (error) {
    await stop();
    throw new Error(`decorate did not become ready:\n${output}${audit}`, { cause: error });
  }
  const { pid } = child;
  if (pid === undefined) throw new Error('decorate has no process');
  return {
    port,
    pid,
    adminUrl,
    output: () => output + audit,
    auditLines: () =>
      audit
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    stop,
  };
}
