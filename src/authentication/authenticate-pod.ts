import { BoundedWeakMap } from '../concurrency/bounded-weak-map.ts';
import type { Secret } from '../observability/secret.ts';
import type { Clock } from '../time/clock.ts';
import type { AuthenticateOptions, AuthenticatePod, AuthenticationResult } from './authentication-result.ts';
import { parseBearerToken } from './bearer-token.ts';
import { type BoundPodClaim, type BoundPodClaimResult, readBoundPodClaim } from './bound-pod-claim.ts';
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

/**
 * A yes of the API server that is still believed, with the claims of the token: each time the same object. A no is never
 * recalled.
 */
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
 * (TokenReview), whether that word is about this token, and then the pod. Each step can only refuse or go on; who is
 * known from memory passes through the same ones as who is not, and without waiting for anybody.
 *
 * The returned pod is the live object's; nothing in it is taken from the caller. A Kubernetes API that can't be asked
 * gives `could-not-check`, never an answer. An aborted signal rejects with its reason.
 */
export function createPodAuthenticator(options: PodAuthenticatorOptions): AuthenticatePod {
  // An empty question means "the API server's own audience": every mounted default token would pass.
  if (options.audience === '')
    throw new RangeError('audience is empty: name the audience that callers request their tokens for');
  const { recallReview, checkSourceAddress } = options;
  const steps = new AuthenticationSteps(options);

  return ({ authorization, sourceAddress }, callOptions = NO_OPTIONS) => {
    const bearer = parseBearerToken(authorization);
    if (bearer.outcome === 'refused') return { outcome: 'refused', reason: bearer.reason };
    // check: source-address-known
    if (checkSourceAddress && sourceAddress === undefined)
      return { outcome: 'refused', reason: 'source-address-unknown' };

    const { serviceAccountToken } = bearer;
    const call: Call = { ...callOptions, serviceAccountToken, sourceAddress };
    const recalled = recallReview(serviceAccountToken);
    return recalled === undefined ? steps.filter(call) : steps.goOn(call, recalled, recalled);
  };
}

const NO_OPTIONS: AuthenticateOptions = {};
/** Pods whose yes is remembered, and with it what others find out about them (stamp, log line): some 1 KB each. */
const MAX_YESES = 16_384;

/** One caller, on the way through the steps. */
interface Call extends AuthenticateOptions {
  readonly serviceAccountToken: Secret<string>;
  readonly sourceAddress: string | undefined;
}

type Recalled = NonNullable<ReturnType<RecallReview>>;
/** What is known of a token before the API server has spoken; its signature is not checked where `why` says why. */
type Filtered = Pick<Exclude<TokenFilterResult, { readonly outcome: 'refused' }>, 'claims'> & {
  readonly why?: UnprovenReason;
};
/** At once, or when somebody has been asked. */
type Result = AuthenticationResult | Promise<AuthenticationResult>;

class AuthenticationSteps {
  readonly #options: PodAuthenticatorOptions;
  /** What a yes in memory says about its token is the same each time. */
  readonly #claimsRead = new WeakMap<Recalled, BoundPodClaimResult>();
  /** The yes to a pod in memory: it says what is in the pod and nothing else, so it is the same one for all its tokens. */
  readonly #yeses = new BoundedWeakMap<PodView, AuthenticationResult>(MAX_YESES);

  constructor(options: PodAuthenticatorOptions) {
    this.#options = options;
  }

  /** For a token of which nothing is in memory. */
  async filter(call: Call): Promise<AuthenticationResult> {
    const { filterServiceAccountToken, unprovenTokens } = this.#options;
    // check: authentications-limit
    if (!isAdmitted(call)) return { outcome: 'limited', limit: 'authentications' };
    const filtered = await filterServiceAccountToken(call.serviceAccountToken, waitOptions(call));
    // check: token-filter
    if (filtered.outcome === 'refused') return filtered;
    // check: unproven-token-limit
    if (filtered.outcome === 'unproven' && !unprovenTokens[filtered.why].take())
      return { outcome: 'could-not-check', dependency: 'unknown-signing-keys' };
    return await this.goOn(call, filtered, undefined);
  }

