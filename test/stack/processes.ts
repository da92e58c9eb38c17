import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync, renameSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock } from '../../src/time/clock.ts';
import { isErrno } from './errors.ts';
import { readTextIfPresent } from './files.ts';

/** Which process, for sure: pids are used again, a start time (clock ticks after boot, proc(5)) and boot tell them apart. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
  readonly bootId: string;
}

export interface MarkedProcess extends ProcessIdentity {
  readonly part: string;
}

/** The marks every process of a stack carries in its environment, and so do the processes it starts. */
export function processMarks(dir: string, part: string): Record<string, string> {
  return { KERBRIDGE_STACK: dir, KERBRIDGE_STACK_PART: part };
}

/** Finds the marks in the text of /proc/PID/environ: the part, or undefined when it isn't a process of that stack. */
export function markedPart(environ: string, dir: string): string | undefined {
  const variables = environ.split('\0');
  if (!variables.includes(`KERBRIDGE_STACK=${dir}`)) {
    return undefined;
  }
  const prefix = 'KERBRIDGE_STACK_PART=';
  return variables.find((variable) => variable.startsWith(prefix))?.slice(prefix.length);
}

export interface ProcessStat {
  readonly state: string;
  readonly threads: number;
  readonly startTicks: string;
}

/** Reads /proc/PID/stat (proc(5)). The program's name in it may hold spaces and brackets. */
export function parseStat(stat: string): ProcessStat | undefined {
  const nameEnd = stat.lastIndexOf(')');
  const fields = stat
    .slice(nameEnd + 1)
    .trim()
    .split(' ');
  const [state] = fields;
  const threads = Number(fields[17]);
  const startTicks = fields[19];
  return nameEnd < 0 || state === undefined || startTicks === undefined || !/^[0-9]+$/.test(startTicks)
    ? undefined
    : { state, threads, startTicks };
}

/**
 * Whether a process still holds ports and files. A zombie does not, unless only its first thread is one: the others
 * may still be ending, as those of a JVM do for a moment.
 */
export function isLive({ state, threads }: ProcessStat): boolean {
  return (state !== 'Z' && state !== 'X') || threads > 1;
}

/** The identity of a live process; undefined when there is none. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = parseStat((await readProcFile(pid, 'stat')) ?? '');
  if (stat === undefined || !isLive(stat)) {
    return undefined;
  }
  return { pid, startTicks: stat.startTicks, bootId: await currentBootId() };
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const now = await identify(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** All live processes of a stack, whether somebody wrote them down or not. Never the calling process. */
export async function findMarkedProcesses(dir: string): Promise<MarkedProcess[]> {
  const found: MarkedProcess[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) {
      continue;
    }
    const part = markedPart((await readProcFile(pid, 'environ')) ?? '', dir);
    const identity = part === undefined ? undefined : await identify(pid);
    if (part !== undefined && identity !== undefined) {
      found.push({ ...identity, part });
    }
  }
  return found;
}

export interface DetachedCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Takes stdout and stderr; the file of the start before is kept as `.1`. */
  readonly logFile: string;
  readonly cwd: string;
}

/** Starts a process that outlives this one. */
export async function startDetached(options: DetachedCommand): Promise<ProcessIdentity> {
  mkdirSync(dirname(options.logFile), { recursive: true });
  keepPreviousLog(options.logFile);
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const pid = await new Promise<number>((resolve, reject) => {
      const child = spawn(options.command, options.args, {
        cwd: options.cwd,
        env: options.env,
        detached: true,
        stdio: ['ignore', log, log],
      });
      child.once('error', (error) => reject(new Error(`cannot run ${options.command}: ${error.message}`)));
      child.once('spawn', () => {
        if (child.pid !== undefined) {
          resolve(child.pid);
        }
      });
      child.unref();
    });
    // It may have ended already; then the caller finds it dead, with what it said in the log.
    return (await identify(pid)) ?? { pid, startTicks: '0', bootId: await currentBootId() };
  } finally {
    closeSync(log);
  }
}

function keepPreviousLog(logFile: string): void {
  try {
    renameSync(logFile, `${logFile}.1`);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) {
      throw error;
    }
  }
}

export interface TerminateOptions {
  /** How long a process may take to end after SIGTERM before it gets SIGKILL. */
  readonly graceMs?: number;
}

/** Ends processes: SIGTERM, wait, SIGKILL, wait. Only those identities: a pid that was used again is left alone. */
export async function terminate(
  identities: readonly ProcessIdentity[],
  { graceMs = 8_000 }: TerminateOptions = {},
): Promise<void> {
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    const alive = await onlyAlive(identities);
    for (const { pid } of alive) {
      send(pid, signal);
    }
    if (await allGone(alive, waitMs)) {
      return;
    }
  }
  const left = (await onlyAlive(identities)).map(({ pid }) => pid);
  if (left.length > 0) {
    throw new Error(`processes that do not end: ${left.join(', ')}`);
  }
}

async function allGone(identities: readonly ProcessIdentity[], waitMs: number): Promise<boolean> {
  const until = systemClock.now() + waitMs;
  for (;;) {
    if ((await onlyAlive(identities)).length === 0) {
      return true;
    }
    if (systemClock.now() >= until) {
      return false;
    }
    await systemClock.sleep(50);
  }
}

async function onlyAlive(identities: readonly ProcessIdentity[]): Promise<ProcessIdentity[]> {
  const alive: ProcessIdentity[] = [];
  for (const identity of identities) {
    if (await isAlive(identity)) {
      alive.push(identity);
    }
  }
  return alive;
}

function send(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) {
      throw error;
    }
  }
}

async function readProcFile(pid: number, name: string): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    // Gone, or another user's: not ours in both cases.
    return undefined;
  }
}

async function currentBootId(): Promise<string> {
  return ((await readTextIfPresent('/proc/sys/kernel/random/boot_id')) ?? '').trim();
}
