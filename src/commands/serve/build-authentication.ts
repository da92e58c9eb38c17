import {
  type AuthenticateOperator,
  createOperatorAuthenticator,
} from '../../authentication/authenticate-operator.ts';
import { createPodAuthenticator } from '../../authentication/authenticate-pod.ts';
import type { AuthenticatePod } from '../../authentication/authentication-result.ts';
import { createInvalidationCheck } from '../../authentication/confirm-invalidated.ts';
import { createReviewCache } from '../../authentication/review-cache.ts';
import { SigningKeys } from '../../authentication/signing-keys.ts';
import { createOperatorTokenFilter, createTokenFilter } from '../../authentication/token-filter.ts';
import { BoundedQueue } from '../../concurrency/bounded-queue.ts';
import { TokenBucket } from '../../concurrency/token-bucket.ts';
import type { ServeConfig } from '../../config/serve-config.ts';
import type { Dependency } from '../../http-api/readiness.ts';
import { LIST_TOKENS } from '../../http-api/tokens-route.ts';
import { POD_STAMP_ANNOTATION } from '../../identity/stamps/stamp-annotations.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { PodReflector } from '../../kubernetes/pod-reflector/pod-reflector.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';
import { createPodReflectorLog, createSigningKeysLog } from './log-kubernetes-events.ts';
import {
  countGets,
  countLookUps,
  countTurnedAway,
  measureReviews,
  observeQueue,
} from './measure-kubernetes.ts';
import { queueGetPod } from './queue-get-pod.ts';
import { queueReview } from './queue-review.ts';

/**
 * TokenReviews under way and waiting. 300 at 16 at once took 340 ms on a small API server. Nearly all that wait have shown
 * a good signature, so they are pods that start, by the thousand with a large job: the queue has to hold them, and leaves
 * room in the server for who is known already.
 */
const REVIEW_QUEUE = { inFlight: 16, waiting: 5_000 };
/**
 * For the turn to come, as long as others are answered. Were it shorter, those in the rear of a large job would come back
 * to wait again.
 */
const LONGEST_REVIEW_WAIT_MS = 30_000;
/** Pods that the reflector doesn't know, so few. */
const POD_QUEUE = { inFlight: 8, waiting: 500 };
/**
 * Tokens that only the API server can judge, which anybody can make up. Those with a key that it doesn't publish are
 * few, as keys rotate seldom. While its keys can't be had, everybody's are among them.
 */
const UNPROVEN_TOKENS = {
  'unknown-key': { ratePerSecond: 5, burst: 20 },
  'keys-unavailable': { ratePerSecond: 50, burst: 100 },
};
/** The same of operators, whatever the reason. */
const UNPROVEN_OPERATOR_TOKENS = { ratePerSecond: 1, burst: 5 };
/** `kubectl create token` makes one for an hour unless it is told otherwise. */
const MAX_OPERATOR_TOKEN_LIFETIME_MS = 24 * 3600 * 1000;
/** Answers kept, some 3 KB each, for 10 s at most. */
const REVIEW_CACHE = { maxEntries: 10_000, maxFailures: 2_000 };

export interface AuthenticationParts {
  readonly authenticatePod: AuthenticatePod;
  readonly authenticateOperator: AuthenticateOperator;
  readonly dependencies: readonly Dependency[];
  /** As the reflector has them. */
  readonly pods: Pick<PodReflector, 'list' | 'state'>;
  /** Reads keys and pods from now on. */
  readonly start: () => void;
  readonly stop: () => Promise<void>;
}

export interface BuildAuthenticationOptions {
  readonly config: Pick<ServeConfig, 'kubernetes' | 'limits' | 'identity'>;
  readonly kubernetes: Pick<
    KubernetesApi,
    | 'reviewServiceAccountToken'
    | 'getPod'
    | 'readServiceAccountIssuer'
    | 'createPodReflector'
    | 'reviewAccess'
    | 'checkReady'
  >;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** How long the API server's yes is believed; default that of the review cache. For measurements. */
  readonly reviewLifetimeMs?: number;
}

