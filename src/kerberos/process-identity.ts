import { readFile } from 'node:fs/promises';
import { errorCode } from '../observability/error-code.ts';

/** Tells a process from another one that got the same pid later, which in containers is the rule: each has a pid 1. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat (proc(5)): clock ticks since the machine booted; `0` where there is no /proc. */
  readonly startTime: string;
}

/** State and start time; the command before them is in parentheses and may hold anything. Undefined when there is none. */
const readStat = async (pid: number | 'self'): Promise<{ state: string; startTime: string } | undefined> => {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTime = fields[19];
  return state === undefined || startTime === undefined ? undefined : { state, startTime };
};

export const ownIdentity = async (): Promise<ProcessIdentity> => ({
  pid: process.pid,
  startTime: (await readStat('self'))?.startTime ?? '0',
});

const existsAtAll = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
};

/** Whether that very process still runs; in doubt it does. One that waits to be reaped doesn't. */
export const isAlive = async ({ pid, startTime }: ProcessIdentity): Promise<boolean> => {
  if (startTime === '0' || (await readStat('self')) === undefined) {
    return existsAtAll(pid);
  }
  const stat = await readStat(pid);
  return stat !== undefined && stat.startTime === startTime && !/^[ZX]/u.test(stat.state);
};
