import { describeStack } from './description.ts';
import type { Stack } from './description.ts';
import { probeHdfs } from './hdfs/hdfs.ts';
import { planCluster } from './hdfs/clusters.ts';
import { probeKdc } from './kdc/kdc.ts';
import { probeControllerManager } from './kubernetes/controller-manager.ts';
import { probeApiserver, probeEtcd } from './kubernetes/kubernetes.ts';
import { readRunRecord, wantedParts } from './parts.ts';
import type { PartName } from './parts.ts';
import { stackDir, stackPaths } from './paths.ts';
import type { StackPaths } from './paths.ts';
import { isAlive } from './processes.ts';
import { probePrometheus } from './prometheus/prometheus.ts';
import { readSettings } from './settings.ts';
import type { Settings } from './settings.ts';

export interface PartStatus {
  readonly part: PartName;
  readonly state: 'up' | 'unhealthy' | 'down';
  /** What is wrong when the state is `unhealthy`. */
  readonly problem?: string;
  readonly pid?: number;
  readonly ports?: Readonly<Record<string, number>>;
  /** Milliseconds since the epoch. */
  readonly startedAt?: number;
}

export interface StackStatus {
  readonly dir: string;
  readonly up: boolean;
  readonly parts: readonly PartStatus[];
}

export interface StatusOptions {
  readonly dir?: string;
}

/** Asks every part whether it works. A stack without `--ha` has no part `ha`, and so on. */
export async function status({ dir }: StatusOptions = {}): Promise<StackStatus> {
  const paths = stackPaths(stackDir(dir));
  const settings = await readSettings(paths.settings);
  const parts = await Promise.all(wantedParts(settings).map((name) => partStatus(name, paths, settings)));
  return { dir: paths.dir, up: parts.every(({ state }) => state === 'up'), parts };
}

async function partStatus(
  part: PartName,
  paths: StackPaths,
  settings: Settings | undefined,
): Promise<PartStatus> {
  const record = await readRunRecord(paths, part);
  if (settings === undefined || record === undefined || !(await isAlive(record.identity))) {
    return { part, state: 'down' };
  }
  const problem = await probe(part, paths, settings);
  return {
    part,
    state: problem === undefined ? 'up' : 'unhealthy',
    ...(problem === undefined ? {} : { problem }),
    pid: record.identity.pid,
    ports: record.ports,
    startedAt: record.startedAt,
  };
}

function probe(part: PartName, paths: StackPaths, { ports }: Settings): Promise<string | undefined> {
  switch (part) {
    case 'kdc':
      return probeKdc(paths);
    case 'hdfs':
    case 'ha':
      return probeHdfs(planCluster(part, paths, ports));
    case 'etcd':
      return probeEtcd(ports);
    case 'kube-apiserver':
      return probeApiserver(paths, ports);
    case 'kube-controller-manager':
      return probeControllerManager(paths, ports);
    case 'prometheus':
      return probePrometheus(ports);
  }
}

/**
 * Where everything of a running stack is. Looks at processes only, so it is quick; `status` asks them.
 * @throws Error that says how to bring it up, when a part isn't running.
 */
export async function readStack(dir?: string): Promise<Stack> {
  const paths = stackPaths(stackDir(dir));
  const settings = await readSettings(paths.settings);
  const missing: PartName[] = [];
  for (const name of wantedParts(settings)) {
    const record = await readRunRecord(paths, name);
    if (record === undefined || !(await isAlive(record.identity))) {
      missing.push(name);
    }
  }
  if (settings === undefined || missing.length > 0) {
    const what = settings === undefined ? 'is not up' : `lacks ${missing.join(', ')}`;
    throw new Error(`the stack in ${paths.dir} ${what}: run "npm run stack -- up"`);
  }
  return describeStack(paths, settings);
}
