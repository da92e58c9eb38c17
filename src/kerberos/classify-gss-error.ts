import type { SpnegoFailure } from '../hadoop/spnego.ts';

/** What may be tried once more before the caller hears of it. */
export type GssRetry =
  | 'no'
  /** The same again: a race that the next try doesn't meet. */
  | 'same'
  /** With an empty credential cache: what is in this one is no good. */
  | 'fresh-tickets'
  /** Only if the keytab has changed meanwhile: it may have been replaced while it was read. */
  | 'changed-keytab';

export interface GssVerdict {
  readonly failure: SpnegoFailure;
  /** What the operator can do; undefined when the text is not one we know. */
  readonly fix: string | undefined;
  readonly retry: GssRetry;
}

interface Rule extends GssVerdict {
  readonly text: RegExp;
}

const NEW_KEYTAB =
  'Export the keytab anew (kadmin: ktadd; Active Directory: ktpass) and put it in place of the old one; it is picked up without a restart';

/**
 * npm `kerberos` throws plain errors whose only content is "<major text>: <minor text>", so the texts of MIT's
 * libkrb5 and libgssapi_krb5 (1.18 to 1.22, locale C) decide. First match wins, so the minor text's rules come before
 * those for the major text, which is the same for many causes.
 */
const RULES: readonly Rule[] = [
  {
    text: /Cannot contact any KDC for realm|Cannot resolve network address for KDC|Cannot resolve servers for KDC/iu,
    failure: 'kdc-unreachable',
    fix: 'Check that a KDC of the realm runs and that this process can reach it (krb5.conf: [realms] kdc; network policies, port 88 TCP)',
    retry: 'no',
  },
  {
    text: /Cannot find KDC for realm|does not specify default realm|Improper format of Kerberos configuration|Can't open\/find Kerberos configuration|Included profile (?:file|directory) could not be read/iu,
    failure: 'configuration',
    fix: 'Check krb5.conf: it must be readable, well-formed and have the realm under [realms] with its kdc lines',
    retry: 'no',
  },
  {
    text: /no support for encryption type|No supported encryption types|does not support specified encryption|Encryption type \S+ not (?:permitted|supported)/iu,
    failure: 'configuration',
    fix: 'Let krb5.conf (permitted_enctypes), the keytab and the principal at the KDC share an encryption type, AES at best',
    retry: 'no',
  },
  {
    text: /Clock skew too great/iu,
    failure: 'configuration',
    fix: 'Synchronise the clocks of this machine and of the KDC (NTP); Kerberos allows five minutes',
    retry: 'no',
  },
  {
    text: /Decrypt integrity check failed|Preauthentication failed|Password incorrect|Key version (?:number )?.*not available|Key version is not available/iu,
    failure: 'credentials',
    fix: `The key in the keytab is no longer the principal's key at the KDC. ${NEW_KEYTAB}`,
    retry: 'changed-keytab',
  },
  {
    text: /Client '?[^']*'? not found in Kerberos database|Client not found in Kerberos database/iu,
    failure: 'credentials',
    fix: 'The KDC does not know the principal: create it there (kadmin: addprinc) or correct the configured name',
    retry: 'changed-keytab',
  },
  {
    text: /Can't find client principal .* in cache collection|Key table entry not found|No suitable keys for|Keytab contains no suitable keys/iu,
    failure: 'credentials',
    fix: `The keytab has no usable key of the principal. ${NEW_KEYTAB}`,
    retry: 'changed-keytab',
  },
  {
    text: /credentials have been revoked|entry in database has expired|Password has expired|KDC policy rejects request/iu,
    failure: 'credentials',
    fix: 'The KDC refuses the principal: it is disabled, locked out or expired there (kadmin: getprinc, modprinc +allow_tix -expire never, -unlock)',
    retry: 'no',
  },
  {
    text: /Server krbtgt\/\S+ not found in Kerberos database|Realm not local to KDC/iu,
    failure: 'unknown-service',
    fix: "Map the host to its realm in krb5.conf [domain_realm], or use the host name of the server's HTTP principal",
    retry: 'no',
  },
  {
    text: /Server \S+ not found in Kerberos database|Server not found in Kerberos database/iu,
    failure: 'unknown-service',
    fix: 'Address the server by the host name of its HTTP principal (dfs.web.authentication.kerberos.principal and the like), or create HTTP/<host> at the KDC; set dns_canonicalize_hostname = false and rdns = false in krb5.conf',
    retry: 'no',
  },
  {
    text: /Matching credential not found/iu,
    failure: 'gss',
    fix: 'A race in the credential cache while tickets were refreshed; it goes away by itself',
    retry: 'same',
  },
  {
    text: /Principal in credential cache does not match|Bad format in credentials? cache|credentials? cache I\/O|Internal credentials cache error|Credential cache is empty|Failed to store credentials|No credentials cache found|Unsupported credentials cache format|Ticket expired|credentials? (?:have|has) expired/iu,
    failure: 'gss',
    fix: 'The credential cache was unusable even after it was made anew: check that the directory for tickets is writable and not full',
    retry: 'fresh-tickets',
  },
  {
    text: /SPNEGO cannot find mechanisms to negotiate|No credentials were supplied|No credentials cache|Client keytab/iu,
    failure: 'credentials',
    fix: 'No ticket could be had with this keytab: check with kinit -kt <keytab> <principal> and the same krb5.conf',
    retry: 'changed-keytab',
  },
];

const UNKNOWN: GssVerdict = { failure: 'gss', fix: undefined, retry: 'no' };

/** What a GSS error text means for the caller and the operator. Pure. */
export const classifyGssError = (message: string): GssVerdict => {
  const rule = RULES.find(({ text }) => text.test(message));
  return rule === undefined ? UNKNOWN : { failure: rule.failure, fix: rule.fix, retry: rule.retry };
};
