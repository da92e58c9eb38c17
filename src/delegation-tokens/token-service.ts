import type { Secret } from '../observability/secret.ts';

/**
 * What a delegation token says. Its kind is not in it, nor when it next expires: that is known from the server's
 * answer to a renewal.
 */
export interface TokenIdentifier {
  /** The user the token is for. YARN puts a full principal for who asked for himself, a short name under doAs. */
  readonly owner: string;
  /** Short name of who may renew it. */
  readonly renewer: string;
  /** Who asked for it on the owner's behalf; empty if nobody did, and from NameNodes since Hadoop 3.3. */
  readonly realUser: string;
  /** ms since the epoch; int64, so bigint. */
  readonly issueDate: bigint;
  /** ms since the epoch; int64, Long.MAX_VALUE is legal. */
  readonly maxDate: bigint;
  /** int32, negative after it wrapped on the server. */
  readonly sequenceNumber: number;
  /** int32. */
  readonly masterKeyId: number;
}

/**
 * A Hadoop delegation token with the fields of its decoded identifier.
 *
 * `kind` and `service` are client-side labels that the server never checks; `identifier` and `password` are what
 * authenticates.
 */
export interface DelegationToken extends TokenIdentifier {
  readonly kind: string;
  readonly service: string;
  readonly identifier: Uint8Array;
  readonly password: Secret<Uint8Array>;
}

export interface IssueRequest {
  /** Short name of the user the token is for. */
  readonly owner: string;
  /** Short name of the only one who may renew it. */
  readonly renewer: string;
}

/** What waits for a server of Hadoop goes in this order: a renewal that is due keeps a token alive that pods hold. */
export type Urgency = 'renewal' | 'issue' | 'cancel';

export interface CallOptions {
  /** Ends the call; what it rejects with is then the signal's reason or a TokenServiceError that holds it as cause. */
  readonly signal?: AbortSignal;
  /** When the signal will end the call at the latest, ms since the epoch: nothing is begun that can't end by then. */
  readonly deadline?: number;
  /** Default `issue`, and `cancel` of a cancel. */
  readonly urgency?: Urgency;
}

/**
 * One kind of delegation token of one Hadoop cluster. Owned by the core and implemented in `hadoop/`.
 * Every method rejects with {@link TokenServiceError} and nothing else (but for an aborted signal).
 */
export interface TokenService {
  /** The kind its tokens carry, for example `HDFS_DELEGATION_TOKEN`. */
  readonly kind: string;
  /** What the caller gets is what the server said; `verifyIssuedToken` decides if it is what was asked. */
  issue(request: IssueRequest, options?: CallOptions): Promise<DelegationToken>;
  /** Returns the new expiry, ms since the epoch: min(maxDate, now + the server's renew interval). */
  renew(token: DelegationToken, options?: CallOptions): Promise<{ readonly expiresAt: bigint }>;
  /** Success also when the server no longer knows the token. */
  cancel(token: DelegationToken, options?: CallOptions): Promise<void>;
}

export type TokenServiceFailure =
  /** Standby or becoming active: another endpoint may answer. */
  | 'not-active'
  /** Refused connection, time-out, 5xx, broken reply: nothing is known about the request. */
  | 'unreachable'
  /** The active server is in safe mode: the same cluster, later. */
  | 'safe-mode'
  /** A queue of ours before the server is full, or the time in it was up: nobody was asked. */
  | 'overloaded'
  /** The server understood and said no: proxy-user rules, wrong renewer, unknown user. */
  | 'denied'
  /** The server does not accept this token (any more). */
  | 'invalid-token'
  /** Kerberos or cookie trouble between us and the server: keytab, clock, SPN, replay. */
  | 'authentication'
  /** Our request was malformed in the server's eyes: a bug or an incompatible server. */
  | 'bad-request'
  /** The server answered with something other than what was asked: never handed out. */
  | 'wrong-token';

/**
 * What a token service rejects with. The message is for the operator; it holds no token, cookie or header.
 */
export class TokenServiceError extends Error {
  override readonly name = 'TokenServiceError';
  readonly failure: TokenServiceFailure;
  /** `scheme://host:port` of the server that said so, if one did. */
  readonly endpoint: string | undefined;
  /** Simple Java class name of the server's exception, if it named one. */
  readonly exception: string | undefined;
  /** What the operator can do about it, if that is known. */
  readonly fix: string | undefined;
  /** What could not be asked, where that is not Hadoop: with `unreachable`, the KDC or our own Kerberos client. */
  readonly dependency: 'kerberos' | undefined;
  /** The request must not be repeated at once: the server may have done what it was asked, and would do it again. */
  readonly mayHaveActed: boolean;

  constructor(
    failure: TokenServiceFailure,
    message: string,
    details: {
      endpoint?: string;
      exception?: string;
      fix?: string;
      dependency?: 'kerberos';
      mayHaveActed?: boolean;
      cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.failure = failure;
    this.endpoint = details.endpoint;
    this.exception = details.exception;
    this.fix = details.fix;
    this.dependency = details.dependency;
    this.mayHaveActed = details.mayHaveActed ?? false;
  }
}
