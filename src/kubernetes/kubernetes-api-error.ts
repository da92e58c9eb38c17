export type KubernetesApiFailure =
  /** The kubeconfig or the pod's own mount is missing, unreadable or incomplete; only thrown when it is loaded. */
  | 'configuration'
  /** Our own credentials can't be read or made now: a token file, a certificate, an exec plugin. */
  | 'credentials'
  /** No connection, a broken one, or one that TLS does not trust. */
  | 'unreachable'
  | 'timeout'
  /** 401: the API server does not accept our own credentials. */
  | 'unauthorized'
  /** 403: our own service account may not do this. */
  | 'forbidden'
  /** 429: priority and fairness turned us away. */
  | 'too-many-requests'
  /** 5xx. */
  | 'server-error'
  /** Anything that is not the answer of a Kubernetes API to our question. */
  | 'bad-reply';

/**
 * What every call of `kubernetes/` rejects with when it could not get an answer. The message and the fix are for the
 * operator. It never has a `cause`: client-node's ApiException has the reply's body and headers in its message.
 */
export class KubernetesApiError extends Error {
  override readonly name = 'KubernetesApiError';
  readonly code: KubernetesApiFailure;
  /** HTTP status of the API server's reply, if there was one. Never to become a status of ours. */
  readonly httpStatus: number | undefined;
  /** What the operator can do about it, if that is known. */
  readonly fix: string | undefined;

  constructor(
    code: KubernetesApiFailure,
    message: string,
    details: { httpStatus?: number; fix?: string } = {},
  ) {
    super(message);
    this.code = code;
    this.httpStatus = details.httpStatus;
    this.fix = details.fix;
  }
}
