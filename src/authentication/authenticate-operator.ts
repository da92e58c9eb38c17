import type { TokenRefusal } from './authentication-result.ts';
import { parseBearerToken } from './bearer-token.ts';
import {
  KubernetesQueueError,
  type ReviewServiceAccountToken,
  type ServiceAccountTokenReview,
} from './kubernetes-access.ts';
import type { AnyTokenClaims, FilterServiceAccountToken } from './token-claims.ts';

/** Who a TokenReview says somebody is, whole: a decision about access may depend on any of it. */
export type ReviewedUser = Pick<
  Extract<ServiceAccountTokenReview, { readonly authenticated: true }>,
  'username' | 'uid' | 'groups' | 'extra'
>;

/** `resourceAttributes` of a SubjectAccessReview, in all namespaces. */
export interface ResourceAccess {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
}

export type AccessReview = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/** Asks the API server's authorizers. Rejects when it could not be asked or did not decide; a "no" is a value. */
export type ReviewAccess = (
  user: ReviewedUser,
  access: ResourceAccess,
  options?: { readonly signal?: AbortSignal },
) => Promise<AccessReview>;

/** Why nobody is known to be asking: for the operator's log, never for the caller. */
export type OperatorAuthenticationRefusal =
  | 'no-bearer-token'
  | 'several-authorization-headers'
  | 'bearer-token-malformed'
  // What the token itself shows, seen before anybody is asked.
  | TokenRefusal
  | 'service-account-token-invalid'
  | 'audience-not-returned';

export type OperatorResult =
  | { readonly outcome: 'authorized'; readonly operator: string }
  | {
      readonly outcome: 'not-authenticated';
      readonly reason: OperatorAuthenticationRefusal;
      readonly detail?: string;
    }
  /** Known, but without the right. */
  | { readonly outcome: 'not-authorized'; readonly operator: string; readonly detail: string }
  | {
      readonly outcome: 'could-not-check';
      readonly dependency: 'kubernetes-api' | 'kubernetes-api-queue' | 'unknown-signing-keys';
      readonly cause?: unknown;
    }
  /** As many operators are being checked as may. */
  | { readonly outcome: 'overloaded' };

export interface AuthenticateOperatorOptions {
  readonly signal?: AbortSignal;
  /**
   * Asked before the API server is: false gives `overloaded`. Whoever answers true keeps the place until the
   * authentication has settled.
   */
  readonly admitCheck?: () => boolean;
}

/**
 * `authorization`: every `Authorization` header line of the request, as received. Rejects only with the reason of an
 * aborted signal.
 */
export type AuthenticateOperator = (
  authorization: readonly string[],
  options?: AuthenticateOperatorOptions,
) => Promise<OperatorResult>;

export interface OperatorAuthenticatorOptions {
  readonly filterServiceAccountToken: FilterServiceAccountToken<AnyTokenClaims>;
  /** How many tokens whose signature can't be checked here may go on to the API server. */
  readonly unprovenTokens: { take(): boolean };
  readonly reviewServiceAccountToken: ReviewServiceAccountToken;
  readonly reviewAccess: ReviewAccess;
  /** Another one than that of pods: what a pod shows us for its credentials must not open this door. */
  readonly audience: string;
  readonly access: ResourceAccess;
}

/**
 * Finds out whether the caller may ask what only operators may: after a look at the token itself, the API server says who
 * it is (TokenReview with our audience) and whether RBAC, or whatever authorizes there, gives that user the right (SubjectAccessReview).
 */
export function createOperatorAuthenticator(options: OperatorAuthenticatorOptions): AuthenticateOperator {
  const { filterServiceAccountToken, unprovenTokens, reviewServiceAccountToken, reviewAccess } = options;
  const { audience, access } = options;
  if (audience === '') throw new RangeError('audience is empty: the API server would take its own');

  return async (authorization, { signal, admitCheck } = {}) => {
    const callOptions = signal === undefined ? {} : { signal };
    const bearer = parseBearerToken(authorization);
    // check: operator-bearer-token
    if (bearer.outcome === 'refused') return { outcome: 'not-authenticated', reason: bearer.reason };

    const filtered = await filterServiceAccountToken(bearer.serviceAccountToken, callOptions);
    // Anybody can send garbage: it must cost the API server nothing, nor operators their places.
    // check: operator-token-filter
    if (filtered.outcome === 'refused') return notAuthenticated(filtered.reason, filtered.detail);
    // check: operator-unproven-token-limit
    if (filtered.outcome === 'unproven' && !unprovenTokens.take())
      return { outcome: 'could-not-check', dependency: 'unknown-signing-keys' };
    // check: operator-authentications-limit
    if (admitCheck?.() === false) return { outcome: 'overloaded' };

    try {
      const review = await reviewServiceAccountToken(bearer.serviceAccountToken, [audience], callOptions);
      // check: operator-token-accepted
      if (!review.authenticated) return notAuthenticated('service-account-token-invalid', review.error);
      // An API server (or a webhook behind it) that ignores audiences says yes to everybody's tokens.
      // check: operator-audience-returned
      if (!review.audiences.includes(audience)) {
        return notAuthenticated('audience-not-returned', review.username);
      }
      const { username, uid, groups, extra } = review;
      const decision = await reviewAccess({ username, uid, groups, extra }, access, callOptions);
      // check: operator-may-list-tokens
      if (!decision.allowed) {
        return { outcome: 'not-authorized', operator: username, detail: decision.reason };
      }
      return { outcome: 'authorized', operator: username };
    } catch (cause) {
      signal?.throwIfAborted();
      const dependency = cause instanceof KubernetesQueueError ? 'kubernetes-api-queue' : 'kubernetes-api';
      return { outcome: 'could-not-check', dependency, cause };
    }
  };
}

function notAuthenticated(reason: OperatorAuthenticationRefusal, detail: string | undefined): OperatorResult {
  return { outcome: 'not-authenticated', reason, ...(detail === undefined ? {} : { detail }) };
}
