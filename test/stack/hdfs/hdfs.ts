import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../cache.ts';
import { writeFileAtomically } from '../files.ts';
import { realmDigest } from '../kdc/kdc.ts';
import { realmFiles } from '../kdc/realm-files.ts';
import type { Part } from '../parts.ts';
import type { StackPaths } from '../paths.ts';
import { plainEnvironment } from '../run-command.ts';
import type { Settings } from '../settings.ts';
import { clusterPorts, planCluster } from './clusters.ts';
import type { ClusterPlan } from './clusters.ts';
import { clientConfiguration, log4jProperties, serverConfiguration } from './configuration.ts';
import { hadoopXml } from './hadoop-xml.ts';
import { hdfsControl } from './hdfs-control.ts';
import type { HdfsControl } from './hdfs-control.ts';
import { javaProgram } from './hadoop-jars.ts';
import { rootMessage } from '../errors.ts';

export interface HdfsOptions {
  readonly part: 'hdfs' | 'ha';
  readonly paths: StackPaths;
  readonly settings: Settings;
  readonly jars: string;
  readonly classes: string;
  /** Settings of the servers that differ from the stack's, for a variant that a test starts beside it. */
  readonly overrides?: Readonly<Record<string, string>>;
}

/** One JVM with NameNode(s), DataNode and the control server. The realm must be there: its keys go into the digest. */
export async function hdfsPart(options: HdfsOptions): Promise<Part> {
  const { part, paths, settings, jars, classes, overrides = {} } = options;
  const plan = planCluster(part, paths, settings.ports);
  const site = hadoopXml({ ...serverConfiguration(plan, paths, settings), ...overrides });
  const log4j = log4jProperties(plan.auditLog);
  const siteFile = join(plan.folder, 'server-site.xml');
  const log4jFile = join(plan.folder, 'log4j.properties');
  const temporary = join(plan.folder, 'tmp');
  const args = [
    part === 'ha' ? '-Xmx512m' : '-Xmx384m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:-UsePerfData',
    // IPv4 only: an address of the other family could be another loopback than the one in the configuration.
    '-Djava.net.preferIPv4Stack=true',
    `-Djava.security.krb5.conf=${realmFiles(paths).krb5Conf}`,
    `-Djava.io.tmpdir=${temporary}`,
    // Hadoop looks for a secret that signs cookies in the home folder; there is to be none but a random one.
    `-Duser.home=${temporary}`,
    `-Dlog4j.configuration=file:${log4jFile}`,
    '-cp',
    [classes, join(jars, '*')].join(':'),
    'Main',
    siteFile,
  ];
  return {
    name: part,
    ports: clusterPorts(part, settings.ports),
    digest: digestOf(site, log4j, JSON.stringify(args), await realmDigest(paths)),
    command: javaProgram(),
    args,
    env: plainEnvironment(),
    startTimeoutMs: 180_000,
    prepare: async () => {
      await rm(plan.folder, { recursive: true, force: true });
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      await writeFileAtomically(siteFile, site);
      await writeFileAtomically(log4jFile, log4j);
    },
    probe: () => probeHdfs(plan),
    mend: async () => {
      const control = controlOf(plan);
      // Only a server that answers can be asked to heal itself.
      await control.health({ timeoutMs: 3_000 });
      await control.reset();
    },
  };
}

export async function writeClientConfiguration(plan: ClusterPlan): Promise<void> {
  for (const [file, properties] of Object.entries(clientConfiguration(plan))) {
    await writeFileAtomically(join(plan.confDir, file), hadoopXml(properties), 0o644);
  }
}

function controlOf({ controlPort }: ClusterPlan): HdfsControl {
  return hdfsControl({ controlUrl: `http://127.0.0.1:${controlPort}` });
}

export async function probeHdfs(plan: ClusterPlan): Promise<string | undefined> {
  try {
    const health = await controlOf(plan).health({ timeoutMs: 10_000 });
    if (!health.healthy) {
      return health.problems.join('; ');
    }
    for (const { id, httpPort } of plan.nameNodes) {
      const response = await fetch(`http://127.0.0.1:${httpPort}/webhdfs/v1/?op=GETHOMEDIRECTORY`, {
        signal: AbortSignal.timeout(10_000),
      });
      await response.body?.cancel();
      if (response.status !== 401 || response.headers.get('www-authenticate') !== 'Negotiate') {
        return `WebHDFS of ${id} answers ${response.status}, not with a demand for Kerberos`;
      }
    }
    return undefined;
  } catch (error) {
    return `does not answer on port ${plan.controlPort} (${rootMessage(error)})`;
  }
}
