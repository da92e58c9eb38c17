import { join } from 'node:path';
import { nameservice, planCluster } from './hdfs/clusters.ts';
import { realm, realmFiles } from './kdc/realm-files.ts';
import type { KeytabName } from './kdc/realm-files.ts';
import { prometheusFiles } from './prometheus/prometheus-files.ts';
import { clusterFiles } from './kubernetes/cluster-files.ts';
import type { Person } from './kubernetes/cluster-files.ts';
import { serviceAccountIssuer } from './kubernetes/kubernetes.ts';
import type { StackPaths } from './paths.ts';
import type { Ports } from './ports.ts';
import type { ControllerAccounts, Settings } from './settings.ts';

export interface HdfsCluster {
  /** Client configuration: core-site.xml and hdfs-site.xml. */
  readonly confDir: string;
  readonly nameNodes: readonly {
    readonly id: string;
    /** `localhost:port`, as in hdfs:// addresses. */
    readonly rpcAddress: string;
    readonly rpcPort: number;
    /** `http://localhost:port`, without a slash at the end. */
    readonly httpUrl: string;
  }[];
  /** For {@link hdfsControl}. */
  readonly controlUrl: string;
  /** The NameNode's audit log. */
  readonly auditLog: string;
}

/** Where everything of a running stack is. */
export interface Stack {
  readonly dir: string;
  readonly logsDir: string;
  readonly realm: string;
  readonly krb5Conf: string;
  readonly kdcConf: string;
  readonly kdc: { readonly host: string; readonly port: number };
  readonly keytabs: Readonly<Record<KeytabName, string>>;
  readonly hdfs: HdfsCluster;
  readonly ha: (HdfsCluster & { readonly nameservice: string }) | undefined;
  readonly kubernetes: {
    readonly server: string;
    readonly caFile: string;
    readonly serviceAccountIssuer: string;
    readonly kubeconfig: Readonly<Record<Person, string>>;
    /** Whose credentials the controllers have; false without `--controllers`. */
    readonly controllers: ControllerAccounts | false;
  };
  /** Undefined without `--prometheus`. */
  readonly prometheus: { readonly url: string; readonly targetsDir: string } | undefined;
  readonly tokenRenewIntervalMs: number;
  readonly tokenMaxLifetimeMs: number;
  /** What `env` prints. */
  readonly env: Readonly<Record<string, string>>;
}

export function describeStack(paths: StackPaths, settings: Settings): Stack {
  const realmPaths = realmFiles(paths);
  const hdfs = describeCluster('hdfs', paths, settings.ports);
  const ha = settings.ha ? { ...describeCluster('ha', paths, settings.ports), nameservice } : undefined;
  const stack: Omit<Stack, 'env'> = {
    dir: paths.dir,
    logsDir: paths.logs,
    realm,
    krb5Conf: realmPaths.krb5Conf,
    kdcConf: realmPaths.kdcConf,
    kdc: { host: '127.0.0.1', port: settings.ports.kdc },
    keytabs: realmPaths.keytabs,
    hdfs,
    ha,
    kubernetes: describeKubernetes(paths, settings),
    prometheus: settings.prometheus
      ? {
          url: `http://127.0.0.1:${settings.ports.prometheus}`,
          targetsDir: prometheusFiles(paths).targets,
        }
      : undefined,
    tokenRenewIntervalMs: settings.tokenRenewIntervalMs,
    tokenMaxLifetimeMs: settings.tokenMaxLifetimeMs,
  };
  return { ...stack, env: environmentOf(stack) };
}

export function describeKubernetes(
  paths: StackPaths,
  { ports, controllers }: Pick<Settings, 'ports' | 'controllers'>,
): Stack['kubernetes'] {
  const { caFile, kubeconfig } = clusterFiles(paths);
  return {
    server: `https://127.0.0.1:${ports['kube-apiserver']}`,
    caFile,
    serviceAccountIssuer,
    kubeconfig,
    controllers,
  };
}

function describeCluster(part: 'hdfs' | 'ha', paths: StackPaths, ports: Ports): HdfsCluster {
  const plan = planCluster(part, paths, ports);
  return {
    confDir: plan.confDir,
    nameNodes: plan.nameNodes.map(({ id, rpcPort, httpPort }) => ({
      id,
      rpcAddress: `localhost:${rpcPort}`,
      rpcPort,
      httpUrl: `http://localhost:${httpPort}`,
    })),
    controlUrl: `http://127.0.0.1:${plan.controlPort}`,
    auditLog: plan.auditLog,
  };
}

function environmentOf(stack: Omit<Stack, 'env'>): Record<string, string> {
  const webhdfs = (cluster: HdfsCluster): string =>
    cluster.nameNodes.map(({ httpUrl }) => `${httpUrl}/webhdfs/v1`).join(',');
  return {
    KERBRIDGE_STACK_DIR: stack.dir,
    KRB5_CONFIG: stack.krb5Conf,
    KRB5CCNAME: `FILE:${join(stack.dir, 'kdc', 'ccache')}`,
    KERBRIDGE_REALM: stack.realm,
    KERBRIDGE_PRINCIPAL: `kerbridge@${stack.realm}`,
    KERBRIDGE_KEYTAB: stack.keytabs.kerbridge,
    ALICE_KEYTAB: stack.keytabs.alice,
    BOB_KEYTAB: stack.keytabs.bob,
    HADOOP_CONF_DIR: stack.hdfs.confDir,
    WEBHDFS_URL: webhdfs(stack.hdfs),
    HDFS_URL: `hdfs://${stack.hdfs.nameNodes[0]?.rpcAddress ?? ''}`,
    HDFS_CONTROL_URL: stack.hdfs.controlUrl,
    ...(stack.ha === undefined
      ? {}
      : {
          HADOOP_HA_CONF_DIR: stack.ha.confDir,
          HA_NAMESERVICE: stack.ha.nameservice,
          HA_WEBHDFS_URLS: webhdfs(stack.ha),
          HA_CONTROL_URL: stack.ha.controlUrl,
        }),
    KUBECONFIG: stack.kubernetes.kubeconfig.admin,
    KUBECONFIG_ALICE: stack.kubernetes.kubeconfig.alice,
    KUBECONFIG_BOB: stack.kubernetes.kubeconfig.bob,
    KUBERNETES_URL: stack.kubernetes.server,
    KUBERNETES_CA_FILE: stack.kubernetes.caFile,
    ...(stack.kubernetes.controllers === false
      ? {}
      : { KUBERNETES_CONTROLLERS: stack.kubernetes.controllers }),
    ...(stack.prometheus === undefined
      ? {}
      : {
          PROMETHEUS_URL: stack.prometheus.url,
          PROMETHEUS_TARGETS_DIR: stack.prometheus.targetsDir,
        }),
  };
}

/** Lines for `eval` in a POSIX shell, whatever the values hold. */
export function shellExports(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join('');
}
