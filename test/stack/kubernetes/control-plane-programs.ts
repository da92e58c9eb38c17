import { chmod, copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cached, digestOf } from '../cache.ts';
import { cacheRoot } from '../paths.ts';
import { withElapsedTime } from '../progress.ts';
import type { Progress } from '../progress.ts';
import { findProgram, inheritedEnvironment, mustRun, requireProgram } from '../run-command.ts';

const here = import.meta.dirname;

/** How to start the programs: a path, and the arguments that come before all others. */
export interface ControlPlanePrograms {
  readonly etcd: readonly [string, ...string[]];
  readonly kubeApiserver: readonly [string, ...string[]];
}

export interface ControlPlaneOptions {
  readonly progress: Progress;
  readonly marks: Readonly<Record<string, string>>;
}

/** etcd and kube-apiserver: from KUBEBUILDER_ASSETS or PATH when both are there, else built from Go modules, once. */
export async function controlPlanePrograms(options: ControlPlaneOptions): Promise<ControlPlanePrograms> {
  const assets = process.env['KUBEBUILDER_ASSETS'] ?? '';
  for (const path of [assets, process.env['PATH'] ?? '']) {
    const etcd = findProgram('etcd', path);
    const kubeApiserver = findProgram('kube-apiserver', path);
    if (path !== '' && etcd !== undefined && kubeApiserver !== undefined) {
      return { etcd: [etcd], kubeApiserver: [kubeApiserver] };
    }
  }
  const built = await builtProgram(controlPlane, options);
  return { etcd: [built, 'etcd'], kubeApiserver: [built, 'kube-apiserver'] };
}

/** kubectl of the same version where the servers were built, else the one of KUBEBUILDER_ASSETS or PATH, else built. */
export async function kubectlProgram(options: ControlPlaneOptions): Promise<readonly [string, ...string[]]> {
  const { etcd } = await controlPlanePrograms(options);
  if (etcd.length === 1) {
    const assets = process.env['KUBEBUILDER_ASSETS'] ?? '';
    const found = findProgram('kubectl', assets) ?? findProgram('kubectl');
    if (found !== undefined) return [found];
  }
  return [await builtProgram(controlPlane, options), 'kubectl'];
}

/** Where kube-apiserver comes from; in KUBEBUILDER_ASSETS there is none, so it may have to be built all the same. */
export async function controllerManagerProgram(
  options: ControlPlaneOptions,
): Promise<readonly [string, ...string[]]> {
  const { kubeApiserver } = await controlPlanePrograms(options);
  if (kubeApiserver.length === 1) {
    const found = findProgram('kube-controller-manager', dirname(kubeApiserver[0]));
    if (found !== undefined) return [found];
  }
  return [await builtProgram(controllerManager, options)];
}

/** A program that is built from this folder's module. */
interface Program {
  readonly name: string;
  /** In the cache, with the version. */
  readonly folder: string;
  /** Its source below this folder. */
  readonly main: string;
  readonly holds: string;
}

const controlPlane: Program = {
  name: 'control-plane',
  folder: 'kubernetes',
  main: 'main.go',
  holds: 'etcd and kube-apiserver',
};
const controllerManager: Program = {
  name: 'kube-controller-manager',
  folder: 'kube-controller-manager',
  main: 'controller-manager/main.go',
  holds: 'kube-controller-manager',
};

async function builtProgram(program: Program, { progress, marks }: ControlPlaneOptions): Promise<string> {
  const sources = ['go.mod', 'go.sum', program.main];
  const texts = await Promise.all(sources.map((file) => readFile(join(here, file), 'utf8')));
  const version = /^\s*k8s\.io\/kubernetes v([0-9]+\.[0-9]+\.[0-9]+)$/m.exec(texts[0] ?? '')?.[1];
  if (version === undefined) {
    throw new Error('go.mod of the control plane names no version of k8s.io/kubernetes');
  }
  const folder = await cached({
    root: cacheRoot(),
    name: `${program.folder}-${version}-${digestOf(...texts)}`,
    progress,
    build: (target) =>
      withElapsedTime(progress, `building ${program.holds} ${version} with Go (minutes, once)`, () =>
        build({ target, version, marks, program, sources }),
      ),
  });
  return join(folder, program.name);
}

interface BuildOptions {
  readonly target: string;
  readonly version: string;
  readonly marks: Readonly<Record<string, string>>;
  readonly program: Program;
  readonly sources: readonly string[];
}

async function build({ target, version, marks, program, sources }: BuildOptions): Promise<void> {
  for (const file of sources) {
    await mkdir(dirname(join(target, file)), { recursive: true });
    await copyFile(join(here, file), join(target, file));
  }
  const [major, minor] = version.split('.');
  const variable = 'k8s.io/component-base/version';
  // Without its version kubectl refuses to talk to the API server.
  const stamps = [`gitVersion=v${version}`, `gitMajor=${major}`, `gitMinor=${minor}`];
  const linker = ['-s', '-w', ...stamps.map((stamp) => `-X ${variable}.${stamp}`)].join(' ');
  const go = requireProgram('go', 'Go 1.26 or later (https://go.dev/dl)');
  const output = join(target, program.name);
  await mustRun(
    go,
    ['build', '-trimpath', '-mod=readonly', '-ldflags', linker, '-o', output, `./${dirname(program.main)}`],
    {
      env: inheritedEnvironment({ ...marks, GOFLAGS: '', GOWORK: 'off' }),
      cwd: target,
    },
  );
  await chmod(output, 0o755);
}
