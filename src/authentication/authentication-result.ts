/** The pod a caller proved to be: its live object as the API server has it, not what its token claims. */
export interface AuthenticatedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Why a caller is not authenticated: for the operator's log, never for the caller. */
export type AuthenticationRefusal =
  | 'no-bearer-token'
  | 'several-authorization-headers'
  | 'bearer-token-malformed'
  | 'service-account-token-invalid'
  | 'audience-not-returned'
  | 'not-a-service-account'
  | 'not-bound-to-a-pod'
  | 'pod-not-found'
  | 'pod-uid-differs'
  | 'pod-service-account-differs'
  | 'pod-finished'
  | 'pod-deleted';

/** The three outcomes: allowed, refused, could not check. Never a guess. */
export type AuthenticationResult =
  | { readonly outcome: 'authenticated'; readonly pod: AuthenticatedPod }
  | { readonly outcome: 'refused'; readonly reason: AuthenticationRefusal; readonly detail?: string }
  | { readonly outcome: 'could-not-check'; readonly dependency: 'kubernetes-api'; readonly cause: unknown };

/** Takes every `Authorization` header line of the request, as received. */
export type AuthenticatePod = (
  authorization: readonly string[],
  options?: { readonly signal?: AbortSignal },
) => Promise<AuthenticationResult>;
