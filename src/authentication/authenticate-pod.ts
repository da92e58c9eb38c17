import type { Secret } from '../observability/secret.ts';
import type { Clock } from '../time/clock.ts';
import type { AuthenticatePod, AuthenticationResult } from './authentication-result.ts';
import { parseBearerToken } from './bearer-token.ts';
import { type BoundPodClaim, readBoundPodClaim } from './bound-pod-claim.ts';
import { judgePod } from './judge-pod.ts';
import {
  type GetPod,
  KubernetesQueueError,
  type LookUpPod,
  type PodView,
  type ServiceAccountTokenReview,
} from './kubernetes-access.ts';
import type { FilterServiceAccountToken, TokenClaims, TokenFilterResult } from './token-claims.ts';

/** The API server's word on a token whose claims we have read, from the cache or fresh. See `createReviewCache`. */
export type ReviewBoundToken = (
  serviceAccountToken: Secret<string>,
  claims: TokenClaims,
  options: { readonly signal?: AbortSignal },
) => Promise<ServiceAccountTokenReview>;

/** A yes of the API server that is still believed, with the claims of the token. A no is never recalled. */
export type RecallReview = (
  serviceAccountToken: Secret<string>,
) => { readonly review: ServiceAccountTokenReview; readonly claims: TokenClaims } | undefined;

export interface PodAuthenticatorOptions {
  readonly recallReview: RecallReview;
  readonly filterServiceAccountToken: FilterServiceAccountToken;
  readonly reviewBoundToken: ReviewBoundToken;
  readonly lookUpPod: LookUpPod;
  readonly getPod: GetPod;
  /** Ours. A token for any other audience was meant for somebody else, who could replay it here. */
  readonly audience: string;
  /** How many tokens with a key that nobody published may go on to the API server. */
  readonly unknownKeys: { take(): boolean };
  /** Compare where a request comes from with the pod's addresses. */
  readonly checkSourceAddress: boolean;
  /** Should be in step with the API server's: `deletionTimestamp` is compared with it. */
  readonly clock: Clock;
}

/**
 * Finds out which live pod is calling. Top down: the bearer token, what it shows by itself, the API server's word on it
 * (TokenReview), whether that word is about this token, and then the pod.
 *
 * The returned pod is the live object's; nothing in it is taken from the caller. A Kubernetes API that can't be asked
 * gives `could-not-check`, never an answer. An aborted signal rejects with its reason.
 */
export function createPodAuthenticator(options: PodAuthenticatorOptions): AuthenticatePod {
  const { recallReview, filterServiceAccountToken, reviewBoundToken, audience } = options;
  const { unknownKeys, checkSourceAddress } = options;
  // An empty question means "the API server's own audience": every mounted default token would pass.
  if (audience === '')
    throw new RangeError('audience is empty: name the audience that callers request their tokens for');

  return async ({ authorization, sourceAddress }, { signal, admitNamespace } = {}) => {
    const callOptions = signal === undefined ? {} : { signal };

    const bearer = parseBearerToken(authorization);
    if (bearer.outcome === 'refused') return { outcome: 'refused', reason: bearer.reason };
    // check: source-address-known
    if (checkSourceAddress && sourceAddress === undefined)
      return { outcome: 'refused', reason: 'source-address-unknown' };

    const { serviceAccountToken } = bearer;
    const recalled = recallReview(serviceAccountToken);
    const filtered: TokenFilterResult =
      recalled === undefined
        ? await filterServiceAccountToken(serviceAccountToken, callOptions)
        : { outcome: 'verified', claims: recalled.claims };
    // check: token-filter
    if (filtered.outcome === 'refused') return filtered;
    // check: unknown-key-limit
    if (filtered.outcome === 'unproven' && filtered.why === 'unknown-key' && !unknownKeys.take())
      return { outcome: 'could-not-check', dependency: 'unknown-signing-keys' };
    // Only a signature proves the namespace: else anybody could use up another one's places.
    // check: namespace-admitted
    if (filtered.outcome === 'verified' && admitNamespace?.(filtered.claims.namespace) === false)
      return { outcome: 'limited', limit: 'namespace', namespace: filtered.claims.namespace };

    try {
      const review =
        recalled?.review ?? (await reviewBoundToken(serviceAccountToken, filtered.claims, callOptions));
      const read = readBoundPodClaim(review, filtered.claims, audience);
      if (read.outcome === 'refused') return read;
      return await findPod(read.claim, checkSourceAddress ? sourceAddress : undefined, callOptions);
    } catch (cause) {
      signal?.throwIfAborted();
      const dependency = cause instanceof KubernetesQueueError ? 'kubernetes-api-queue' : 'kubernetes-api';
      return { outcome: 'could-not-check', dependency, cause };
    }
  };

  /** The reflector may allow; it may be behind, so a no comes from the API server itself. */
  async function findPod(
    claim: BoundPodClaim,
    sourceAddress: string | undefined,
    callOptions: { readonly signal?: AbortSignal },
  ): Promise<AuthenticationResult> {
    const { lookUpPod, getPod, clock } = options;
    const judge = (pod: PodView | undefined): AuthenticationResult =>
      judgePod(pod, claim, { now: clock.now(), sourceAddress });
    const known = lookUpPod(claim.namespace, claim.podName);
    if (known !== undefined) {
      const verdict = judge(known);
      if (verdict.outcome === 'authenticated') return verdict;
    }
    return judge(await getPod(claim.namespace, claim.podName, callOptions));
  }
}
