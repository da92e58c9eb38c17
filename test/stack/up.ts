import { mkdir } from 'node:fs/promises';
import { describeKubernetes, describeStack } from './description.ts';
import type { Stack } from './description.ts';
import { planCluster } from './hdfs/clusters.ts';
import { hadoopJars, stackClasses } from './hdfs/hadoop-jars.ts';
import { hdfsPart, writeClientConfiguration } from './hdfs/hdfs.ts';
import { ensureKdc } from './kdc/kdc.ts';
import { controllerManagerProgram, controlPlanePrograms } from './kubernetes/control-plane-programs.ts';
import { controllerManagerPart } from './kubernetes/controller-manager.ts';
import { ensureKubernetes } from './kubernetes/kubernetes.ts';
import { withLock } from './lock.ts';
import { endUnknownProcesses, ensurePart, partNames, runningPart, stopPart, wantedParts } from './parts.ts';
import type { PartContext } from './parts.ts';
import { stackDir, stackPaths } from './paths.ts';
import type { StackPaths } from './paths.ts';
import { choosePorts, ephemeralPortsFrom, isPortFree } from './ports.ts';
import type { PortName, Ports } from './ports.ts';
import { prometheusPart } from './prometheus/prometheus.ts';
import { processMarks } from './processes.ts';
import { toStderr } from './progress.ts';
import type { Progress } from './progress.ts';
import { mergeSettings, readSavedSettings, writeSettings } from './settings.ts';
import type { Settings, StackOptions } from './settings.ts';
import { messageOf } from './errors.ts';

export interface UpOptions extends StackOptions {
  /** State directory; the default is said at {@link stackDir}. */
  readonly dir?: string;
  readonly progress?: Progress;
}

/**
 * Brings the stack up, or leaves it alone when it is. Whatever is dead, unhealthy or has other settings than asked for
 * is started again.
 * @throws Error that ends with the last lines of the log of the part that failed; the others are left running.
 */
export async function up({ dir, progress = toStderr, ...options }: UpOptions = {}): Promise<Stack> {
  const paths = stackPaths(stackDir(dir));
  await mkdir(paths.dir, { recursive: true, mode: 0o700 });
  return withStackLock(paths, progress, async () => {
    await endUnknownProcesses(paths, progress);
    const settings = await chooseSettings(paths, options, progress);
    const context = { paths, progress };
    await stopUnwanted(paths, settings);
    await allSettled([
      startHadoop(settings, context),
      startKubernetes(settings, context),
      ...(settings.prometheus ? [ensurePart(prometheusPart(paths, settings.ports), context)] : []),
    ]);
    return describeStack(paths, settings);
  });
}

export type KubernetesOptions = Pick<UpOptions, 'dir' | 'progress' | 'controllers'>;
export type KubernetesStack = Pick<Stack, 'dir' | 'logsDir' | 'kubernetes'>;

/**
 * Kubernetes alone, for tests that need no Hadoop and that others should not meet: what holds in the whole cluster, as
 * admission policies do. `down` ends it.
 */
export async function upKubernetes({
  dir,
  progress = toStderr,
  ...options
}: KubernetesOptions = {}): Promise<KubernetesStack> {
  const paths = stackPaths(stackDir(dir));
  await mkdir(paths.dir, { recursive: true, mode: 0o700 });
  return withStackLock(paths, progress, async () => {
    await endUnknownProcesses(paths, progress);
    const settings = await chooseSettings(paths, options, progress);
    await stopUnwanted(paths, settings);
    await startKubernetes(settings, { paths, progress });
    return { dir: paths.dir, logsDir: paths.logs, kubernetes: describeKubernetes(paths, settings) };
  });
}

async function stopUnwanted(paths: StackPaths, settings: Settings): Promise<void> {
  const wanted = wantedParts(settings);
  for (const name of partNames) {
    if (!wanted.includes(name)) {
      await stopPart(paths, name);
    }
  }
}

/** One `up` or `down` of a stack at a time. */
export function withStackLock<T>(paths: StackPaths, progress: Progress, work: () => Promise<T>): Promise<T> {
  return withLock(`stack ${paths.dir}`, work, () =>
    progress(`waiting for another up or down of ${paths.dir}`),
  );
}

async function chooseSettings(
  paths: StackPaths,
  options: StackOptions,
  progress: Progress,
): Promise<Settings> {
  const saved = await readSavedSettings(paths.settings);
  const pinned: Partial<Ports> = {
    ...Object.fromEntries(saved.pinnedPorts.map((name) => [name, saved.ports[name]])),
    ...options.ports,
  };
  const inUse = new Set<number>();
  for (const name of partNames) {
    for (const port of Object.values((await runningPart(paths, name))?.ports ?? {})) {
      inUse.add(port);
    }
  }
  // Stacks that come up at the same moment choose one after the other.
  return withLock('ports', async () => {
    const ports = await choosePorts({
      remembered: saved.ports,
      pinned,
      inUse,
      isFree: isPortFree,
      seed: paths.dir,
      ephemeralFrom: await ephemeralPortsFrom(),
    });
    for (const [name, port] of Object.entries(saved.ports)) {
      const now = ports[name as PortName];
      if (now !== port && options.ports?.[name as PortName] === undefined) {
        progress(`port ${name}: ${port} is taken by now, using ${now}`);
      }
    }
    const settings = mergeSettings(options, saved, ports);
    await writeSettings(paths.settings, settings);
    return settings;
  });
}

async function startHadoop(settings: Settings, context: PartContext): Promise<void> {
  const { paths, progress } = context;
  const tools = { progress, marks: processMarks(paths.dir, 'build-hdfs') };
  const programs = hadoopJars(tools).then(async (jars) => ({
    jars,
    classes: await stackClasses(jars, tools),
  }));
  await allSettled([programs, ensureKdc(settings.ports.kdc, context)]);
  const { jars, classes } = await programs;
  const parts = settings.ha ? (['hdfs', 'ha'] as const) : (['hdfs'] as const);
  await allSettled(
    parts.map(async (part) => {
      await writeClientConfiguration(planCluster(part, paths, settings.ports));
      await ensurePart(await hdfsPart({ part, paths, settings, jars, classes }), context);
    }),
  );
}

async function startKubernetes(settings: Settings, context: PartContext): Promise<void> {
  const marks = processMarks(context.paths.dir, 'build-kubernetes');
  const tools = { progress: context.progress, marks };
  const { ports, controllers } = settings;
  // Built one after the other: what the second needs is mostly what the first did.
  const programs = await controlPlanePrograms(tools);
  const program = controllers === false ? undefined : await controllerManagerProgram(tools);
  const cluster = await ensureKubernetes(settings, programs, context);
  if (program !== undefined && controllers !== false) {
    const { paths } = context;
    await ensurePart(controllerManagerPart({ paths, ports, program, cluster, controllers }), context);
  }
}

/** Waits for all, so that none goes on behind our back; then the first failure, with the messages of all. */
async function allSettled(works: readonly Promise<unknown>[]): Promise<void> {
  const failures: unknown[] = [];
  for (const result of await Promise.allSettled(works)) {
    if (result.status === 'rejected') {
      failures.push(result.reason);
    }
  }
  if (failures.length > 1) {
    const messages = failures.map((failure) => messageOf(failure));
    throw new AggregateError(failures, messages.join('\n'));
  }
  if (failures.length === 1) {
    throw failures[0];
  }
}
