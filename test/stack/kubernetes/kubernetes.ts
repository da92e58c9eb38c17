import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { digestOf } from '../cache.ts';
import { ensurePart, PartFailed, stopPart } from '../parts.ts';
import type { Part, PartContext } from '../parts.ts';
import type { StackPaths } from '../paths.ts';
import type { Ports } from '../ports.ts';
import type { Settings } from '../settings.ts';
import { plainEnvironment } from '../run-command.ts';
import { clusterFiles, createCluster, readCluster, writeKubeconfigs } from './cluster-files.ts';
import type { ClusterRecord } from './cluster-files.ts';
import type { ControlPlanePrograms } from './control-plane-programs.ts';
import { messageOf } from '../errors.ts';

/** What our TokenReviews and projected tokens name as issuer and default audience. */
export const serviceAccountIssuer = 'https://kubernetes.default.svc';

/** Brings up etcd and the API server, and writes the kubeconfigs. Data that etcd can't read is thrown away. */
export async function ensureKubernetes(
  { ports, controllers }: Pick<Settings, 'ports' | 'controllers'>,
  programs: ControlPlanePrograms,
  context: PartContext,
): Promise<ClusterRecord> {
  const { paths, progress } = context;
  const fresh = async (): Promise<ClusterRecord> => {
    await stopPart(paths, 'kube-apiserver');
    await stopPart(paths, 'etcd');
    return createCluster(paths);
  };
  let cluster = (await readCluster(paths)) ?? (await fresh());
  try {
    await ensurePart(etcdPart(paths, ports, programs, cluster), context);
  } catch (error) {
    if (!(error instanceof PartFailed)) {
      throw error;
    }
    progress(`etcd: starting with an empty one, it doesn't work: ${error.message.split('\n')[0]}`);
    cluster = await fresh();
    await ensurePart(etcdPart(paths, ports, programs, cluster), context);
  }
  await ensurePart(apiserverPart({ paths, ports, programs, cluster, controllers }), context);
  await writeKubeconfigs(paths, ports['kube-apiserver'], cluster);
  return cluster;
}

export function etcdPart(
  paths: StackPaths,
  ports: Ports,
  programs: ControlPlanePrograms,
  cluster: ClusterRecord,
): Part {
  const client = `http://127.0.0.1:${ports['etcd-client']}`;
  const peer = `http://127.0.0.1:${ports['etcd-peer']}`;
  const [command, ...first] = programs.etcd;
  const args = [
    ...first,
    '--name=stack',
    `--data-dir=${join(clusterFiles(paths).etcd, 'data')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=stack=${peer}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
  return {
    name: 'etcd',
    ports: { 'etcd-client': ports['etcd-client'], 'etcd-peer': ports['etcd-peer'] },
    digest: digestOf(command, ...args, cluster.id),
    command,
    args,
    env: plainEnvironment(),
    startTimeoutMs: 30_000,
    probe: () => probeEtcd(ports),
  };
}

export async function probeEtcd(ports: Ports): Promise<string | undefined> {
  const client = `http://127.0.0.1:${ports['etcd-client']}`;
  try {
    const response = await fetch(`${client}/health`, { signal: AbortSignal.timeout(5_000) });
    const text = await response.text();
    return response.ok && text.includes('"health":"true"')
      ? undefined
      : `/health answers ${response.status} ${text}`;
  } catch {
    return `does not answer at ${client}`;
  }
}

export interface ApiserverOptions {
  readonly paths: StackPaths;
  readonly ports: Ports;
  readonly programs: ControlPlanePrograms;
  readonly cluster: ClusterRecord;
  readonly controllers: Settings['controllers'];
}

export function apiserverPart({ paths, ports, programs, cluster, controllers }: ApiserverOptions): Part {
  const files = clusterFiles(paths);
  const port = ports['kube-apiserver'];
  const [command, ...first] = programs.kubeApiserver;
  const args = [
    ...first,
    `--etcd-servers=http://127.0.0.1:${ports['etcd-client']}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    // The endpoint of the service "kubernetes" may not be a loopback address, so none is kept.
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--cert-dir=${files.certificates}`,
    `--service-account-key-file=${files.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    `--service-account-issuer=${serviceAccountIssuer}`,
    `--api-audiences=${serviceAccountIssuer}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    `--token-auth-file=${files.tokens}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--allow-privileged=true',
    // Without a controller manager nobody makes the accounts that this plugin would wait for.
    ...(controllers === false ? ['--disable-admission-plugins=ServiceAccount'] : []),
  ];
  return {
    name: 'kube-apiserver',
    ports: { 'kube-apiserver': port },
    digest: digestOf(command, ...args, cluster.id),
    command,
    args,
    env: plainEnvironment(),
    startTimeoutMs: 120_000,
    probe: () => probeApiserver(paths, ports),
  };
}

export async function probeApiserver(paths: StackPaths, ports: Ports): Promise<string | undefined> {
  const port = ports['kube-apiserver'];
  try {
    const ca = await readFile(clusterFiles(paths).caFile, 'utf8');
    const bearerToken = (await readCluster(paths))?.bearerTokens.admin ?? '';
    for (const path of ['/readyz', '/api/v1/namespaces/default']) {
      const status = await statusOf({ port, path, ca, bearerToken });
      if (status !== 200) {
        return `${path} answers ${status}`;
      }
    }
    return undefined;
  } catch (error) {
    return `does not answer on port ${port} (${messageOf(error)})`;
  }
}

export interface StatusQuestion {
  readonly port: number;
  readonly path: string;
  readonly ca: string;
  readonly bearerToken?: string;
}

/** The HTTP status of a GET on loopback. */
export function statusOf({ port, path, ca, bearerToken }: StatusQuestion): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = bearerToken === undefined ? {} : { authorization: `Bearer ${bearerToken}` };
    const call = request(
      { host: '127.0.0.1', port, path, ca, headers, agent: false, timeout: 10_000 },
      (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      },
    );
    call.once('timeout', () => call.destroy(new Error('no answer within 10 s')));
    call.once('error', reject);
    call.end();
  });
}
