import type { Secret } from '../observability/secret.ts';
import type { TokenRefusal } from './authentication-result.ts';

/** What every service-account token says of itself, bound to a pod or not. Times are ms since the epoch. */
export interface AnyTokenClaims {
  /** `iss`. */
  readonly issuer: string;
  /** `sub`. */
  readonly subject: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/**
 * What a pod-bound service-account token says of itself. Claims of Kubernetes' `pkg/serviceaccount/claims.go`; the
 * private ones are under `kubernetes.io`.
 */
export interface TokenClaims extends Omit<AnyTokenClaims, 'subject'> {
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly pod: { readonly name: string; readonly uid: string };
}

/** `unknown-key`: keys rotate, so the API server may know it; `keys-unavailable`: none could be had. */
export type UnprovenReason = 'unknown-key' | 'keys-unavailable';

/**
 * - `verified`: signed with a key that the API server publishes.
 * - `unproven`: everything fits but the signature can't be checked here. Only the API server can tell.
 */
export type TokenFilterResult<Claims = TokenClaims> =
  | { readonly outcome: 'verified'; readonly claims: Claims }
  | { readonly outcome: 'unproven'; readonly claims: Claims; readonly why: UnprovenReason }
  | { readonly outcome: 'refused'; readonly reason: TokenRefusal; readonly detail?: string };

/**
 * The cheap look at a token before anybody is asked about it. A yes is never the last word: that is the API server's.
 * Never rejects but with the reason of an aborted signal.
 */
export type FilterServiceAccountToken<Claims = TokenClaims> = (
  serviceAccountToken: Secret<string>,
  options?: { readonly signal?: AbortSignal },
) => Promise<TokenFilterResult<Claims>>;
