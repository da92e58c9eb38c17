import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { partNames, readRunRecord } from './parts.ts';
import { stackDir, stackPaths } from './paths.ts';
import { findMarkedProcesses, isAlive, terminate } from './processes.ts';
import type { ProcessIdentity } from './processes.ts';
import { toStderr } from './progress.ts';
import type { Progress } from './progress.ts';
import { forgetAllButPorts } from './settings.ts';
import { withStackLock } from './up.ts';

export interface DownOptions {
  readonly dir?: string;
  /** Removes the state directory, with the logs and the remembered ports. */
  readonly purge?: boolean;
  readonly progress?: Progress;
}

/** Ends every process of the stack, written down or not, and removes its data. Logs stay. Fine when it is down. */
export async function down({ dir, purge = false, progress = toStderr }: DownOptions = {}): Promise<void> {
  const paths = stackPaths(stackDir(dir));
  await withStackLock(paths, progress, async () => {
    const processes: ProcessIdentity[] = await findMarkedProcesses(paths.dir);
    for (const name of partNames) {
      const record = await readRunRecord(paths, name);
      if (record !== undefined && (await isAlive(record.identity))) {
        processes.push(record.identity);
      }
    }
    await terminate(processes, { graceMs: 3_000 });
    // A process that was being started while we looked has the mark too.
    await terminate(await findMarkedProcesses(paths.dir));
    for (const folder of [
      paths.run,
      paths.kdc,
      paths.hdfs,
      paths.ha,
      paths.kubernetes,
      paths.prometheus,
      paths.conf,
    ]) {
      await rm(folder, { recursive: true, force: true });
    }
    if (purge) {
      await rm(paths.dir, { recursive: true, force: true });
    } else if (existsSync(paths.settings)) {
      await forgetAllButPorts(paths.settings);
    }
  });
}
