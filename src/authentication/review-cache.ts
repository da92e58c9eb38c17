import { SingleFlight } from '../concurrency/single-flight.ts';
import type { Secret } from '../observability/secret.ts';
import type { RecallReview, ReviewBoundToken } from './authenticate-pod.ts';
import { POD_UID_EXTRA } from './bound-pod-claim.ts';
import type { ReviewTokenOfPod } from './confirm-invalidated.ts';
import { ExpiringMap } from './expiring-map.ts';
import type { ServiceAccountTokenReview } from './kubernetes-access.ts';
import { type QueuedCallOptions, runQueued } from './queued-call.ts';
import { createReviewKey } from './review-key.ts';
import type { TokenClaims } from './token-claims.ts';

/** How long a yes is believed: as long as kube-apiserver itself does (`TokenSuccessCacheTTL`). */
export const SUCCESS_TTL_MS = 10_000;
export const FAILURE_TTL_MS = 5_000;

/** The queue is the one before the API server, and its limits are for a review with all that belongs to it. */
export interface ReviewCacheOptions extends QueuedCallOptions {
  readonly reviewServiceAccountToken: ReviewTokenOfPod;
  /** Ours, the only one that is asked for. */
  readonly audience: string;
  readonly successTtlMs?: number;
  readonly failureTtlMs?: number;
  readonly maxEntries: number;
  readonly maxFailures: number;
  /** Answered from memory, by a review that was under way already, or by a new one. */
  readonly onLookUp?: (result: 'hit' | 'miss' | 'shared') => void;
}

export interface ReviewCache {
  /**
   * The API server's word, some seconds old at most, and never kept beyond the token's own expiry. Concurrent calls for
   * one token share a review, which no caller's signal ends. Rejects with KubernetesQueueError, with what the review
   * rejects with (could not check), or with the reason of the caller's own signal.
   */
  readonly review: ReviewBoundToken;
  /**
   * A yes that is in memory, and the claims it was given for: nothing has to be asked, and no signature checked again.
   */
  readonly recall: RecallReview;
  /** The pod has gone: forgets the API server's yes to its tokens, also the one that is just on its way. */
  readonly forgetPod: (podUid: string) => void;
  /** Answers in memory. */
  readonly size: number;
}

/**
 * TokenReviews, so that a pod which asks again costs the API server nothing. Only answers are kept, never that there was
 * none. Each no is kept apart from the yeses: anybody can send any amount of garbage, and that pushes out nothing but
 * other garbage.
 */
export function createReviewCache(options: ReviewCacheOptions): ReviewCache {
  const { audience, clock, onLookUp = () => {} } = options;
  const { successTtlMs = SUCCESS_TTL_MS, failureTtlMs = FAILURE_TTL_MS } = options;
  const keyOf = createReviewKey();
  const flights = new SingleFlight<string, ServiceAccountTokenReview>();
  const forgetters = new Forgetters();
  const successes = new ExpiringMap<string, Success>({
    clock,
    maxEntries: options.maxEntries,
    onLeave: (_, { podUid, forget }) => {
      forgetters.delete(podUid, forget);
    },
  });
  const failures = new ExpiringMap<string, ServiceAccountTokenReview>({
    clock,
    maxEntries: options.maxFailures,
  });

  const ask = (serviceAccountToken: Secret<string>, claims: TokenClaims) =>
    runQueued(
      { name: 'TokenReview', namespace: claims.namespace },
      (signal) => options.reviewServiceAccountToken(serviceAccountToken, [audience], { claims, signal }),
      options,
    );

  /** Belongs to no caller. */
  const fly = async (
    key: string,
    serviceAccountToken: Secret<string>,
    claims: TokenClaims,
  ): Promise<ServiceAccountTokenReview> => {
    const podUid = claims.pod.uid;
    let isForgotten = false;
    const forget = (): void => {
      isForgotten = true;
      successes.delete(key);
    };
    forgetters.add(podUid, forget);
    try {
      const review = await ask(serviceAccountToken, claims);
      if (!review.authenticated) {
        failures.set(key, review, failureTtlMs);
      } else if (!isForgotten && isOfPod(review, podUid)) {
        const lifetimeMs = Math.min(successTtlMs, claims.expiresAt - clock.now());
        successes.set(key, { recalled: { review, claims }, podUid, forget }, lifetimeMs);
      }
      return review;
    } finally {
      if (successes.get(key)?.forget !== forget) forgetters.delete(podUid, forget);
    }
  };

  return {
    recall: (serviceAccountToken) => {
      const known = successes.get(keyOf(audience, serviceAccountToken));
      if (known === undefined) return undefined;
      onLookUp('hit');
      return known.recalled;
    },
    review: async (serviceAccountToken, claims, { signal }) => {
      signal?.throwIfAborted();
      const key = keyOf(audience, serviceAccountToken);
      const known = successes.get(key)?.recalled.review ?? failures.get(key);
      if (known !== undefined) {
        onLookUp('hit');
        return known;
      }
      let result: 'miss' | 'shared' = 'shared';
      const start = (): Promise<ServiceAccountTokenReview> => {
        result = 'miss';
        return fly(key, serviceAccountToken, claims);
      };
      const flight = flights.run(key, start, signal === undefined ? {} : { signal });
      onLookUp(result);
      return await flight;
    },
    forgetPod: (podUid) => {
      forgetters.run(podUid);
    },
    get size() {
      return successes.size + failures.size;
    },
  };
}

interface Success {
  readonly recalled: NonNullable<ReturnType<RecallReview>>;
  readonly podUid: string;
  readonly forget: () => void;
}

/** What to do when a pod goes. */
class Forgetters {
  readonly #byPod = new Map<string, Set<() => void>>();

  add(podUid: string, forget: () => void): void {
    const ofPod = this.#byPod.get(podUid);
    if (ofPod === undefined) this.#byPod.set(podUid, new Set([forget]));
    else ofPod.add(forget);
  }

  delete(podUid: string, forget: () => void): void {
    const ofPod = this.#byPod.get(podUid);
    ofPod?.delete(forget);
    if (ofPod?.size === 0) this.#byPod.delete(podUid);
  }

  run(podUid: string): void {
    for (const forget of this.#byPod.get(podUid) ?? []) forget();
  }
}

/** An answer about another pod than the token's is refused by whoever asked; it is not worth keeping. */
function isOfPod(review: ServiceAccountTokenReview & { authenticated: true }, podUid: string): boolean {
  const uids = Object.hasOwn(review.extra, POD_UID_EXTRA) ? review.extra[POD_UID_EXTRA] : undefined;
  return uids?.length === 1 && uids[0] === podUid;
}
