import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemClock } from '../../src/time/clock.ts';
import { readJsonIfPresent, readTextIfPresent, writeFileAtomically } from './files.ts';
import type { StackPaths } from './paths.ts';
import {
  findMarkedProcesses,
  identify,
  isAlive,
  processMarks,
  startDetached,
  terminate,
} from './processes.ts';
import type { ProcessIdentity } from './processes.ts';
import type { Progress } from './progress.ts';
import { isPortFree } from './ports.ts';
import { lastLines } from './run-command.ts';

export const partNames = [
  'kdc',
  'hdfs',
  'ha',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'prometheus',
] as const;
export type PartName = (typeof partNames)[number];

/** The parts that a stack has only when it is asked for them, and the settings that ask: `false` is no. */
const optionalParts = {
  ha: 'ha',
  'kube-controller-manager': 'controllers',
  prometheus: 'prometheus',
} as const;
type OptionalSettings = Readonly<Record<(typeof optionalParts)[keyof typeof optionalParts], unknown>>;

/** The parts of a stack with these settings; without settings, those that every stack has. */
export function wantedParts(settings?: OptionalSettings): PartName[] {
  const wanted = (name: keyof typeof optionalParts): boolean =>
    settings !== undefined && settings[optionalParts[name]] !== false;
  return partNames.filter((name) => !isOptional(name) || wanted(name));
}

function isOptional(name: PartName): name is keyof typeof optionalParts {
  return Object.hasOwn(optionalParts, name);
}

/** One server of the stack: how to start it and how to tell that it works. */
export interface Part {
  readonly name: PartName;
  /** Ports by the name the user knows. */
  readonly ports: Readonly<Record<string, number>>;
  /** Changes with everything the process was started with. */
  readonly digest: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly startTimeoutMs: number;
  /** Writes what the process reads at its start. */
  readonly prepare?: () => Promise<void>;
  /** What is wrong with the running process, in words; undefined when it works. Never throws. */
  readonly probe: () => Promise<string | undefined>;
  /** Tries to heal a running process that the probe complains about; starting it again is the other way. */
  readonly mend?: () => Promise<void>;
}

export interface RunRecord {
  readonly identity: ProcessIdentity;
  readonly digest: string;
  readonly ports: Readonly<Record<string, number>>;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Whether it has worked since; a part whose `up` was interrupted may still be starting. */
  readonly ready: boolean;
}

const runRecord = z.object({
  identity: z.object({ pid: z.int().positive(), startTicks: z.string(), bootId: z.string() }),
  digest: z.string(),
  ports: z.record(z.string(), z.int()),
  startedAt: z.number(),
  ready: z.boolean(),
});

/** What was written down when the part was started; undefined when it wasn't, or when the note is damaged. */
export async function readRunRecord(paths: StackPaths, name: PartName): Promise<RunRecord | undefined> {
  return runRecord.safeParse(await readJsonIfPresent(recordFile(paths, name))).data;
}

export interface PartContext {
  readonly paths: StackPaths;
  readonly progress: Progress;
}

export function logFile(paths: StackPaths, name: PartName): string {
  return join(paths.logs, `${name}.log`);
}

/** Leaves a part alone that runs with these settings and works; else ends what is left of it and starts it. */
export async function ensurePart(part: Part, context: PartContext): Promise<void> {
  const { paths, progress } = context;
  const record = await readRunRecord(paths, part.name);
  if (record !== undefined) {
    const wrong = await whatIsWrong(part, record, context);
    if (wrong === undefined) {
      return;
    }
    progress(`${part.name}: ${wrong}; starting it again`);
  }
  await stopPart(paths, part.name);
  await startPart(part, context);
}

/** Undefined when the part runs with these settings and works, if need be after mending it or waiting for its start. */
async function whatIsWrong(part: Part, record: RunRecord, context: PartContext): Promise<string | undefined> {
  const { paths, progress } = context;
  if (!(await isAlive(record.identity))) {
    return `its process ${record.identity.pid} is gone`;
  }
  if (record.digest !== part.digest) {
    return 'its settings have changed';
  }
  if (!record.ready) {
    try {
      await waitUntilItWorks(part, record, context);
      return undefined;
    } catch {
      return 'it was started by an interrupted run and does not work';
    }
  }
  const wrong = await part.probe();
  if (wrong !== undefined && (await isMended(part))) {
    progress(`${part.name}: mended (${wrong})`);
    return undefined;
  }
  return wrong === undefined ? undefined : `${wrong} (its log: ${logFile(paths, part.name)})`;
}

