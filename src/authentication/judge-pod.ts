import type { AuthenticationRefusal, AuthenticationResult, BoundPod } from './authentication-result.ts';
import type { BoundPodClaim } from './bound-pod-claim.ts';
import type { PodView } from './kubernetes-access.ts';

const FINISHED_PHASES: readonly string[] = ['Succeeded', 'Failed'];

export interface JudgePodOptions {
  /** ms since the epoch. */
  readonly now: number;
  /** Where the request comes from; undefined when that is not to be compared. */
  readonly sourceAddress: string | undefined;
}

/**
 * Whether the pod is the one that the token was made for, still lives, and sits where the request comes from. All of
 * that, because a TokenReview goes on saying yes for a finished pod, and for a minute or so for a deleted one.
 */
export function judgePod(
  pod: PodView | undefined,
  claim: BoundPodClaim,
  { now, sourceAddress }: JudgePodOptions,
): AuthenticationResult {
  const refused = (reason: AuthenticationRefusal, detail: string): AuthenticationResult => ({
    outcome: 'refused',
    reason,
    detail,
    pod: boundPodOf(claim),
  });
  // check: pod-found
  if (pod === undefined) return refused('pod-not-found', nameOf(claim));
  // A pod that was made anew under its name is another one.
  // check: pod-uid
  if (pod.uid !== claim.podUid)
    return refused('pod-uid-differs', `${nameOf(claim)}: token ${claim.podUid}, pod ${pod.uid}`);
  // check: pod-service-account
  if (pod.serviceAccount !== claim.serviceAccount) {
    return refused(
      'pod-service-account-differs',
      `${nameOf(claim)}: token ${claim.serviceAccount}, pod ${pod.serviceAccount}`,
    );
  }
  // check: pod-finished
  if (FINISHED_PHASES.includes(pod.phase)) return refused('pod-finished', `${nameOf(claim)}: ${pod.phase}`);
  // Until then a terminating pod still works: it may be flushing its output to HDFS.
  // check: pod-deleted
  if (pod.deletionTimestamp !== undefined && pod.deletionTimestamp <= now)
    return refused('pod-deleted', nameOf(claim));

  if (sourceAddress !== undefined) {
    // The first container can be faster than the kubelet's report of the address.
    // check: pod-address-known
    if (pod.podIps.length === 0) {
      return { outcome: 'could-not-check', dependency: 'pod-address', pod: boundPodOf(claim) };
    }
    // check: source-address
    if (!pod.podIps.includes(sourceAddress)) {
      return refused(
        'source-address-differs',
        `${nameOf(claim)}: request from ${sourceAddress}, pod at ${pod.podIps.join(', ')}`,
      );
    }
  }

  return {
    outcome: 'authenticated',
    pod: {
      namespace: pod.namespace,
      name: pod.name,
      uid: pod.uid,
      serviceAccount: pod.serviceAccount,
      createdAt: pod.createdAt,
      annotations: pod.annotations,
    },
  };
}

const nameOf = ({ namespace, podName }: BoundPodClaim): string => `${namespace}/${podName}`;

const boundPodOf = ({ namespace, podName, podUid, serviceAccount }: BoundPodClaim): BoundPod => ({
  namespace,
  name: podName,
  uid: podUid,
  serviceAccount,
});
