import type { Secret } from '../observability/secret.ts';
import type { Clock } from '../time/clock.ts';
import type { AuthenticatePod, AuthenticationResult } from './authentication-result.ts';
import { parseBearerToken } from './bearer-token.ts';
import { readBoundPodClaim } from './bound-pod-claim.ts';
import { judgePod } from './judge-pod.ts';
import {
  type GetPod,
  KubernetesQueueError,
  type LookUpPod,
  type PodView,
  type ServiceAccountTokenReview,
} from './kubernetes-access.ts';
import type {
  FilterServiceAccountToken,
  TokenClaims,
  TokenFilterResult,
  UnprovenReason,
} from './token-claims.ts';

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
  /** How many tokens whose signature can't be checked here may go on to the API server, by why it can't. */
  readonly unprovenTokens: Readonly<Record<UnprovenReason, { take(): boolean }>>;
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
  const { unprovenTokens, lookUpPod, getPod, checkSourceAddress, clock } = options;
  // An empty question means "the API server's own audience": every mounted default token would pass.
  if (audience === '')
    throw new RangeError('audience is empty: name the audience that callers request their tokens for');

  return async ({ authorization, sourceAddress }, { signal, admitCheck, admitPod } = {}) => {
    const callOptions = signal === undefined ? {} : { signal };
    const isAdmitted = (): boolean => admitCheck?.() !== false;

    const bearer = parseBearerToken(authorization);
    if (bearer.outcome === 'refused') return { outcome: 'refused', reason: bearer.reason };
    // check: source-address-known
    if (checkSourceAddress && sourceAddress === undefined)
      return { outcome: 'refused', reason: 'source-address-unknown' };

    const { serviceAccountToken } = bearer;
    const recalled = recallReview(serviceAccountToken);
    // check: authentications-limit
    if (recalled === undefined && !isAdmitted()) return { outcome: 'limited', limit: 'authentications' };
    const filtered: TokenFilterResult =
      recalled === undefined
        ? await filterServiceAccountToken(serviceAccountToken, callOptions)
        : { outcome: 'verified', claims: recalled.claims };
    // check: token-filter
    if (filtered.outcome === 'refused') return filtered;
    // check: unproven-token-limit
    if (filtered.outcome === 'unproven' && !unprovenTokens[filtered.why].take())
      return { outcome: 'could-not-check', dependency: 'unknown-signing-keys' };
    // Only a signature proves the pod before the API server does: else anybody could use up another one's places.
    const { namespace, pod } = filtered.claims;
    const limit = filtered.outcome === 'verified' ? admitPod?.({ namespace, uid: pod.uid }) : undefined;
    // check: pod-admitted
    if (limit !== undefined) return { outcome: 'limited', limit, namespace };

    try {
      const review =
        recalled?.review ?? (await reviewBoundToken(serviceAccountToken, filtered.claims, callOptions));
      const read = readBoundPodClaim(review, filtered.claims, audience);
      if (read.outcome === 'refused') return read;
      const { claim } = read;
      // Without the API server's keys every token comes here unproven, and the limit holds all the same.
      const lateLimit =
        filtered.outcome === 'unproven'
          ? admitPod?.({ namespace: claim.namespace, uid: claim.podUid })
          : undefined;
      // check: pod-admitted-late
      if (lateLimit !== undefined)
        return { outcome: 'limited', limit: lateLimit, namespace: claim.namespace };

      const judge = (view: PodView | undefined): AuthenticationResult =>
        judgePod(view, claim, {
          now: clock.now(),
          sourceAddress: checkSourceAddress ? sourceAddress : undefined,
        });
      // The reflector may allow; it may be behind, so a no comes from the API server itself.
      const known = lookUpPod(claim.namespace, claim.podName);
      const verdict = known === undefined ? undefined : judge(known);
      if (verdict?.outcome === 'authenticated') return verdict;
      // check: authentications-limit-live
      if (!isAdmitted()) return { outcome: 'limited', limit: 'authentications' };
      return judge(await getPod(claim.namespace, claim.podName, callOptions));
    } catch (cause) {
      signal?.throwIfAborted();
      const dependency = cause instanceof KubernetesQueueError ? 'kubernetes-api-queue' : 'kubernetes-api';
      return { outcome: 'could-not-check', dependency, cause };
    }
  };
}
