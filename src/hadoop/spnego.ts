import type { Secret } from '../observability/secret.ts';

/**
 * Makes SPNEGO tokens for one Kerberos principal. Owned here, implemented in `kerberos/`.
 */
export interface SpnegoInitiator {
  /** The client principal, `name[/instance]@REALM`. */
  readonly principal: string;
  /**
   * A fresh SPNEGO token (base64) for the service `HTTP@host`. Never send one twice: the acceptor's replay cache
   * answers 403. Rejects with {@link SpnegoError}.
   */
  negotiate(host: string, options?: { readonly signal?: AbortSignal }): Promise<Secret<string>>;
}

export type SpnegoFailure =
  /** No KDC of the realm answered, or not in time. */
  | 'kdc-unreachable'
  /** Keytab missing, unreadable, without the principal, or with a key the KDC no longer has. */
  | 'credentials'
  /** The KDC does not know `HTTP/host`. */
  | 'unknown-service'
  /** krb5.conf missing or without the realm. */
  | 'configuration'
  /** The child process ended or could not be started. */
  | 'process'
  /** Anything else GSS said. */
  | 'gss';

/** Operator-facing; the message holds GSS text, never a token. */
export class SpnegoError extends Error {
  override readonly name = 'SpnegoError';
  readonly failure: SpnegoFailure;
  readonly fix: string | undefined;

  constructor(failure: SpnegoFailure, message: string, details: { fix?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.failure = failure;
    this.fix = details.fix;
  }
}
