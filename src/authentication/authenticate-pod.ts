import type { Clock } from '../time/clock.ts';
import type {
  AuthenticatePod,
  AuthenticationRefusal,
  AuthenticationResult,
} from './authentication-result.ts';
import { parseBearerToken } from './bearer-token.ts';
import type {
  GetPod,
  PodView,
  ReviewServiceAccountToken,
  ServiceAccountTokenReview,
} from './kubernetes-access.ts';

/** Set by the API server for a token that is bound to a pod (KEP-1205, `pkg/serviceaccount` in Kubernetes). */
export const POD_NAME_EXTRA = 'authentication.kubernetes.io/pod-name';
export const POD_UID_EXTRA = 'authentication.kubernetes.io/pod-uid';

/** RFC 1123 label and subdomain, as the API server demands of namespaces and of service-account and pod names. */
const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

const FINISHED_PHASES = new Set(['Succeeded', 'Failed']);

export interface PodAuthenticatorOptions {
  readonly reviewServiceAccountToken: ReviewServiceAccountToken;
  readonly getPod: GetPod;
  /** Ours. A token for any other audience was meant for somebody else, who could replay it here. */
  readonly audience: string;
  /** Should be in step with the API server's: `deletionTimestamp` is compared with it. */
  readonly clock: Clock;
}

/**
 * Finds out which live pod is calling. Top down: the bearer token, the API server's word on it (TokenReview), what that
 * word claims, and then the pod itself, because a TokenReview goes on saying yes for a finished pod, and for a minute
 * or so for a deleted one.
 *
 * The returned pod is the live object's; nothing in it is taken from the caller. A Kubernetes API that can't be asked
 * gives `could-not-check`, never an answer. An aborted signal rejects with its reason.
 */
export function createPodAuthenticator(options: PodAuthenticatorOptions): AuthenticatePod {
  const { reviewServiceAccountToken, getPod, audience, clock } = options;
  // An empty question means "the API server's own audience": every mounted default token would pass.
  if (audience === '')
    throw new RangeError('audience is empty: name the audience that callers request their tokens for');

  return async (authorization, { signal } = {}) => {
    const callOptions = signal === undefined ? {} : { signal };

    const bearer = parseBearerToken(authorization);
    if (bearer.outcome === 'refused') return refused(bearer.reason);

    let review: ServiceAccountTokenReview;
    try {
      review = await reviewServiceAccountToken(bearer.serviceAccountToken, [audience], callOptions);
    } catch (cause) {
      signal?.throwIfAborted();
      return couldNotCheck(cause);
    }

    const claim = readClaim(review, audience);
    if ('outcome' in claim) return claim;

    let pod: PodView | undefined;
    try {
      pod = await getPod(claim.namespace, claim.podName, callOptions);
    } catch (cause) {
      signal?.throwIfAborted();
      return couldNotCheck(cause);
    }

    return judgePod(pod, claim, clock.now());
  };
}

/** Which pod a reviewed token was made for, by the word of the API server. */
interface BoundPodClaim {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podName: string;
  readonly podUid: string;
}

function readClaim(
  review: ServiceAccountTokenReview,
  audience: string,
): BoundPodClaim | AuthenticationResult {
  if (!review.authenticated) return refused('service-account-token-invalid', review.error);
  // An API server (or a webhook behind it) that ignores audiences says yes to everybody's tokens.
  if (!review.audiences.includes(audience)) return refused('audience-not-returned');

  const account = parseServiceAccount(review.username);
  if (account === undefined) return refused('not-a-service-account', review.username);

  const podName = onlyValue(review, POD_NAME_EXTRA);
  if (podName === undefined || !DNS_SUBDOMAIN.test(podName))
    return refused('not-bound-to-a-pod', POD_NAME_EXTRA);
  const podUid = onlyValue(review, POD_UID_EXTRA);
  if (podUid === undefined) return refused('not-bound-to-a-pod', POD_UID_EXTRA);

  return { namespace: account.namespace, serviceAccount: account.name, podName, podUid };
}

function judgePod(pod: PodView | undefined, claim: BoundPodClaim, now: number): AuthenticationResult {
  const named = `${claim.namespace}/${claim.podName}`;
  if (pod === undefined) return refused('pod-not-found', named);
  if (pod.uid !== claim.podUid)
    return refused('pod-uid-differs', `${named}: token ${claim.podUid}, pod ${pod.uid}`);
  if (pod.serviceAccount !== claim.serviceAccount) {
    return refused(
      'pod-service-account-differs',
      `${named}: token ${claim.serviceAccount}, pod ${pod.serviceAccount}`,
    );
  }
  if (FINISHED_PHASES.has(pod.phase)) return refused('pod-finished', `${named}: ${pod.phase}`);
  // Until then a terminating pod still works: it may be flushing its output to HDFS.
  if (pod.deletionTimestamp !== undefined && pod.deletionTimestamp <= now)
    return refused('pod-deleted', named);

  return {
    outcome: 'authenticated',
    pod: {
      namespace: pod.namespace,
      name: pod.name,
      uid: pod.uid,
      serviceAccount: pod.serviceAccount,
      annotations: pod.annotations,
    },
  };
}

/** `system:serviceaccount:<namespace>:<name>`, exactly: any other user may have colons in its name too. */
function parseServiceAccount(username: string): { namespace: string; name: string } | undefined {
  const [system, kind, namespace, name, ...more] = username.split(':');
  if (system !== 'system' || kind !== 'serviceaccount') return undefined;
  if (namespace === undefined || name === undefined || more.length > 0) return undefined;
  if (!DNS_LABEL.test(namespace) || !DNS_SUBDOMAIN.test(name)) return undefined;
  return { namespace, name };
}

function onlyValue(
  review: ServiceAccountTokenReview & { authenticated: true },
  key: string,
): string | undefined {
  const values = Object.hasOwn(review.extra, key) ? review.extra[key] : undefined;
  return values?.length === 1 && values[0] !== '' ? values[0] : undefined;
}

function refused(reason: AuthenticationRefusal, detail?: string): AuthenticationResult {
  return detail === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, detail };
}

function couldNotCheck(cause: unknown): AuthenticationResult {
  return { outcome: 'could-not-check', dependency: 'kubernetes-api', cause };
}
