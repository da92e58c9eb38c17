import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';

/** Of Linux on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat that follow the name, which may hold anything: user and system time. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;

/** Seconds of processor time that each of the processes has used since it began. */
export async function processorTimes(
  pids: Readonly<Record<string, number>>,
): Promise<Readonly<Record<string, number>>> {
  const entries = Object.entries(pids).map(async ([name, pid]): Promise<readonly [string, number]> => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [name, (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) / TICKS_PER_SECOND];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Seconds since the machine was started in which a core did something, and in which it did nothing. */
export function machineTimes(): { readonly busy: number; readonly idle: number } {
  const sum = { busy: 0, idle: 0 };
  for (const { times } of cpus()) {
    sum.idle += times.idle / 1000;
    sum.busy += (times.user + times.nice + times.sys + times.irq) / 1000;
  }
  return sum;
}

/** Resident memory of a process, in MB. */
export async function residentMegabytes(
  pid: number,
): Promise<{ readonly now: number; readonly most: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const of = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { now: of('VmRSS'), most: of('VmHWM') };
}