async function isMended({ mend, probe }: Part): Promise<boolean> {
  try {
    await mend?.();
    return mend !== undefined && (await probe()) === undefined;
  } catch {
    return false;
  }
}

/** Ends every process of a part, known or found by its mark. */
export async function stopPart(paths: StackPaths, name: PartName): Promise<void> {
  const record = await readRunRecord(paths, name);
  const found = (await findMarkedProcesses(paths.dir)).filter(({ part }) => part === name);
  await terminate([...(record === undefined ? [] : [record.identity]), ...found]);
  await rm(recordFile(paths, name), { force: true });
}

async function startPart(part: Part, context: PartContext): Promise<void> {
  const { paths, progress } = context;
  for (const [name, port] of Object.entries(part.ports)) {
    if (!(await becomesFree(port))) {
      throw new Error(`${part.name}: port ${name}: ${port} on 127.0.0.1 is taken by another program`);
    }
  }
  await part.prepare?.();
  const startedAt = systemClock.now();
  const identity = await startDetached({
    command: part.command,
    args: part.args,
    env: { ...part.env, ...processMarks(paths.dir, part.name) },
    logFile: logFile(paths, part.name),
    cwd: paths.dir,
  });
  const record: RunRecord = { identity, digest: part.digest, ports: part.ports, startedAt, ready: false };
  await writeRunRecord(paths, part.name, record);
  await waitUntilItWorks(part, record, context);
  progress(
    `${part.name}: up after ${((systemClock.now() - startedAt) / 1000).toFixed(1)} s, pid ${identity.pid}`,
  );
}

/** The kernel may need a moment to close what a process that has just ended had open. */
async function becomesFree(port: number): Promise<boolean> {
  for (let attempt = 0; !(await isPortFree(port)); attempt += 1) {
    if (attempt === 20) {
      return false;
    }
    await systemClock.sleep(100);
  }
  return true;
}

/** Waits for a part that is starting, and writes down that it works. */
async function waitUntilItWorks(
  part: Part,
  record: RunRecord,
  { paths }: Pick<PartContext, 'paths'>,
): Promise<void> {
  const { identity, startedAt } = record;
  const log = logFile(paths, part.name);
  for (;;) {
    // Alive before the probe, not only answering: the answer could come from somebody else's server on that port.
    const alive = await isAlive(identity);
    const wrong = alive ? await part.probe() : 'its process ended';
    if (wrong === undefined) {
      await writeRunRecord(paths, part.name, { ...record, ready: true });
      return;
    }
    const waitedMs = systemClock.now() - startedAt;
    if (!alive || waitedMs > part.startTimeoutMs) {
      const patience = alive ? ` after ${Math.round(waitedMs / 1000)} s` : '';
      throw new PartFailed(
        part.name,
        `${wrong}${patience}`,
        log,
        lastLines((await readTextIfPresent(log)) ?? ''),
      );
    }
    await systemClock.sleep(200);
  }
}

/** A part that doesn't start. The message holds the end of its log. */
export class PartFailed extends Error {
  readonly part: PartName;
  constructor(part: PartName, wrong: string, log: string, said: string) {
    super(`${part} does not work: ${wrong}\nlast lines of ${log}:\n${said.replace(/^/gm, '  | ')}`);
    this.name = 'PartFailed';
    this.part = part;
  }
}

/** Whether the process that was written down for a part is alive. */
export async function runningPart(paths: StackPaths, name: PartName): Promise<RunRecord | undefined> {
  const record = await readRunRecord(paths, name);
  return record !== undefined && (await isAlive(record.identity)) ? record : undefined;
}

/** Processes of this stack that no record names: what an interrupted `up` left behind. */
export async function endUnknownProcesses(paths: StackPaths, progress: Progress): Promise<void> {
  const known = new Set<number>();
  for (const name of partNames) {
    const record = await runningPart(paths, name);
    if (record !== undefined) {
      known.add(record.identity.pid);
    }
  }
  const unknown: ProcessIdentity[] = [];
  for (const found of await findMarkedProcesses(paths.dir)) {
    if (!known.has(found.pid) && (await identify(found.pid)) !== undefined) {
      unknown.push(found);
    }
  }
  if (unknown.length > 0) {
    progress(
      `ending ${unknown.length} processes an interrupted run left: ${unknown.map(({ pid }) => pid).join(', ')}`,
    );
    await terminate(unknown);
  }
}

async function writeRunRecord(paths: StackPaths, name: PartName, record: RunRecord): Promise<void> {
  await writeFileAtomically(recordFile(paths, name), `${JSON.stringify(record)}\n`);
}

function recordFile(paths: StackPaths, name: PartName): string {
  return join(paths.run, `${name}.json`);
}
