import type { Stack } from '../stack/stack.ts';

/** The configuration of one cluster: the stack's plain HDFS, with changes. */
export function stackCluster(
  { hdfs, keytabs, krb5Conf }: Stack,
  change: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    name: 'stack',
    hadoopConf: hdfs.confDir,
    keytab: keytabs.kerbridge,
    krb5Conf,
    allowPlainHttp: true,
    ...change,
  };
}
