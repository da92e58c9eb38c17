import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from './clients.ts';

export interface ClientProcessOptions {
  readonly client: Client;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly path: string;
  readonly cwd: string;
}

/** A client that runs, in a process group of its own. */
export class ClientProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #output = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    // Not `exit`: whatever holds its output is a part of it.
    this.#closed = once(child, 'close');
  }

  static async start({ client, args, env, path, cwd }: ClientProcessOptions): Promise<ClientProcess> {
    const [program = '', ...first] = client.command;
    const child = spawn(program, [...first, ...args], {
      cwd,
      env: { PATH: path, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    return new ClientProcess(child);
  }

  get output(): string {
    return this.#output;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its exit code, or the signal that killed it. */
  async end(): Promise<number | NodeJS.Signals | null> {
    await this.#closed;
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  /** Waits for a line. */
  async says(pattern: RegExp): Promise<void> {
    await until(
      () => pattern.test(this.#output),
      () => `${String(pattern)} in:\n${this.#output}`,
    );
  }

  /** Kills what is left of its group. */
  async clear(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // nothing is left
    }
    await this.#closed;
  }

  /** What of its group is still alive. */
  async survivors(): Promise<string[]> {
    const survivors: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      // pid (name) state parent group …; a name may hold anything.
      const fields = (await readProc(`/proc/${pid}/stat`)).split(') ').at(-1)?.split(' ') ?? [];
      const isAlive = fields[0] !== 'Z' && fields[0] !== 'X';
      if (isAlive && fields[2] === String(this.#child.pid))
        survivors.push(await readProc(`/proc/${pid}/cmdline`));
    }
    return survivors;
  }

  /** The arguments and the environments of itself and all below it, as anybody on the node could read them. */
  async visible(): Promise<string> {
    const texts: string[] = [];
    const visit = async (pid: number): Promise<void> => {
      for (const file of ['cmdline', 'environ']) texts.push(await readProc(`/proc/${pid}/${file}`));
      const children = await readProc(`/proc/${pid}/task/${pid}/children`);
      for (const child of children.split(' ').filter((each) => each !== '')) await visit(Number(child));
    };
    await visit(this.#child.pid ?? 0);
    return texts.join('\n');
  }
}

async function readProc(path: string): Promise<string> {
  return await readFile(path, 'latin1').catch(() => '');
}

const PATIENCE_MS = 30_000;

/** Polls until `check` says yes. */
export async function until(check: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`not so within ${PATIENCE_MS} ms: ${what()}`);
    await delay(20);
  }
}
