import {
  type AuthenticateOperator,
  createOperatorAuthenticator,
} from '../../authentication/authenticate-operator.ts';
import { createPodAuthenticator } from '../../authentication/authenticate-pod.ts';
import type { AuthenticatePod } from '../../authentication/authentication-result.ts';
import { createInvalidationCheck } from '../../authentication/confirm-invalidated.ts';
import { createReviewCache } from '../../authentication/review-cache.ts';
import { SigningKeys } from '../../authentication/signing-keys.ts';
import { createTokenFilter } from '../../authentication/token-filter.ts';
import { BoundedQueue } from '../../concurrency/bounded-queue.ts';
import { TokenBucket } from '../../concurrency/token-bucket.ts';
import type { ServeConfig } from '../../config/serve-config.ts';
import type { Dependency } from '../../http-api/readiness.ts';
import { LIST_TOKENS } from '../../http-api/tokens-route.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
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

/** TokenReviews under way and waiting. 300 at 16 at once took 340 ms on a small API server. */
const REVIEW_QUEUE = { inFlight: 16, waiting: 1_000 };
/** Pods that the reflector doesn't know, so few. */
const POD_QUEUE = { inFlight: 8, waiting: 500 };
/** Tokens whose key the API server doesn't publish: keys rotate seldom, and anybody can make up a key. */
const UNKNOWN_KEYS = { ratePerSecond: 5, burst: 20 };
/** Answers kept, some 3 KB each, for 10 s at most. */
const REVIEW_CACHE = { maxEntries: 10_000, maxFailures: 2_000 };

export interface AuthenticationParts {
  readonly authenticatePod: AuthenticatePod;
  readonly authenticateOperator: AuthenticateOperator;
  readonly dependencies: readonly Dependency[];
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
}

/** Puts the chain together that finds out who calls. */
export function buildAuthentication(options: BuildAuthenticationOptions): AuthenticationParts {
  const { config, kubernetes, metrics, logger, clock, random } = options;
  const { audience, adminAudience, issuers, maxTokenLifetimeMs, podSelector, checkSourceAddress } =
    config.kubernetes;
  const timeoutMs = config.limits.kubernetesCallTimeoutMs;

  const reviewServiceAccountToken = measureReviews(kubernetes.reviewServiceAccountToken, { metrics, clock });
  const reviewQueue = observeQueue('token-review', new BoundedQueue({ clock, ...REVIEW_QUEUE }), metrics);
  const podQueue = observeQueue('pod', new BoundedQueue({ clock, ...POD_QUEUE }), metrics);
  const getPod = queueGetPod(countGets(kubernetes.getPod, metrics), { queue: podQueue, clock, timeoutMs });

  const keys = new SigningKeys({
    readIssuer: kubernetes.readServiceAccountIssuer,
    clock,
    onRefresh: createSigningKeysLog(logger, metrics),
  });
  const cache = createReviewCache({
    // Its pods are asked for within a place of the review's queue: one more call at most.
    reviewServiceAccountToken: createInvalidationCheck({
      reviewServiceAccountToken,
      getPod: countGets(kubernetes.getPod, metrics),
    }),
    audience,
    clock,
    queue: reviewQueue,
    timeoutMs,
    ...REVIEW_CACHE,
    onLookUp: (result) => metrics.tokenReviewCacheRequests.inc({ result }),
  });
  const reflector = kubernetes.createPodReflector({
    annotationKeys: [config.identity.annotation],
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
    unknownKeys: new TokenBucket({ clock, ...UNKNOWN_KEYS }),
    checkSourceAddress,
    clock,
  });
  return {
    authenticatePod,
    authenticateOperator: createOperatorAuthenticator({
      reviewServiceAccountToken,
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
        check: async (signal) => await reflector.waitUntilSynced(signal),
      },
    ],
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
