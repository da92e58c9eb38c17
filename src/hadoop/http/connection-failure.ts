import { TokenServiceError } from '../../delegation-tokens/token-service.ts';

interface Explanation {
  readonly what: string;
  readonly fix?: string;
}

const NOT_RUNNING =
  'Check that the daemon runs, and that its address in the Hadoop configuration and its port are right.';
const NETWORK = 'Check the route and the network policies between this pod and the Hadoop daemon.';
const TRUST =
  'Give the certificate authority that signed the Hadoop daemon’s certificate as trusted CA of this cluster.';

const BY_CODE: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: { what: 'connection refused', fix: NOT_RUNNING },
  ECONNRESET: { what: 'connection reset' },
  EPIPE: { what: 'connection closed' },
  ETIMEDOUT: { what: 'connecting timed out', fix: NETWORK },
  EHOSTUNREACH: { what: 'no route to the host', fix: NETWORK },
  ENETUNREACH: { what: 'no route to the network', fix: NETWORK },
  ENOTFOUND: { what: 'the host name does not resolve', fix: 'Check the host name, and DNS in this pod.' },
  EAI_AGAIN: { what: 'DNS does not answer', fix: 'Check DNS in this pod.' },
  EPROTO: { what: 'TLS handshake failed', fix: 'Check that the port speaks HTTPS.' },
  ERR_SSL_WRONG_VERSION_NUMBER: { what: 'TLS handshake failed', fix: 'Check that the port speaks HTTPS.' },
  CERT_HAS_EXPIRED: {
    what: 'its certificate has expired',
    fix: 'Renew the certificate of the Hadoop daemon.',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: { what: 'its certificate is self-signed', fix: TRUST },
  SELF_SIGNED_CERT_IN_CHAIN: { what: 'its certificate is not trusted', fix: TRUST },
  UNABLE_TO_GET_ISSUER_CERT: { what: 'its certificate is not trusted', fix: TRUST },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: { what: 'its certificate is not trusted', fix: TRUST },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { what: 'its certificate is not trusted', fix: TRUST },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    what: 'its certificate is for another host name',
    fix: 'Use the host name that the certificate of the Hadoop daemon carries.',
  },
  ERR_BAD_RESPONSE: { what: 'the answer broke off or is too large' },
};

/** `HPE_*` come from Node's HTTP parser: whatever answered does not speak HTTP. */
const NOT_HTTP: Explanation = {
  what: 'the answer is not HTTP',
  fix: 'Check the scheme (http or https) and the port.',
};

/**
 * A failed HTTP call as `unreachable`, by its code alone: the message of an HTTP library's error may quote headers or
 * the URL, and its properties hold both, so neither message nor object is kept.
 */
export function connectionFailure(error: unknown, operation: string, endpoint: string): TokenServiceError {
  const code = codeOf(error);
  const { what, fix } = BY_CODE[code] ?? (code.startsWith('HPE_') ? NOT_HTTP : { what: 'the call failed' });
  return new TokenServiceError('unreachable', `${operation} at ${endpoint}: ${what} (${code})`, {
    endpoint,
    ...(fix === undefined ? {} : { fix }),
  });
}

function codeOf(error: unknown): string {
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/u.test(code) ? code : 'UNKNOWN';
}
