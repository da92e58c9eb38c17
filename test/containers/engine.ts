import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../stack/files.ts';
import { inheritedEnvironment, mustRun, requireProgram, runCommand } from '../stack/run-command.ts';
import type { CommandOptions, CommandResult } from '../stack/run-command.ts';
import { containersDir } from './paths.ts';

type RunOptions = Pick<CommandOptions, 'timeoutMs' | 'cwd'> & {
  readonly env?: Readonly<Record<string, string>>;
};

/** podman, buildah and podman-compose with a storage of their own. */
export interface Engine {
  readonly dir: string;
  /** Any exit code but 0 is an error. */
  podman(args: readonly string[], options?: RunOptions): Promise<CommandResult>;
  tryPodman(args: readonly string[], options?: RunOptions): Promise<CommandResult>;
  buildah(args: readonly string[], options?: RunOptions): Promise<CommandResult>;
  compose(args: readonly string[], options?: RunOptions): Promise<CommandResult>;
}

export async function containerEngine(dir: string = containersDir()): Promise<Engine> {
  if (process.getuid?.() !== 0) {
    throw new Error('containers are built and run as root here: try sudo, or see docs/containers.md');
  }
  const env = await writeConfiguration(dir);
  const run =
    (program: string, runner: typeof runCommand) =>
    (args: readonly string[], { env: more, ...options }: RunOptions = {}): Promise<CommandResult> =>
      runner(requireProgram(program, 'sh test/bootstrap.sh --containers'), args, {
        ...options,
        env: inheritedEnvironment({ ...env, ...more }),
      });
  return {
    dir,
    podman: run('podman', mustRun),
    tryPodman: run('podman', runCommand),
    buildah: run('buildah', mustRun),
    compose: run('podman-compose', mustRun),
  };
}

/** What this machine (no CAP_SYS_RESOURCE, no systemd) and a storage apart need, by containers.conf(5). */
async function writeConfiguration(dir: string): Promise<Record<string, string>> {
  const path = (name: string): string => JSON.stringify(join(dir, name));
  const variables = {
    CONTAINERS_CONF: join(dir, 'conf/containers.conf'),
    CONTAINERS_STORAGE_CONF: join(dir, 'conf/storage.conf'),
    CONTAINERS_REGISTRIES_CONF: join(dir, 'conf/registries.conf'),
  };
  // conmon starts podman when a container ends, to clean up or to start it again: that one must find the same storage.
  const conmonEnvironment = [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
  ];
  const files = {
    'containers.conf': `[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
conmon_env_vars = ${JSON.stringify(conmonEnvironment)}
events_logger = "file"
lock_type = "file"
tmp_dir = ${path('tmp')}
volume_path = ${path('volumes')}
[network]
network_backend = "netavark"
network_config_dir = ${path('networks')}
`,
    'storage.conf': `[storage]
driver = "overlay"
graphroot = ${path('storage')}
runroot = ${path('run')}
`,
    // A name without a registry is Docker Hub's, as for Docker. Nothing is ever pulled.
    'registries.conf': 'unqualified-search-registries = ["docker.io"]\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFileAtomically(join(dir, 'conf', name), text);
  return { ...variables, BUILDAH_ISOLATION: 'chroot' };
}

export interface Leftovers {
  readonly containers: readonly string[];
  readonly pods: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
  readonly processes: readonly string[];
}

/** Everything that runs or is kept, but images. The network `podman` is podman's own and always there. */
export async function leftovers(engine: Engine): Promise<Leftovers> {
  const lines = async (...args: string[]): Promise<string[]> =>
    (await engine.podman(args)).stdout.split('\n').filter((line) => line !== '' && line !== 'podman');
  return {
    containers: await lines('ps', '--all', '--format', '{{.Names}}'),
    pods: await lines('pod', 'ps', '--format', '{{.Name}}'),
    networks: await lines('network', 'ls', '--format', '{{.Name}}'),
    volumes: await lines('volume', 'ls', '--format', '{{.Name}}'),
    processes: await processesOf(engine),
  };
}

/** Ends and removes all but images: what a test run that was killed left. */
export async function removeLeftovers(engine: Engine): Promise<void> {
  await engine.podman(['pod', 'rm', '--all', '--force', '--time', '1']);
  await engine.podman(['rm', '--all', '--force', '--volumes', '--time', '1']);
  await engine.podman(['volume', 'rm', '--all', '--force']);
  const { networks } = await leftovers(engine);
  if (networks.length > 0) await engine.podman(['network', 'rm', '--force', ...networks]);
}

/** Command lines that name the storage: conmon, which minds each container, and the DNS server of the networks. */
async function processesOf({ dir }: Engine): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(pid) || Number(pid) === process.pid) continue;
    const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    if (line.includes(`${dir}/`)) found.push(`${pid} ${line}`);
  }
  return found;
}
