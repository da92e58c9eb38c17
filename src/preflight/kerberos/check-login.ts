import { SpnegoError, type SpnegoInitiator } from '../../hadoop/spnego.ts';
import type { Finding } from '../finding.ts';
import { failed, ok } from '../say.ts';

export interface LoginOptions {
  readonly cluster: string;
  readonly spnego: SpnegoInitiator;
  /** Any: a ticket for it is asked for, and that the KDC does not know it comes after the login. */
  readonly host: string;
}

const FALLBACK =
  'Try kinit -kt KEYTAB PRINCIPAL on this host with the same krb5.conf: it tells more (KRB5_TRACE=/dev/stderr)';

/** Whether the KDC takes the key of the keytab, by way of libkrb5 and the child process that serve has. */
export async function checkLogin(
  { cluster, spnego, host }: LoginOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subject = { id: `login:${cluster}`, title: `Login of ${spnego.principal} with the keytab` };
  try {
    await spnego.negotiate(host, { signal });
  } catch (error) {
    if (!(error instanceof SpnegoError)) throw error;
    if (error.failure !== 'unknown-service') return [failed(subject, error.message, error.fix ?? FALLBACK)];
  }
  return [ok(subject, 'the KDC gives a ticket')];
}

export interface SpnOptions {
  /** `<cluster>/<nameservice>/<NameNode>` */
  readonly subject: string;
  readonly spnego: SpnegoInitiator;
  readonly spnHost: string;
  /** `dfs.namenode.https-address` and so on, as far as that can be said. */
  readonly addressProperty: string;
}

/** Whether the KDC knows the principal that the NameNode's web server is to have. */
export async function checkSpn(
  { subject: name, spnego, spnHost, addressProperty }: SpnOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const spn = `HTTP/${spnHost}`;
  const subject = { id: `spn:${name}`, title: `${spn} at the KDC` };
  try {
    await spnego.negotiate(spnHost, { signal });
    return [ok(subject, 'the KDC gives a ticket for it')];
  } catch (error) {
    if (!(error instanceof SpnegoError)) throw error;
    if (error.failure !== 'unknown-service') return [failed(subject, error.message, error.fix ?? FALLBACK)];
    const fix =
      `The name comes from the Hadoop conf dir: the host that dfs.web.authentication.kerberos.principal names, or with _HOST that of ${addressProperty}, or else of dfs.namenode.rpc-address. ` +
      `Let it be the host of the NameNode's HTTP principal (klist -kt of its keytab shows it), or create ${spn} at the KDC and add it to that keytab` +
      (error.message.includes(`${spn}@`) || /\bkrbtgt\//u.test(error.message)
        ? ''
        : '; libkrb5 asked for another name: set dns_canonicalize_hostname = false and rdns = false in krb5.conf') +
      (/\bkrbtgt\//u.test(error.message)
        ? `; and map ${spnHost} to its realm under [domain_realm] in krb5.conf`
        : '');
    return [failed(subject, error.message, fix)];
  }
}
