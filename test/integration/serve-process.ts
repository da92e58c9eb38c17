import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

export interface ServeProcess {
  /** Base URL of the public API. */
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  /** Every log line so far. */
  logLines(): readonly Record<string, unknown>[];
  /** The log line of a request, once it has come through the pipe. */
  logLineOf(requestId: unknown): Promise<Record<string, unknown>>;
  /** Every line of the audit stream so far, which goes to standard error unless the configuration says otherwise. */
  auditLines(): readonly Record<string, unknown>[];
  /** The audit lines of a request; waits for the first. More than one is a fault. */
  auditLineOf(requestId: unknown): Promise<Record<string, unknown>>;
  /** Everything the process printed so far, on both streams, as it came. */
  output(): string;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<ServeEnd>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<ServeEnd>;
  /** Waits for the end. */
  readonly ended: Promise<ServeEnd>;
}

export interface ServeEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServeOptions {
  /** Folder for the configuration file. */
  readonly dir: string;
  /** The configuration without `admin`; of `listen` what is to be more than a free loopback port. */
  readonly config: Readonly<Record<string, unknown>> & {
    readonly listen?: object;
    readonly identity?: object;
  };
  readonly env?: Record<string, string>;
  /** Of the API; default: a free one. That of a process before lets its clients go on. */
  readonly port?: number;
  /** The CLI to run, as `node <main>`. */
  readonly main?: string;
  /** Wait until `/readyz` says yes; default true. */
  readonly untilReady?: boolean;
}

/** Starts a real `kerbridge serve` on free loopback ports and waits until it is ready. */
export async function startServe(options: ServeOptions): Promise<ServeProcess> {
  const [port, adminPort] = [options.port ?? (await freePort()), await freePort()];
  const configFile = join(options.dir, `serve-${port}.yaml`);
  await writeFile(
    configFile,
    stringify({
      admin: { address: '127.0.0.1', port: adminPort },
      shutdownDrainPeriod: '100ms', // nobody routes to it
      ...options.config,
      // Tests name the user by the annotation alone; with the ID decorator this is not needed.
      identity: { requireSignature: false, ...options.config.identity },
      listen: { address: '127.0.0.1', port, ...options.config.listen },
    }),
  );
  const child = spawn(process.execPath, [options.main ?? MAIN, 'serve', '--config', configFile], {
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let audit = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (audit += chunk.toString()));
  const ended = (async () => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return { exitCode: child.exitCode, signal: child.signalCode };
  })();
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const serve: ServeProcess = {
    url: `${Object.hasOwn(options.config.listen ?? {}, 'tls') ? 'https' : 'http'}://127.0.0.1:${port}`,
    adminUrl,
    pid: child.pid ?? -1,
    logLines: () => parseLines(output),
    logLineOf: async (requestId) => {
      const find = () => parseLines(output).find((line) => line['requestId'] === requestId);
      await waitFor(() => find() !== undefined);
      return find() ?? {};
    },
    auditLines: () => parseLines(audit),
    auditLineOf: async (requestId) => {
      const find = () => parseLines(audit).filter((line) => line['requestId'] === requestId);
      await waitFor(() => find().length > 0);
      const [line = {}, ...more] = find();
      if (more.length > 0) throw new Error(`request ${String(requestId)} has ${more.length + 1} audit lines`);
      return line;
    },
    output: () => output + audit,
    stop: () => stop(child),
    kill: () => {
      child.kill('SIGKILL');
      return ended;
    },
    ended,
  };
  try {
    await waitFor(async () => {
      const how = child.exitCode ?? child.signalCode;
      if (how !== null) throw new Error(`serve ended with ${how}:\n${output}${audit}`);
      const path = options.untilReady === false ? '/livez' : '/readyz';
      return (await fetch(`${adminUrl}${path}`).catch(() => undefined))?.status === 200;
    }, 60_000);
  } catch (error) {
    await stop(child);
    throw new Error(`serve did not become ready:\n${output}${audit}`, { cause: error });
  }
  return serve;
}

/** Polls until `check` says yes; throws after 30 s. */
export async function waitFor(check: () => Promise<boolean> | boolean, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not so within ${timeoutMs} ms`);
    await delay(50);
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function stop(child: ChildProcess): Promise<ServeEnd> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await once(child, 'exit');
    clearTimeout(timer);
  }
  return { exitCode: child.exitCode, signal: child.signalCode };
}

function parseLines(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
