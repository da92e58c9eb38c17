import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoreV1Api } from '@kubernetes/client-node';
import { kubectlProgram } from '../../stack/kubernetes/control-plane-programs.ts';
import { processMarks } from '../../stack/processes.ts';
import { silent } from '../../stack/progress.ts';
import { mustRun, plainEnvironment, runCommand } from '../../stack/run-command.ts';
import type { CommandResult } from '../../stack/run-command.ts';
import type { Stack } from '../../stack/stack.ts';
import { loadConfig } from '../kubernetes-objects.ts';

export interface KubectlOptions {
  /** Default: the administrator's. */
  readonly kubeconfig?: string;
  readonly input?: string;
}

/** The real kubectl, with a home of its own: nothing of the developer's configuration or cache counts. */
export interface Kubectl extends AsyncDisposable {
  /** Ends with any exit code. */
  run(args: readonly string[], options?: KubectlOptions): Promise<CommandResult>;
  /** Any exit code but 0 is an error with what it said. Resolves to its standard output. */
  must(args: readonly string[], options?: KubectlOptions): Promise<string>;
}

export async function openKubectl({ dir, kubernetes }: Pick<Stack, 'dir' | 'kubernetes'>): Promise<Kubectl> {
  const [command, ...first] = await kubectlProgram({ progress: silent, marks: processMarks(dir, 'kubectl') });
  const home = await mkdtemp(join(tmpdir(), 'kerbridge-kubectl-'));
  const settings = ({ kubeconfig = kubernetes.kubeconfig.admin, input = '' }: KubectlOptions) => ({
    env: plainEnvironment({ HOME: home, KUBECONFIG: kubeconfig }),
    input,
    timeoutMs: 60_000,
  });
  return {
    run: (args, options = {}) => runCommand(command, [...first, ...args], settings(options)),
    must: async (args, options = {}) =>
      (await mustRun(command, [...first, ...args], settings(options))).stdout,
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

/** Does what the namespace controller would; nobody else runs here. Content with a namespace that isn't there. */
export async function removeNamespace(kubectl: Kubectl, { kubernetes }: Stack, name: string): Promise<void> {
  const found = await kubectl.must(['get', 'namespace', name, '--ignore-not-found', '--output=name']);
  if (found === '') return;
  const kinds =
    'deployments,jobs,pods,services,serviceaccounts,configmaps,secrets,roles,rolebindings,networkpolicies,poddisruptionbudgets';
  await kubectl.must(['--namespace', name, 'delete', kinds, '--all', '--wait=false', '--grace-period=0']);
  await kubectl.must(['delete', 'namespace', name, '--wait=false']);
  await loadConfig(kubernetes.kubeconfig.admin)
    .makeApiClient(CoreV1Api)
    .replaceNamespaceFinalize({ name, body: { metadata: { name }, spec: { finalizers: [] } } });
}
