import type { AuthenticationRefusal } from './authentication-result.ts';
import type { ServiceAccountTokenReview } from './kubernetes-access.ts';
import { DNS_SUBDOMAIN, parseServiceAccountName } from './service-account-name.ts';
import type { TokenClaims } from './token-claims.ts';

/** Set by the API server for a token that is bound to a pod (KEP-1205, `pkg/serviceaccount` in Kubernetes). */
export const POD_NAME_EXTRA = 'authentication.kubernetes.io/pod-name';
export const POD_UID_EXTRA = 'authentication.kubernetes.io/pod-uid';

/** Which pod a reviewed token was made for, by the word of the API server. */
export interface BoundPodClaim {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podName: string;
  readonly podUid: string;
}

export type BoundPodClaimResult =
  | { readonly outcome: 'claimed'; readonly claim: BoundPodClaim }
  | { readonly outcome: 'refused'; readonly reason: AuthenticationRefusal; readonly detail?: string };

/**
 * What the API server's answer says about the token whose claims are `claims`. Nothing is taken from the claims: they
 * must only fit, because an answer about another token would be another pod's.
 */
export function readBoundPodClaim(
  review: ServiceAccountTokenReview,
  claims: TokenClaims,
  audience: string,
): BoundPodClaimResult {
  // check: review-authenticated
  if (!review.authenticated) return refused('service-account-token-invalid', review.error);

  // An API server (or a webhook behind it) that ignores audiences says yes to everybody's tokens.
  // check: review-audience
  if (!review.audiences.includes(audience)) return refused('audience-not-returned');

  const account = parseServiceAccountName(review.username);
  // check: review-service-account
  if (account === undefined) return refused('not-a-service-account', review.username);

  const podName = onlyValue(review, POD_NAME_EXTRA);
  // check: review-pod-name
  if (podName === undefined || !DNS_SUBDOMAIN.test(podName))
    return refused('not-bound-to-a-pod', POD_NAME_EXTRA);
  const podUid = onlyValue(review, POD_UID_EXTRA);
  // check: review-pod-uid
  if (podUid === undefined) return refused('not-bound-to-a-pod', POD_UID_EXTRA);

  // check: review-same-account
  if (account.namespace !== claims.namespace || account.name !== claims.serviceAccount.name)
    return refused('review-differs-from-token', `account ${account.namespace}/${account.name}`);
  // An account that was made anew under its name is another one.
  // check: review-same-account-uid
  if (review.uid !== claims.serviceAccount.uid)
    return refused('review-differs-from-token', `account UID ${review.uid}`);
  // check: review-same-pod
  if (podName !== claims.pod.name || podUid !== claims.pod.uid)
    return refused('review-differs-from-token', `pod ${podName}, UID ${podUid}`);

  const claim = { namespace: account.namespace, serviceAccount: account.name, podName, podUid };
  return { outcome: 'claimed', claim };
}

function onlyValue(
  review: ServiceAccountTokenReview & { authenticated: true },
  key: string,
): string | undefined {
  const values = Object.hasOwn(review.extra, key) ? review.extra[key] : undefined;
  return values?.length === 1 && values[0] !== '' ? values[0] : undefined;
}

function refused(reason: AuthenticationRefusal, detail?: string): BoundPodClaimResult {
  return detail === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, detail };
}
