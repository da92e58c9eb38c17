import { POD_NAME_EXTRA, POD_UID_EXTRA } from '../../authentication/bound-pod-claim.ts';
import type { GetPod, PodView } from '../../authentication/kubernetes-access.ts';
import { DNS_SUBDOMAIN, type ServiceAccountName } from '../../authentication/service-account-name.ts';
import { errorCode } from '../../observability/error-code.ts';
import type { CouldNotCheckRequester, Requester, RequesterRefusal, VerifyPodStamp } from './requester.ts';
import { hasExtra, onlyExtra } from './service-account.ts';

/** The pod whose token the requester has shown. */
export interface CreatorPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

export type CreatorPodClaim =
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'pod'; readonly pod: CreatorPod };

/** Which pod asks, by the word of the API server. `account`: undefined for who is no service account. */
export function readCreatorPod(
  { extra }: Requester,
  account: ServiceAccountName | undefined,
): CreatorPodClaim {
  if (!hasExtra(extra, POD_NAME_EXTRA) && !hasExtra(extra, POD_UID_EXTRA)) return { kind: 'none' };
  // The API server says so of service accounts only: somebody has impersonated extra fields.
  // check: creator-pod-has-account
  if (account === undefined) return { kind: 'malformed' };
  const name = onlyExtra(extra, POD_NAME_EXTRA);
  // check: creator-pod-name
  if (name === undefined || !DNS_SUBDOMAIN.test(name)) return { kind: 'malformed' };
  const uid = onlyExtra(extra, POD_UID_EXTRA);
  // check: creator-pod-uid-known
  if (uid === undefined) return { kind: 'malformed' };
  return { kind: 'pod', pod: { namespace: account.namespace, name, uid, serviceAccount: account.name } };
}

export interface CreatorPodLookUps {
  /** The API server's own answer: of a reflector only a yes would do, and none that is old. */
  readonly getPod: GetPod;
  readonly verifyPodStamp: VerifyPodStamp;
}

export type CreatorPodResult =
  | { readonly outcome: 'user'; readonly user: string }
  | { readonly outcome: 'refused'; readonly reason: RequesterRefusal; readonly detail?: string }
  | CouldNotCheckRequester;

/** The user that the pod speaks for. What it makes is that user's, as long as it is at work itself. */
export async function userOfCreatorPod(
  claim: CreatorPod,
  { getPod, verifyPodStamp }: CreatorPodLookUps,
): Promise<CreatorPodResult> {
  let pod: PodView | undefined;
  try {
    pod = await getPod(claim.namespace, claim.name);
  } catch (error) {
    const detail = `pod ${claim.namespace}/${claim.name}: ${errorCode(error)}`;
    return { outcome: 'could-not-check', dependency: 'kubernetes-api', detail };
  }
  // check: creator-pod-found
  if (pod === undefined) return refused('creator-pod-not-found');
  // Another pod was made under its name.
  // check: creator-pod-uid
  if (pod.uid !== claim.uid) return refused('creator-pod-uid-differs');
  // check: creator-pod-account
  if (pod.serviceAccount !== claim.serviceAccount) return refused('creator-pod-service-account-differs');
  // Its token is good for as long as the object is there, so whoever has kept it could go on making pods.
  // check: creator-pod-finished
  if (FINISHED_PHASES.includes(pod.phase)) return refused('creator-pod-finished');
  // check: creator-pod-terminating
  if (pod.deletionTimestamp !== undefined) return refused('creator-pod-terminating');
  const stamp = verifyPodStamp(pod);
  if (stamp.outcome === 'could-not-check') return stamp;
  // check: creator-pod-stamp
  if (stamp.outcome === 'refused') return refused('creator-pod-not-stamped', stamp.reason);
  return { outcome: 'user', user: stamp.user };
}

const FINISHED_PHASES: readonly string[] = ['Succeeded', 'Failed'];

function refused(reason: RequesterRefusal, detail?: string): CreatorPodResult {
  return detail === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, detail };
}
