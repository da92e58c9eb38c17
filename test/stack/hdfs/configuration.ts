import { join } from 'node:path';
import { realm, realmFiles } from '../kdc/realm-files.ts';
import type { StackPaths } from '../paths.ts';
import type { Settings } from '../settings.ts';
import type { ClusterPlan } from './clusters.ts';

type Properties = Readonly<Record<string, string>>;

export const proxyUser = 'kerbridge';

/**
 * Whom `kerbridge` may speak for: three people, and two hundred for load. Never `*`: mallory must be refused.
 */
export const proxiedUsers: readonly string[] = [
  'alice',
  'bob',
  'carol',
  ...Array.from({ length: 200 }, (_, index) => `user${String(index).padStart(3, '0')}`),
];
export const proxyHosts: readonly string[] = ['127.0.0.1', 'localhost'];

export interface ClientFiles {
  readonly 'core-site.xml': Properties;
  readonly 'hdfs-site.xml': Properties;
}

/** What clients of the cluster are given. */
export function clientConfiguration(plan: ClusterPlan): ClientFiles {
  const principal = `hdfs/localhost@${realm}`;
  const { nameservice } = plan;
  const addresses =
    nameservice === undefined
      ? Object.fromEntries(
          plan.nameNodes.flatMap(({ rpcPort, httpPort }) => [
            ['dfs.namenode.rpc-address', `localhost:${rpcPort}`],
            ['dfs.namenode.http-address', `localhost:${httpPort}`],
          ]),
        )
      : {
          'dfs.nameservices': nameservice,
          [`dfs.ha.namenodes.${nameservice}`]: plan.nameNodes.map(({ id }) => id).join(','),
          [`dfs.client.failover.proxy.provider.${nameservice}`]:
            'org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider',
          ...Object.fromEntries(
            plan.nameNodes.flatMap(({ id, rpcPort, httpPort }) => [
              [`dfs.namenode.rpc-address.${nameservice}.${id}`, `localhost:${rpcPort}`],
              [`dfs.namenode.http-address.${nameservice}.${id}`, `localhost:${httpPort}`],
            ]),
          ),
        };
  return {
    'core-site.xml': {
      'fs.defaultFS': `hdfs://${nameservice ?? `localhost:${plan.nameNodes[0]?.rpcPort}`}`,
      'hadoop.security.authentication': 'kerberos',
      'hadoop.security.authorization': 'true',
    },
    'hdfs-site.xml': {
      ...addresses,
      'dfs.http.policy': 'HTTP_ONLY',
      'dfs.webhdfs.enabled': 'true',
      'dfs.namenode.kerberos.principal': principal,
      'dfs.datanode.kerberos.principal': principal,
      'dfs.web.authentication.kerberos.principal': `HTTP/localhost@${realm}`,
      'dfs.block.access.token.enable': 'true',
      'dfs.data.transfer.protection': 'authentication',
      'dfs.replication': '1',
    },
  };
}

/** All settings of the servers, and `kerbridge.stack.*` for our own Main.java. */
export function serverConfiguration(plan: ClusterPlan, paths: StackPaths, settings: Settings): Properties {
  const { keytabs } = realmFiles(paths);
  const web = { principal: `HTTP/localhost@${realm}`, keytab: keytabs.hdfs };
  const principal = `hdfs/localhost@${realm}`;
  const loopback = (port: number): string => `127.0.0.1:${port}`;
  return {
    'hadoop.security.authentication': 'kerberos',
    'hadoop.security.authorization': 'true',
    'dfs.namenode.kerberos.principal': principal,
    'dfs.namenode.keytab.file': keytabs.hdfs,
    'dfs.datanode.kerberos.principal': principal,
    'dfs.datanode.keytab.file': keytabs.hdfs,
    'dfs.web.authentication.kerberos.principal': web.principal,
    'dfs.web.authentication.kerberos.keytab': web.keytab,
    // Without these three WebHDFS answers 403 "Security enabled but user not authenticated by filter".
    'hadoop.http.authentication.type': 'kerberos',
    'hadoop.http.authentication.kerberos.principal': web.principal,
    'hadoop.http.authentication.kerberos.keytab': web.keytab,
    'dfs.block.access.token.enable': 'true',
    'dfs.data.transfer.protection': 'authentication',
    'ignore.secure.ports.for.testing': 'true',
    'dfs.http.policy': 'HTTP_ONLY',
    'dfs.permissions.enabled': 'true',
    'dfs.permissions.superusergroup': 'supergroup',
    // No account of this machine decides who is in which group.
    'hadoop.security.group.mapping': 'org.apache.hadoop.security.NullGroupsMapping',
    'hadoop.user.group.static.mapping.overrides':
      'hdfs=supergroup;kerbridge=services;alice=analysts;bob=analysts;carol=analysts;mallory=guests',
    [`hadoop.proxyuser.${proxyUser}.hosts`]: proxyHosts.join(','),
    [`hadoop.proxyuser.${proxyUser}.users`]: proxiedUsers.join(','),
    'dfs.namenode.delegation.token.renew-interval': String(settings.tokenRenewIntervalMs),
    'dfs.namenode.delegation.token.max-lifetime': String(settings.tokenMaxLifetimeMs),
    'dfs.replication': '1',
    'dfs.datanode.address': loopback(plan.dataNode.port),
    'dfs.datanode.http.address': loopback(plan.dataNode.httpPort),
    'dfs.datanode.ipc.address': loopback(plan.dataNode.ipcPort),
    'dfs.datanode.http.internal-proxy.port': String(plan.dataNode.internalPort),
    'dfs.ha.tail-edits.period': '1s',
    // How soon the DataNode finds a NameNode that was started again.
    'dfs.heartbeat.interval': '1s',
    'hadoop.tmp.dir': join(plan.folder, 'tmp'),
    'hdfs.minidfs.basedir': join(plan.folder, 'data'),
    'kerbridge.stack.nameservice': plan.nameservice ?? '',
    'kerbridge.stack.rpc-ports': plan.nameNodes.map(({ rpcPort }) => rpcPort).join(','),
    'kerbridge.stack.http-ports': plan.nameNodes.map(({ httpPort }) => httpPort).join(','),
    'kerbridge.stack.control-port': String(plan.controlPort),
    'kerbridge.stack.proxy-user': proxyUser,
    'kerbridge.stack.home-directories': 'alice,bob',
  };
}

/** Everything to stdout, which is the part's log; the NameNode's audit lines to a file of their own. */
export function log4jProperties(auditLog: string): string {
  return `log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %-5p %c{2}: %m%n
log4j.logger.org.apache.hadoop.hdfs.server.namenode.FSNamesystem.audit=INFO,audit
log4j.additivity.org.apache.hadoop.hdfs.server.namenode.FSNamesystem.audit=false
log4j.appender.audit=org.apache.log4j.RollingFileAppender
log4j.appender.audit.File=${auditLog}
log4j.appender.audit.MaxFileSize=64MB
log4j.appender.audit.MaxBackupIndex=1
log4j.appender.audit.layout=org.apache.log4j.PatternLayout
log4j.appender.audit.layout.ConversionPattern=%d{ISO8601} %m%n
log4j.logger.BlockStateChange=WARN
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
log4j.logger.com.sun.jersey=ERROR
`;
}
