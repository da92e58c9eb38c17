import { join } from 'node:path';
import type { StackPaths } from '../paths.ts';

export const realm = 'KERBRIDGE.TEST';

/** Principals of the realm by the keytab that holds their keys. */
export const keytabPrincipals = {
  kerbridge: ['kerbridge'],
  alice: ['alice'],
  bob: ['bob'],
  carol: ['carol'],
  /** A user of the realm whom no proxy-user rule covers. */
  mallory: ['mallory'],
  hdfs: ['hdfs/localhost', 'HTTP/localhost'],
} as const;

export type KeytabName = keyof typeof keytabPrincipals;
export const keytabNames = Object.keys(keytabPrincipals) as KeytabName[];

export interface RealmFiles {
  readonly krb5Conf: string;
  readonly kdcConf: string;
  readonly database: string;
  readonly stash: string;
  readonly acl: string;
  /** Says which realm this is: a realm made anew has other keys, and what holds keys of the old one must restart. */
  readonly identity: string;
  readonly keytabs: Readonly<Record<KeytabName, string>>;
}

export function realmFiles(paths: StackPaths): RealmFiles {
  const keytab = (name: KeytabName): string => join(paths.kdc, 'keytabs', `${name}.keytab`);
  return {
    krb5Conf: join(paths.kdc, 'krb5.conf'),
    kdcConf: join(paths.kdc, 'kdc.conf'),
    database: join(paths.kdc, 'database', 'principal'),
    stash: join(paths.kdc, 'database', 'stash'),
    acl: join(paths.kdc, 'kadm5.acl'),
    identity: join(paths.kdc, 'realm.json'),
    keytabs: Object.fromEntries(keytabNames.map((name) => [name, keytab(name)])) as Record<
      KeytabName,
      string
    >,
  };
}

/** The client's view of the realm. Names are taken as they are: a reverse look-up of 127.0.0.1 may say anything. */
export function krb5Conf(paths: StackPaths, port: number): string {
  return `[libdefaults]
  default_realm = ${realm}
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  ticket_lifetime = 24h
  forwardable = true
  default_ccache_name = FILE:${join(paths.kdc, 'ccache')}

[realms]
  ${realm} = {
    kdc = 127.0.0.1:${port}
  }

[domain_realm]
  localhost = ${realm}
`;
}

export function kdcConf(files: RealmFiles, port: number): string {
  return `[kdcdefaults]
  kdc_listen = 127.0.0.1:${port}
  kdc_tcp_listen = 127.0.0.1:${port}

[realms]
  ${realm} = {
    database_name = ${files.database}
    key_stash_file = ${files.stash}
    acl_file = ${files.acl}
    max_life = 24h
    max_renewable_life = 7d
    supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
    default_principal_flags = +preauth
  }

[logging]
  kdc = STDERR
  default = STDERR
`;
}
