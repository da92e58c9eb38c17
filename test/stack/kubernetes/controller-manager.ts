import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../cache.ts';
import { messageOf } from '../errors.ts';
import type { Part } from '../parts.ts';
import type { StackPaths } from '../paths.ts';
import type { Ports } from '../ports.ts';
import { plainEnvironment } from '../run-command.ts';
import type { ControllerAccounts } from '../settings.ts';
import { clusterFiles, readCluster, writeControllerManagerKubeconfig } from './cluster-files.ts';
import type { ClusterRecord } from './cluster-files.ts';
import { statusOf } from './kubernetes.ts';

/**
 * What workloads, accounts, namespaces and policies need. No kubelet runs, so those are left out that would take its nodes
 * for dead, and the pods on them away.
 */
const controllers = [
  'deployment-controller',
  'replicaset-controller',
  'replicationcontroller-controller',
  'statefulset-controller',
  'daemonset-controller',
  'job-controller',
  'cronjob-controller',
  'ttl-after-finished-controller',
  'disruption-controller',
  'horizontal-pod-autoscaler-controller',
  'endpoints-controller',
  'endpointslice-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
  'namespace-controller',
  'garbage-collector-controller',
  'resourcequota-controller',
  'validatingadmissionpolicy-status-controller',
];

export interface ControllerManagerOptions {
  readonly paths: StackPaths;
  readonly ports: Ports;
  readonly program: readonly [string, ...string[]];
  readonly cluster: ClusterRecord;
  readonly controllers: ControllerAccounts;
}

export function controllerManagerPart(options: ControllerManagerOptions): Part {
  const { paths, ports, program, cluster, controllers: accounts } = options;
  const files = clusterFiles(paths);
  const port = ports['kube-controller-manager'];
  const [command, ...first] = program;
  const args = [
    ...first,
    `--kubeconfig=${files.controllerManagerKubeconfig}`,
    `--use-service-account-credentials=${accounts === 'own'}`,
    `--controllers=${controllers.join(',')}`,
    `--service-account-private-key-file=${files.serviceAccountKey}`,
    `--root-ca-file=${files.caFile}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${certificates(paths)}`,
    '--leader-elect=false',
    // Tests make and end much at once, and wait for it.
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    '--namespace-sync-period=10s',
    '--resource-quota-sync-period=10s',
  ];
  return {
    name: 'kube-controller-manager',
    ports: { 'kube-controller-manager': port },
    // With the API server's port: it is in the kubeconfig.
    digest: digestOf(command, ...args, cluster.id, String(ports['kube-apiserver'])),
    command,
    args,
    env: plainEnvironment(),
    startTimeoutMs: 60_000,
    prepare: () =>
      writeControllerManagerKubeconfig(
        paths,
        ports['kube-apiserver'],
        cluster.controllerManagerTokens[accounts],
      ),
    probe: () => probeControllerManager(paths, ports),
  };
}

/** Its own word, and an account that one of its controllers has to have made. */
export async function probeControllerManager(paths: StackPaths, ports: Ports): Promise<string | undefined> {
  const port = ports['kube-controller-manager'];
  try {
    const own = await readFile(join(certificates(paths), 'kube-controller-manager.crt'), 'utf8');
    const health = await statusOf({ port, path: '/healthz', ca: own });
    if (health !== 200) {
      return `/healthz answers ${health}`;
    }
    const account = await statusOf({
      port: ports['kube-apiserver'],
      path: '/api/v1/namespaces/default/serviceaccounts/default',
      ca: await readFile(clusterFiles(paths).caFile, 'utf8'),
      bearerToken: (await readCluster(paths))?.bearerTokens.admin ?? '',
    });
    return account === 200 ? undefined : `has not made the account default/default yet (${account})`;
  } catch (error) {
    return `does not answer on port ${port} (${messageOf(error)})`;
  }
}

function certificates(paths: StackPaths): string {
  return join(paths.kubernetes, 'controller-manager');
}
