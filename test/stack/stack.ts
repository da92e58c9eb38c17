import type { Stack } from './description.ts';
import { KdcAdmin } from './kdc/kdc-admin.ts';

// The door for tests: bring the real servers up, find them, trouble them.
export type { HdfsCluster, Stack } from './description.ts';
export { down } from './down.ts';
export type { DownOptions } from './down.ts';
export { hdfsControl } from './hdfs/hdfs-control.ts';
export type { HdfsControl, HdfsHealth, IssuedToken } from './hdfs/hdfs-control.ts';
export { pauseHdfs } from './hdfs/pause-hdfs.ts';
export { proxiedUsers } from './hdfs/configuration.ts';
export { runHadoopFs } from './java-client/hadoop-fs.ts';
export type { HadoopFsOptions, HadoopFsResult } from './java-client/hadoop-fs.ts';
export { cancelOwnToken, startReadLoop } from './java-client/token-client.ts';
export type { Reading, ReadLoop } from './java-client/token-client.ts';
export { KdcAdmin } from './kdc/kdc-admin.ts';
export { kubernetesControl } from './kubernetes/kubernetes-control.ts';
export type { KubernetesControl } from './kubernetes/kubernetes-control.ts';
export { readStack, status } from './status.ts';
export type { PartStatus, StackStatus } from './status.ts';
export { up, upKubernetes } from './up.ts';
export type { KubernetesOptions, KubernetesStack, UpOptions } from './up.ts';

/** Changes to the realm of a running stack. */
export function kdcAdmin({ krb5Conf, kdcConf }: Pick<Stack, 'krb5Conf' | 'kdcConf'>): KdcAdmin {
  return new KdcAdmin({ krb5Conf, kdcConf });
}