  /** @param recalled the API server's yes, if it is in memory: then the claims are those of its token */
  goOn(call: Call, filtered: Filtered, recalled: Recalled | undefined): Result {
    // Only a signature proves the pod before the API server does: else anybody could use up another one's places.
    const { namespace, pod } = filtered.claims;
    const limit = filtered.why === undefined ? call.admitPod?.({ namespace, uid: pod.uid }) : undefined;
    // check: pod-admitted
    if (limit !== undefined) return { outcome: 'limited', limit, namespace };
    if (recalled === undefined) return this.#review(call, filtered);
    try {
      return this.#judge(call, filtered, this.#readRecalled(recalled));
    } catch (cause) {
      return this.#fail(cause, call);
    }
  }

  /** By a promise, which may reject. */
  async #fail(cause: unknown, call: Call): Promise<AuthenticationResult> {
    return await Promise.resolve(couldNotCheck(cause, call));
  }

  async #review(call: Call, filtered: Filtered): Promise<AuthenticationResult> {
    const { reviewBoundToken, audience } = this.#options;
    try {
      const review = await reviewBoundToken(call.serviceAccountToken, filtered.claims, waitOptions(call));
      return await this.#judge(call, filtered, readBoundPodClaim(review, filtered.claims, audience));
    } catch (cause) {
      return couldNotCheck(cause, call);
    }
  }

  #readRecalled(recalled: Recalled): BoundPodClaimResult {
    let read = this.#claimsRead.get(recalled);
    if (read === undefined) {
      read = readBoundPodClaim(recalled.review, recalled.claims, this.#options.audience);
      this.#claimsRead.set(recalled, read);
    }
    return read;
  }

  #judge(call: Call, filtered: Filtered, read: BoundPodClaimResult): Result {
    if (read.outcome === 'refused') return read;
    const { claim } = read;
    // Without the API server's keys every token comes here unproven, and the limit holds all the same.
    const lateLimit =
      filtered.why === undefined
        ? undefined
        : call.admitPod?.({ namespace: claim.namespace, uid: claim.podUid });
    // check: pod-admitted-late
    if (lateLimit !== undefined) return { outcome: 'limited', limit: lateLimit, namespace: claim.namespace };

    // The reflector may allow; it may be behind, so a no comes from the API server itself.
    const known = this.#options.lookUpPod(claim.namespace, claim.podName);
    const verdict = known === undefined ? undefined : this.#judgePod(call, claim, known);
    if (known === undefined || verdict?.outcome !== 'authenticated') return this.#judgeLive(call, claim);
    const before = this.#yeses.get(known);
    if (before !== undefined) return before;
    this.#yeses.set(known, verdict);
    return verdict;
  }

  async #judgeLive(call: Call, claim: BoundPodClaim): Promise<AuthenticationResult> {
    // check: authentications-limit-live
    if (!isAdmitted(call)) return { outcome: 'limited', limit: 'authentications' };
    try {
      const live = await this.#options.getPod(claim.namespace, claim.podName, waitOptions(call));
      return this.#judgePod(call, claim, live);
    } catch (cause) {
      return couldNotCheck(cause, call);
    }
  }

  #judgePod(call: Call, claim: BoundPodClaim, pod: PodView | undefined): AuthenticationResult {
    const { clock, checkSourceAddress } = this.#options;
    return judgePod(pod, claim, {
      now: clock.now(),
      sourceAddress: checkSourceAddress ? call.sourceAddress : undefined,
    });
  }
}

const isAdmitted = ({ admitCheck }: Call): boolean => admitCheck?.() !== false;

const waitOptions = ({ signal }: Call): { readonly signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };

function couldNotCheck(cause: unknown, { signal }: Call): AuthenticationResult {
  signal?.throwIfAborted();
  const dependency = cause instanceof KubernetesQueueError ? 'kubernetes-api-queue' : 'kubernetes-api';
  return { outcome: 'could-not-check', dependency, cause };
}
