import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { errorCode } from '../../observability/error-code.ts';

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

const SLOW =
  'The Hadoop daemon takes connections but is slow: check its load and its log, and what is between it and this pod; limits.hadoopCallTimeout says how long we wait.';

/** What became of a call that failed. */
export interface FailedCall {
  readonly operation: string;
  readonly endpoint: string;
  /** There was a connection for the request to go out on. */
  readonly wasConnected: boolean;
  /** The request may be sent again, also when the server has seen it. */
  readonly isRepeatable: boolean;
}

/**
 * A failed HTTP call as `unreachable`, by its code alone: the message of an HTTP library's error may quote headers or
 * the URL, and its properties hold both, so neither message nor object is kept.
 */
export function connectionFailure(error: unknown, call: FailedCall): TokenServiceError {
  const code = errorCode(error);
  const { what, fix } = BY_CODE[code] ?? (code.startsWith('HPE_') ? NOT_HTTP : { what: 'the call failed' });
  return unreachable(call, `${what} (${code})`, fix);
}

/** A call that did not end in our own time: a dropped SYN shows in no other way, as TCP would try for minutes. */
export function callTimeout(call: FailedCall, timeoutMs: number): TokenServiceError {
  return call.wasConnected
    ? unreachable(call, `no complete answer within ${timeoutMs} ms`, SLOW)
    : unreachable(call, `could not connect within ${timeoutMs} ms`, NETWORK);
}

function unreachable(call: FailedCall, what: string, fix: string | undefined): TokenServiceError {
  const { operation, endpoint, wasConnected, isRepeatable } = call;
  return new TokenServiceError('unreachable', `${operation} at ${endpoint}: ${what}`, {
    endpoint,
    ...(fix === undefined ? {} : { fix }),
    mayHaveActed: wasConnected && !isRepeatable,
  });
}
