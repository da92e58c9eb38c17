import { DEFAULT_KRB5_CONF, type Krb5Profile } from '../../kerberos/krb5-profile.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, type Subject } from '../say.ts';

export interface Krb5ConfOptions {
  readonly cluster: string;
  /** As configured; undefined: MIT's own. */
  readonly krb5Conf: string | undefined;
  readonly profile: Krb5Profile;
  /** Of our principal; undefined: it is not known, so the default realm counts. */
  readonly realm: string | undefined;
}

export const krb5ConfSubject = ({ cluster, krb5Conf }: Pick<Krb5ConfOptions, 'cluster' | 'krb5Conf'>) =>
  ({
    id: `krb5-conf:${cluster}`,
    title: `krb5.conf ${krb5Conf ?? DEFAULT_KRB5_CONF}`,
  }) satisfies Subject;

/** Whether libkrb5 can know from it where the realm's KDCs are. */
export function checkKrb5Conf({ cluster, krb5Conf, profile, realm }: Krb5ConfOptions): readonly Finding[] {
  const subject = krb5ConfSubject({ cluster, krb5Conf });
  const { problems, files, defaultRealm, dnsLookupKdc } = profile;
  if (problems.length > 0) {
    const where = krb5Conf === undefined ? `${DEFAULT_KRB5_CONF}, or name another with krb5Conf` : krb5Conf;
    const fix =
      files.length === 0
        ? `Put the krb5.conf of the realm at ${where}, readable by the user this process runs as`
        : 'Correct the file: libkrb5 takes none of it as long as it has such a fault';
    return problems.map((problem) => failed(subject, problem, fix));
  }
  const wanted = realm ?? defaultRealm;
  if (wanted === undefined) {
    return [
      failed(
        subject,
        'it has no default_realm, and the principal has none',
        'Set default_realm under [libdefaults]',
      ),
    ];
  }
  const { length } = profile.kdcsOf(wanted);
  if (length > 0) return [ok(subject, `${length} KDC(s) of the realm ${wanted}`)];
  if (dnsLookupKdc)
    return [ok(subject, `no KDC of the realm ${wanted} is listed: they are looked up in DNS`)];
  const known =
    profile.realms.length === 0 ? 'no realm' : `the realms ${profile.realms.slice(0, 10).join(', ')}`;
  return [
    failed(
      subject,
      `no KDC of the realm ${wanted} is listed, and dns_lookup_kdc is false; it has ${known}`,
      `Write the KDCs under [realms]: ${wanted} = { kdc = HOST }; or correct the realm of the principal`,
    ),
  ];
}
