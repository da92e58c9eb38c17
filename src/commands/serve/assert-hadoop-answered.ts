import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type { HadoopHttpReply } from '../../hadoop/http/hadoop-http-client.ts';

export const READINESS_CHECK = 'Readiness check';

/**
 * A secure NameNode that is asked without credentials wants SPNEGO: 401 with `WWW-Authenticate: Negotiate`
 * (KerberosAuthenticationHandler of hadoop-auth). A proxy's error page, or a daemon without Kerberos, is no such thing.
 */
export function assertHadoopAnswered(
  { status, wwwAuthenticate }: Pick<HadoopHttpReply, 'status' | 'wwwAuthenticate'>,
  endpoint: string,
): void {
  const wantsSpnego = status === 401 && /(?:^|,)\s*Negotiate\b/i.test(wwwAuthenticate);
  if (wantsSpnego || (status >= 200 && status < 300)) return;
  throw new TokenServiceError(
    'unreachable',
    `${READINESS_CHECK} at ${endpoint}: HTTP ${status} without Negotiate`,
    {
      endpoint,
      fix: 'Look at what listens there: a NameNode with Kerberos for HTTP answers 401 with WWW-Authenticate: Negotiate.',
    },
  );
}
