import { join } from 'node:path';
import type { PartName } from '../parts.ts';
import type { StackPaths } from '../paths.ts';
import type { PortName, Ports } from '../ports.ts';

/** One HDFS: the plain one, or the pair in high availability. */
export interface ClusterPlan {
  readonly part: Extract<PartName, 'hdfs' | 'ha'>;
  /** Set for the pair only. */
  readonly nameservice: string | undefined;
  readonly nameNodes: readonly { readonly id: string; readonly rpcPort: number; readonly httpPort: number }[];
  readonly dataNode: {
    readonly port: number;
    readonly httpPort: number;
    readonly ipcPort: number;
    readonly internalPort: number;
  };
  readonly controlPort: number;
  readonly folder: string;
  /** Client configuration, as a platform engineer would have it. */
  readonly confDir: string;
  readonly auditLog: string;
}

export const nameservice = 'kerbridge-ha';

export function planCluster(part: 'hdfs' | 'ha', paths: StackPaths, ports: Ports): ClusterPlan {
  const nameNode = (id: string, prefix: 'hdfs' | 'ha-nn0' | 'ha-nn1'): ClusterPlan['nameNodes'][number] => ({
    id,
    rpcPort: ports[`${prefix}-rpc`],
    httpPort: ports[`${prefix}-http`],
  });
  return {
    part,
    nameservice: part === 'ha' ? nameservice : undefined,
    nameNodes:
      part === 'ha' ? [nameNode('nn0', 'ha-nn0'), nameNode('nn1', 'ha-nn1')] : [nameNode('nn0', 'hdfs')],
    dataNode: {
      port: ports[`${part}-datanode`],
      httpPort: ports[`${part}-datanode-http`],
      ipcPort: ports[`${part}-datanode-ipc`],
      internalPort: ports[`${part}-datanode-internal`],
    },
    controlPort: ports[`${part}-control`],
    folder: paths[part],
    confDir: join(paths.conf, part),
    auditLog: join(paths.logs, `${part}-audit.log`),
  };
}

/** The ports of a cluster by the names `--port` knows. */
export function clusterPorts(part: 'hdfs' | 'ha', ports: Ports): Readonly<Record<string, number>> {
  return Object.fromEntries(
    (Object.keys(ports) as PortName[])
      .filter((name) => name.startsWith(`${part}-`))
      .map((name) => [name, ports[name]]),
  );
}
