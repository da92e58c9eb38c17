import type { ServerException } from './server-exception.ts';

/** Kerberos error 34, KRB_AP_ERR_REPEAT: the acceptor has seen this authenticator before. */
const REPLAY = /\bRequest is a replay\b/iu;
/** The service ticket was made with another key than the acceptor has. */
const WRONG_KEY =
  /Checksum failed|Cannot find key|Specified version of key is not available|Integrity check on decrypted field failed/iu;

/**
 * What may turn a refusal of the authentication filter around: a SPNEGO token that was not sent yet, or one made with
 * tickets got anew (when the server's key was changed, the ticket in our cache is for the old one).
 */
export type Remedy = 'new-spnego-token' | 'new-tickets';

export function remedyFor(message: string): Remedy | undefined {
  if (REPLAY.test(message)) return 'new-spnego-token';
  return WRONG_KEY.test(message) ? 'new-tickets' : undefined;
}

const FIXES: readonly (readonly [RegExp, string])[] = [
  [
    REPLAY,
    'Every request carries a ticket of its own, so something between here and the server repeats requests, or two hosts share one replay cache.',
  ],
  [
    /Clock skew too great/iu,
    'Synchronise the clocks of the Hadoop host, the KDC and this host: Kerberos allows five minutes.',
  ],
  [
    WRONG_KEY,
    'The HTTP/<host> key in the keytab of that Hadoop host is not the one the KDC has: export the keytab anew and restart the daemon; also check that the host name used here is the one of its principal.',
  ],
  [/No rules applied to/iu, 'Add a hadoop.security.auth_to_local rule for our principal on the Hadoop host.'],
  [
    /AuthenticationToken expired|Invalid signature|SignerException/iu,
    'The server refuses a cookie it has just given: behind a load balancer all daemons must share hadoop.http.authentication.signature.secret.file; else check their clocks.',
  ],
  [
    /newLimit > capacity|Defective token|Invalid SPNEGO|GSSHeader/iu,
    'The server could not read our SPNEGO token: check for a proxy that changes the Authorization header.',
  ],
];

const FALLBACK =
  'Check that hadoop.http.authentication.type is kerberos on that host, and that its keytab has the key of HTTP/<host> that the KDC has.';

/** What an operator can do about a refusal of the authentication filter. */
export function authenticationFix(said: ServerException): string {
  const text = `${said.exception ?? ''} ${said.message}`;
  return FIXES.find(([pattern]) => pattern.test(text))?.[1] ?? FALLBACK;
}
