import { POD_STAMP_ANNOTATION, STAMPED_LABEL } from '../identity/stamps/stamp-annotations.ts';
import { verifyPodStamp } from '../identity/stamps/pod-stamp.ts';
import type { DecoratorParts, StampKeysNow } from './decorator-parts.ts';
import { refuse, type Stopped } from './decisions.ts';
import { missingOfInjected } from './inject/check-injected.ts';
import { annotationsOf, labelsOf, metadataText, textIn } from './object-metadata.ts';
import { quote } from './requester/quote.ts';
import type { AdmissionDecision } from './review/admission-decision.ts';
import { NO_KEYS, type PodReview, STAMPED } from './stamp-pod.ts';
import { whosePod } from './whose-pod.ts';

/** What `serve` lets pass between stamp and creation, less what may pass until it is stored. */
const MAX_AGE_SECONDS = 30;

/** CREATE of a pod as it will be stored: what other webhooks have done after ours is in it. */
export async function validatePod(
  review: PodReview,
  parts: DecoratorParts,
  signal: AbortSignal,
): Promise<AdmissionDecision> {
  const keys = parts.keys();
  // check: validating-keys-known
  if (keys === undefined) return NO_KEYS;
  const whose = await whosePod(review, parts, keys, signal);
  if (whose.outcome === 'nobody') return checkNothing(review, parts) ?? { outcome: 'allowed' };
  if (whose.outcome !== 'user') return whose;
  return (
    checkStamp(review, whose.user, { parts, keys }) ??
    checkInjection(review, whose.user, parts) ?? { outcome: 'allowed', user: whose.user }
  );
}

const OVERWRITTEN =
  'another admission webhook changed it after Kerbridge’s: an administrator has to take these annotations out of that webhook';

function checkNothing({ object }: PodReview, { annotation }: DecoratorParts): Stopped | undefined {
  const annotations = annotationsOf(object);
  const isBare =
    textIn(annotations, annotation) === undefined &&
    textIn(annotations, POD_STAMP_ANNOTATION) === undefined &&
    textIn(labelsOf(object), STAMPED_LABEL) === undefined;
  // check: pod-of-nobody-bare
  if (!isBare) return refuse('stamp-of-nobody', `the pod speaks for nobody and has a stamp: ${OVERWRITTEN}`);
  return undefined;
}

function checkStamp(
  { namespace, object, userInfo }: PodReview,
  user: string,
  { parts, keys }: { readonly parts: DecoratorParts; readonly keys: StampKeysNow },
): Stopped | undefined {
  const annotations = annotationsOf(object);
  const named = textIn(annotations, parts.annotation);
  // check: final-user
  if (named !== user)
    return refuse(
      'user-overwritten',
      `${parts.annotation} is ${quote(named ?? '')} and not ${quote(user)}: ${OVERWRITTEN}`,
      user,
    );
  // check: final-label
  if (textIn(labelsOf(object), STAMPED_LABEL) !== STAMPED)
    return refuse('label-overwritten', `the label ${STAMPED_LABEL} is missing: ${OVERWRITTEN}`, user);

  const opened = verifyPodStamp(textIn(annotations, POD_STAMP_ANNOTATION) ?? '', keys.all);
  // check: final-stamp
  if (opened.outcome === 'refused')
    return refuse(
      'stamp-overwritten',
      `the stamp of the pod is not a good one (${opened.reason}): ${OVERWRITTEN}`,
      user,
    );
  const { stamp } = opened;
  const isOfPod =
    stamp.namespace === namespace &&
    stamp.podName === metadataText(object, 'name') &&
    stamp.user === user &&
    stamp.requester === userInfo.username;
  // check: final-stamp-of-pod
  if (!isOfPod)
    return refuse('stamp-of-other-pod', `the stamp of the pod is that of another one: ${OVERWRITTEN}`, user);
  const age = Math.abs(Math.floor(parts.clock.now() / 1_000) - stamp.issuedAtSeconds);
  // check: final-stamp-fresh
  if (age > MAX_AGE_SECONDS)
    return refuse('stamp-old', `the stamp of the pod is ${age} s old: ${OVERWRITTEN}`, user);
  return undefined;
}

function checkInjection({ object }: PodReview, user: string, parts: DecoratorParts): Stopped | undefined {
  const missing = missingOfInjected(object, parts);
  // check: final-injection
  if (missing !== undefined)
    return refuse(
      'injection-removed',
      `what Kerbridge has injected into the pod is not as it was: ${missing}. Try again; if it stays so, another admission webhook changes it after Kerbridge’s, and an administrator has to except it there`,
      user,
    );
  return undefined;
}
