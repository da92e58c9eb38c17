import type { Secret } from '../observability/secret.ts';
import type { TokenRefusal } from './authentication-result.ts';

/**
 * What a pod-bound service-account token says of itself. Claims of Kubernetes' `pkg/serviceaccount/claims.go`; the
 * private ones are under `kubernetes.io`.
 */
export interface TokenClaims {
  /** `iss`. */
  readonly issuer: string;
  /** ms since the epoch. */
  readonly issuedAt: number;
  /** ms since the epoch. */
  readonly expiresAt: number;
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly pod: { readonly name: string; readonly uid: string };
}

/**
 * - `verified`: signed with a key that the API server publishes.
 * - `unproven`: everything fits but the signature can't be checked here. Only the API server can tell.
 */
export type TokenFilterResult =
  | { readonly outcome: 'verified'; readonly claims: TokenClaims }
  | {
      readonly outcome: 'unproven';
      readonly claims: TokenClaims;
      /** `unknown-key`: keys rotate, so the API server may know it; `keys-unavailable`: none could be had. */
      readonly why: 'unknown-key' | 'keys-unavailable';
    }
  | { readonly outcome: 'refused'; readonly reason: TokenRefusal; readonly detail?: string };

/**
 * The cheap look at a token before anybody is asked about it. A yes is never the last word: that is the API server's.
 * Never rejects but with the reason of an aborted signal.
 */
export type FilterServiceAccountToken = (
  serviceAccountToken: Secret<string>,
  options?: { readonly signal?: AbortSignal },
) => Promise<TokenFilterResult>;
