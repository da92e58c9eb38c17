import type { Stack } from '../description.ts';
import { readRunRecord } from '../parts.ts';
import { stackPaths } from '../paths.ts';
import { isAlive } from '../processes.ts';

/**
 * SIGSTOP to the JVM of an HDFS, all of its NameNodes and the control server included: connections stay, new ones are taken
 * by the kernel, and nobody answers. Disposing of it lets the JVM go on.
 */
export async function pauseHdfs({ dir }: Pick<Stack, 'dir'>, part: 'hdfs' | 'ha'): Promise<AsyncDisposable> {
  const record = await readRunRecord(stackPaths(dir), part);
  if (record === undefined || !(await isAlive(record.identity))) throw new Error(`${part} does not run`);
  const { identity } = record;
  process.kill(identity.pid, 'SIGSTOP');
  return {
    [Symbol.asyncDispose]: async () => {
      if (await isAlive(identity)) process.kill(identity.pid, 'SIGCONT');
    },
  };
}
