import { spawn } from 'node:child_process';
import { open, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planCluster } from '../../stack/hdfs/clusters.ts';
import { hadoopJars, stackClasses } from '../../stack/hdfs/hadoop-jars.ts';
import { hdfsPart, writeClientConfiguration } from '../../stack/hdfs/hdfs.ts';
import { stackPaths } from '../../stack/paths.ts';
import type { Ports } from '../../stack/ports.ts';
import { readSettings } from '../../stack/settings.ts';
import { hdfsControl, type Stack } from '../../stack/stack.ts';
import { endChild } from '../kerberos/child-process.ts';
import { freePort, waitFor } from '../serve-process.ts';

/** A NameNode of a test's own in the realm of the stack, with settings that the stack's has not. */
export interface HdfsVariant extends AsyncDisposable {
  readonly confDir: string;
  /** `localhost:port`, the nameservice. */
  readonly rpcAddress: string;
}

/** Resolves when the NameNode answers its control server. Takes some ten seconds. */
export async function startHdfsVariant(
  stack: Stack,
  overrides: Readonly<Record<string, string>>,
): Promise<HdfsVariant> {
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-hdfs-'));
  const ofStack = stackPaths(stack.dir);
  const settings = await readSettings(ofStack.settings);
  if (settings === undefined) throw new Error(`there is no stack in ${stack.dir}`);
  const names = (Object.keys(settings.ports) as (keyof Ports)[]).filter((name) => name.startsWith('hdfs-'));
  const free: [string, number][] = [];
  for (const name of names) free.push([name, await freePort()]);
  const ports: Ports = { ...settings.ports, ...Object.fromEntries(free) };
  const paths = {
    ...ofStack,
    hdfs: join(folder, 'hdfs'),
    logs: join(folder, 'logs'),
    conf: join(folder, 'conf'),
  };
  const tools = { progress: () => undefined, marks: {} };
  const jars = await hadoopJars(tools);
  const part = await hdfsPart({
    part: 'hdfs',
    paths,
    settings: { ...settings, ports },
    jars,
    classes: await stackClasses(jars, tools),
    overrides,
  });
  const plan = planCluster('hdfs', paths, ports);
  await mkdir(paths.logs);
  await part.prepare?.();
  await writeClientConfiguration(plan);
  const log = join(paths.logs, 'hdfs.log');
  await using output = await open(log, 'w');
  const child = spawn(part.command, part.args, {
    env: part.env,
    cwd: folder,
    stdio: ['ignore', output.fd, output.fd],
  });
  const dispose = async (): Promise<void> => {
    await endChild(child);
    await rm(folder, { recursive: true, force: true });
  };
  const control = hdfsControl({ controlUrl: `http://127.0.0.1:${plan.controlPort}` });
  try {
    await waitFor(async () => {
      if (child.exitCode !== null) throw new Error('the NameNode ended');
      const health = await control.health({ timeoutMs: 2_000 }).catch(() => undefined);
      return health?.healthy === true;
    }, 50_000);
  } catch (error) {
    const said = (await readFile(log, 'utf8')).slice(-2_000);
    await dispose();
    throw new Error(`the NameNode did not come up:\n${said}`, { cause: error });
  }
  return {
    confDir: plan.confDir,
    rpcAddress: `localhost:${plan.nameNodes[0]?.rpcPort}`,
    [Symbol.asyncDispose]: dispose,
  };
}
