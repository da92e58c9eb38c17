import { chmod, copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, digestOf } from '../cache.ts';
import { cacheRoot } from '../paths.ts';
import { withElapsedTime } from '../progress.ts';
import type { Progress } from '../progress.ts';
import { findProgram, inheritedEnvironment, mustRun, requireProgram } from '../run-command.ts';

const here = import.meta.dirname;
const sources = ['go.mod', 'go.sum', 'main.go'] as const;

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
  const built = await builtControlPlane(options);
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
  return [await builtControlPlane(options), 'kubectl'];
}

async function builtControlPlane({ progress, marks }: ControlPlaneOptions): Promise<string> {
  const texts = await Promise.all(sources.map((file) => readFile(join(here, file), 'utf8')));
  const version = /^\s*k8s\.io\/kubernetes v([0-9]+\.[0-9]+\.[0-9]+)$/m.exec(texts[0] ?? '')?.[1];
  if (version === undefined) {
    throw new Error('go.mod of the control plane names no version of k8s.io/kubernetes');
  }
  const folder = await cached({
    root: cacheRoot(),
    name: `kubernetes-${version}-${digestOf(...texts)}`,
    progress,
    build: (target) =>
      withElapsedTime(progress, `building etcd and kube-apiserver ${version} with Go (minutes, once)`, () =>
        build(target, version, marks),
      ),
  });
  return join(folder, 'control-plane');
}

async function build(
  target: string,
  version: string,
  marks: Readonly<Record<string, string>>,
): Promise<void> {
  for (const file of sources) {
    await copyFile(join(here, file), join(target, file));
  }
  const [major, minor] = version.split('.');
  const variable = 'k8s.io/component-base/version';
  // Without its version kubectl refuses to talk to the API server.
  const stamps = [`gitVersion=v${version}`, `gitMajor=${major}`, `gitMinor=${minor}`];
  const linker = ['-s', '-w', ...stamps.map((stamp) => `-X ${variable}.${stamp}`)].join(' ');
  const go = requireProgram('go', 'Go 1.26 or later (https://go.dev/dl)');
  await mustRun(
    go,
    ['build', '-trimpath', '-mod=readonly', '-ldflags', linker, '-o', join(target, 'control-plane'), '.'],
    {
      env: inheritedEnvironment({ ...marks, GOFLAGS: '', GOWORK: 'off' }),
      cwd: target,
    },
  );
  await chmod(join(target, 'control-plane'), 0o755);
}
