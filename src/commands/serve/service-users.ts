import type { HadoopProperties } from '../../hadoop/conf-dir/hadoop-properties.ts';
import { isShortName } from '../../hadoop/short-name.ts';

/** `hadoop.proxyuser.<name>.hosts`, `.groups` and `.users` of Hadoop's DefaultImpersonationProvider. */
const PROXY_USER = /^hadoop\.proxyuser\.(.+)\.(?:hosts|groups|users)$/;

/**
 * Who serves in a Hadoop, as far as its conf dir tells: the first component of every daemon's principal
 * (`dfs.namenode.kerberos.principal`, `yarn.resourcemanager.principal`, …), and every proxy user. The first of a
 * NameNode's is its superuser, whatever a distribution calls it; a proxy user can become everybody.
 */
export function findServiceUsers(properties: HadoopProperties): readonly string[] {
  const names = properties.names().flatMap((property) => {
    if (!property.endsWith('.principal')) return PROXY_USER.exec(property)?.[1] ?? [];
    // `nn/_HOST@EXAMPLE.COM`, or a single `*` for any.
    return properties.getTrimmed(property)?.split(/[/@]/, 1) ?? [];
  });
  return [...new Set(names.filter(isShortName))].toSorted();
}
