import type { KdcAddress } from '../../kerberos/kdc/ask-kdc.ts';
import type { Krb5Profile } from '../../kerberos/krb5-profile.ts';
import { errorCode } from '../../observability/error-code.ts';

export interface FoundKdcs {
  readonly source: 'krb5.conf' | 'DNS';
  readonly kdcs: readonly KdcAddress[];
  /** Entries that only libkrb5 can ask. */
  readonly others: readonly string[];
  /** Why none was found. */
  readonly problem: string | undefined;
}

/** Like `resolveSrv` of node:dns/promises. */
export type ResolveSrv = (
  name: string,
) => Promise<readonly { readonly name: string; readonly port: number }[]>;

/** The KDCs that libkrb5 would ask: those of krb5.conf, or else the SRV records of the realm (RFC 4120, 7.2.3.2). */
export async function findKdcs(
  profile: Krb5Profile,
  realm: string,
  resolveSrv: ResolveSrv,
): Promise<FoundKdcs> {
  const entries = profile.kdcsOf(realm);
  if (entries.length > 0 || !profile.dnsLookupKdc) {
    return {
      source: 'krb5.conf',
      kdcs: unique(entries.flatMap((entry) => (entry.type === 'address' ? [entry] : []))),
      others: entries.flatMap((entry) => (entry.type === 'other' ? [entry.text] : [])),
      problem: entries.length > 0 ? undefined : `no KDC of ${realm} is listed`,
    };
  }
  const kdcs: KdcAddress[] = [];
  const problems: string[] = [];
  for (const name of [`_kerberos._tcp.${realm}`, `_kerberos._udp.${realm}`]) {
    try {
      for (const { name: host, port } of await resolveSrv(name)) kdcs.push({ host, port });
    } catch (error) {
      problems.push(`${name}: ${errorCode(error)}`);
    }
  }
  const problem = kdcs.length > 0 ? undefined : `DNS has no SRV record of a KDC (${problems.join(', ')})`;
  return { source: 'DNS', kdcs: unique(kdcs), others: [], problem };
}

function unique(kdcs: readonly KdcAddress[]): readonly KdcAddress[] {
  const known = new Map(kdcs.map(({ host, port }) => [`${host} ${port}`, { host, port }]));
  return [...known.values()];
}