/** Puts the chain together that finds out who calls. */
export function buildAuthentication(options: BuildAuthenticationOptions): AuthenticationParts {
  const { config, kubernetes, metrics, logger, clock, random } = options;
  const { audience, adminAudience, issuers, maxTokenLifetimeMs, podSelector, checkSourceAddress } =
    config.kubernetes;
  const callTimeoutMs = config.limits.kubernetesCallTimeoutMs;

  const reviewServiceAccountToken = measureReviews(kubernetes.reviewServiceAccountToken, { metrics, clock });
  const reviewQueue = observeQueue('token-review', new BoundedQueue({ clock, ...REVIEW_QUEUE }), metrics);
  const podQueue = observeQueue('pod', new BoundedQueue({ clock, ...POD_QUEUE }), metrics);
  const getLivePod = countGets(kubernetes.getPod, metrics);
  const getPod = queueGetPod(getLivePod, { queue: podQueue, clock, callTimeoutMs });

  const keys = new SigningKeys({
    readIssuer: kubernetes.readServiceAccountIssuer,
    clock,
    onRefresh: createSigningKeysLog(logger, metrics),
  });
  const reviewCounts = metrics.tokenReviewCacheRequests.tallyBy((result: 'hit' | 'miss' | 'shared') => ({
    result,
  }));
  const cache = createReviewCache({
    // Its pods are asked for within a place of the review's queue: one more call at most.
    reviewServiceAccountToken: createInvalidationCheck({ reviewServiceAccountToken, getPod: getLivePod }),
    audience,
    clock,
    queue: reviewQueue,
    longestWaitMs: LONGEST_REVIEW_WAIT_MS,
    callTimeoutMs,
    ...REVIEW_CACHE,
    ...(options.reviewLifetimeMs === undefined ? {} : { successTtlMs: options.reviewLifetimeMs }),
    onLookUp: (result) => reviewCounts.inc(result),
  });
  const reflector = kubernetes.createPodReflector({
    annotationKeys: [config.identity.annotation, POD_STAMP_ANNOTATION],
    clock,
    random,
    onGone: cache.forgetPod,
    onEvent: createPodReflectorLog(logger, metrics),
    ...(podSelector === undefined ? {} : { labelSelector: podSelector }),
  });
  metrics.signingKeys.observe(() => keys.size, {});
  metrics.podReflectorPods.observe(() => reflector.state().pods, {});
  metrics.podReflectorSynced.observe(() => (reflector.state().fresh ? 1 : 0), {});
  metrics.podReflectorLastHeard.observe(() => seconds(reflector.state().lastHeardAt), {});

  const authenticatePod = createPodAuthenticator({
    recallReview: cache.recall,
    filterServiceAccountToken: createTokenFilter({ keys, audience, issuers, maxTokenLifetimeMs, clock }),
    reviewBoundToken: countTurnedAway('token-review', cache.review, metrics),
    lookUpPod: countLookUps(reflector.lookUp, metrics),
    getPod: countTurnedAway('pod', getPod, metrics),
    audience,
    unprovenTokens: {
      'unknown-key': new TokenBucket({ clock, ...UNPROVEN_TOKENS['unknown-key'] }),
      'keys-unavailable': new TokenBucket({ clock, ...UNPROVEN_TOKENS['keys-unavailable'] }),
    },
    checkSourceAddress,
    clock,
  });
  return {
    authenticatePod,
    authenticateOperator: createOperatorAuthenticator({
      filterServiceAccountToken: createOperatorTokenFilter({
        keys,
        audience: adminAudience,
        issuers,
        maxTokenLifetimeMs: MAX_OPERATOR_TOKEN_LIFETIME_MS,
        clock,
      }),
      unprovenTokens: new TokenBucket({ clock, ...UNPROVEN_OPERATOR_TOKENS }),
      reviewServiceAccountToken: countTurnedAway(
        'token-review',
        queueReview(reviewServiceAccountToken, { queue: reviewQueue, clock, callTimeoutMs }),
        metrics,
      ),
      reviewAccess: kubernetes.reviewAccess,
      audience: adminAudience,
      access: LIST_TOKENS,
    }),
    dependencies: [
      { name: 'kubernetes', required: 'always', check: (signal) => kubernetes.checkReady({ signal }) },
      // Once it has been there, pods that the reflector can't vouch for are looked up one by one.
      {
        name: 'kubernetes/pods',
        required: 'until-first-success',
        check: async (signal) => {
          await reflector.waitUntilSynced(signal);
          if (!reflector.state().fresh) throw new Error('the pods have not been heard of for too long');
        },
      },
    ],
    pods: reflector,
    start: () => {
      void keys.refresh();
      reflector.start();
    },
    stop: () => reflector.stop(),
  };
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
