import type { Secret } from '../observability/secret.ts';
import type { GetPod, ReviewServiceAccountToken, ServiceAccountTokenReview } from './kubernetes-access.ts';
import type { TokenClaims } from './token-claims.ts';

/** Asks about a token whose claims have been read. Rejects as {@link ReviewServiceAccountToken} does. */
export type ReviewTokenOfPod = (
  serviceAccountToken: Secret<string>,
  audiences: readonly string[],
  options: { readonly claims: TokenClaims; readonly signal?: AbortSignal },
) => Promise<ServiceAccountTokenReview>;

/**
 * `pkg/serviceaccount/claims.go` in Kubernetes: said when the pod is gone, when it is past its deletionTimestamp by more
 * than a minute, and also when it could not be read, for whatever reason.
 */
const INVALIDATED = 'service account token has been invalidated';

export interface InvalidationCheckOptions {
  readonly reviewServiceAccountToken: ReviewServiceAccountToken;
  /** Live: a GET without a resourceVersion, which the API server answers from its storage and not from its own cache. */
  readonly getPod: GetPod;
}

/**
 * Tells "the pod is gone" from "the pod could not be read", for which an API server that is cut off from its storage has
 * the same words: it would refuse every pod.
 *
 * After such a no the pod itself is asked for. The answer, also that there is none, proves that the storage can be read;
 * without one this rejects: could not check. Where the pod is gone, or another has its name, the no stands. Where it is
 * there, the review is asked for once more, and that answer counts whatever it is: kube-apiserver keeps no refusals
 * (`TokenFailureCacheTTL` is 0), and it is still no for a pod that should have ended long ago.
 *
 * The pod is the one that the caller's token names. Nobody can have others read by that: these words come after the
 * signature was found good.
 */
export function createInvalidationCheck(options: InvalidationCheckOptions): ReviewTokenOfPod {
  const { reviewServiceAccountToken, getPod } = options;
  return async (serviceAccountToken, audiences, { claims, signal }) => {
    const callOptions = signal === undefined ? {} : { signal };
    const review = await reviewServiceAccountToken(serviceAccountToken, audiences, callOptions);
    if (review.authenticated || !review.error.includes(INVALIDATED)) return review;
    const pod = await getPod(claims.namespace, claims.pod.name, callOptions);
    if (pod?.uid !== claims.pod.uid) return review;
    return await reviewServiceAccountToken(serviceAccountToken, audiences, callOptions);
  };
}
