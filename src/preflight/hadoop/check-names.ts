import type { LookupAddresses } from '../../hadoop/conf-dir/token-service-names.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { Finding } from '../finding.ts';
import { failed, ok } from '../say.ts';

/** Whether the host of a NameNode resolves on this host. */
export async function checkName(
  cluster: string,
  host: string,
  lookup: LookupAddresses,
): Promise<readonly Finding[]> {
  const subject = { id: `name:${cluster}/${host}`, title: `Host name ${host}` };
  try {
    const addresses = await lookup(host);
    if (addresses.length > 0) return [ok(subject, addresses.join(', '))];
    return [failed(subject, 'it has no address', fixOf(host))];
  } catch (error) {
    const code = errorCode(error);
    const detail = code === 'ENOTFOUND' ? 'it does not resolve (ENOTFOUND)' : `DNS does not answer (${code})`;
    return [failed(subject, detail, fixOf(host))];
  }
}

const fixOf = (host: string): string =>
  `Let DNS here know ${host} (in a pod: dnsConfig or hostAliases), or correct the address of the NameNode in hdfs-site.xml`;
