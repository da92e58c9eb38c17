/** The pod a caller proved to be: its live object as the API server has it, not what its token claims. */
export interface AuthenticatedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
  /** `creationTimestamp`: ms since the epoch. */
  readonly createdAt: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The pod that a token was made for, by the word of the API server: whether the caller is that pod is another question. */
export type BoundPod = Omit<AuthenticatedPod, 'annotations' | 'createdAt'>;

/** Which limit of what one namespace, or one pod, may have under way. */
export type PodLimit = 'namespace' | 'pod';

/** Why a caller is not authenticated: for the operator's log, never for the caller. */
export type AuthenticationRefusal =
  | 'no-bearer-token'
  | 'several-authorization-headers'
  | 'bearer-token-malformed'
  // What the token itself shows, seen before anybody is asked.
  | TokenRefusal
  // The API server's word on it.
  | 'service-account-token-invalid'
  | 'audience-not-returned'
  | 'not-a-service-account'
  | 'not-bound-to-a-pod'
  /** The API server speaks of another pod or account than the token that it was asked about. */
  | 'review-differs-from-token'
  // The pod.
  | 'pod-not-found'
  | 'pod-uid-differs'
  | 'pod-service-account-differs'
  | 'pod-finished'
  | 'pod-deleted'
  // Where the caller is.
  | 'source-address-unknown'
  | 'source-address-differs';

/** Why a service-account token is refused for what it says itself, or for its signature. */
export type TokenRefusal =
  /** No compact JWS of a JSON object, or claims of a wrong type. */
  | 'jwt-malformed'
  | 'jwt-algorithm-not-allowed'
  | 'jwt-signature-invalid'
  | 'jwt-issuer-differs'
  | 'jwt-audience-differs'
  /** More than one: another of them could show the token here. */
  | 'jwt-several-audiences'
  | 'jwt-without-expiry'
  | 'jwt-expired'
  | 'jwt-not-yet-valid'
  | 'jwt-lifetime-too-long'
  /** A service-account token, but of no pod. */
  | 'jwt-without-pod';

/** What kept us from checking. */
export type CouldNotCheckDependency =
  /** Could not be asked, or could not tell. */
  | 'kubernetes-api'
  /** A queue of ours before the Kubernetes API is full, or the time in it was up. */
  | 'kubernetes-api-queue'
  /** Too many tokens whose signature could not be checked here. */
  | 'unknown-signing-keys'
  /** The kubelet has not written the pod's address yet. */
  | 'pod-address';

/** The three outcomes: allowed, refused, could not check. Never a guess. `limited` is a refusal to check now. */
export type AuthenticationResult =
  | { readonly outcome: 'authenticated'; readonly pod: AuthenticatedPod }
  | {
      readonly outcome: 'refused';
      readonly reason: AuthenticationRefusal;
      readonly detail?: string;
      readonly pod?: BoundPod;
    }
  | {
      readonly outcome: 'could-not-check';
      readonly dependency: CouldNotCheckDependency;
      readonly cause?: unknown;
      readonly pod?: BoundPod;
    }
  | { readonly outcome: 'limited'; readonly limit: PodLimit; readonly namespace: string }
  /** As many callers are being checked as may. */
  | { readonly outcome: 'limited'; readonly limit: 'authentications' };

export interface Caller {
  /** Every `Authorization` header line of the request, as received. */
  readonly authorization: readonly string[];
  /** IP address (IPv4 in dotted form, also if it came mapped into IPv6); undefined if it can't be told. */
  readonly sourceAddress: string | undefined;
}

export interface AuthenticateOptions {
  readonly signal?: AbortSignal;
  /**
   * Asked before anything that may take time, so not for a caller who is known from memory: false gives `limited`.
   * May be asked twice. Whoever answers true keeps the place until `admitPod` has admitted its pod, or the authentication
   * has settled.
   */
  readonly admitCheck?: () => boolean;
  /**
   * Asked once it is proven which pod the token is of, by its signature before the API server is asked anything, else by
   * its answer. Gives the limit that keeps it out, or undefined: then the place is kept until the request ends.
   */
  readonly admitPod?: (pod: { readonly namespace: string; readonly uid: string }) => PodLimit | undefined;
}

/** At once where nobody has to be asked, by a promise where somebody has. Never throws. */
export type AuthenticatePod = (
  caller: Caller,
  options?: AuthenticateOptions,
) => AuthenticationResult | Promise<AuthenticationResult>;
