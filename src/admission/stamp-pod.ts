import { POD_STAMP_ANNOTATION, STAMPED_LABEL } from '../identity/stamps/stamp-annotations.ts';
import { type PodStamp, signPodStamp, verifyPodStamp } from '../identity/stamps/pod-stamp.ts';
import type { DecoratorParts, PartsAndKeys } from './decorator-parts.ts';
import { couldNotCheck, refuse, type Stopped } from './decisions.ts';
import { nameOf } from './generated-name.ts';
import { injectFetcher } from './inject/inject-fetcher.ts';
import { INJECT_LABEL } from './inject/injection.ts';
import { asksForInjection } from './inject/injection-wish.ts';
import { annotationsOf, textIn } from './object-metadata.ts';
import { Draft } from './patch/draft.ts';
import { quote } from './requester/quote.ts';
import type { AdmissionDecision } from './review/admission-decision.ts';
import type { AdmissionRequest } from './review/admission-request.ts';
import { type PodUser, whosePod } from './whose-pod.ts';

export const STAMPED = 'true';
/** A stamp of ours this young is left as it is when another webhook makes ours run again. */
const FRESH_SECONDS = 20;

/** Of something in a namespace. */
export type NamespacedReview = AdmissionRequest & { readonly namespace: string };

/** Of what is stamped: that namespace takes part. */
export type PodReview = NamespacedReview & { readonly namespaceUid: string };

/** CREATE of a pod: the user, signed, or nothing of ours on it. */
export async function stampPod(
  review: PodReview,
  parts: DecoratorParts,
  signal: AbortSignal,
): Promise<AdmissionDecision> {
  const keys = parts.keys();
  // check: signing-keys-known
  if (keys === undefined) return NO_KEYS;
  const whose = await whosePod(review, parts, keys, signal);
  if (whose.outcome === 'nobody') return leaveUnstamped(review, whose, parts);
  if (whose.outcome !== 'user') return whose;

  const draft = new Draft(review.object);
  const podName = nameOf(review, parts.randomName);
  // check: pod-has-name
  if (podName === undefined)
    return refuse('no-name', 'the pod has neither name nor generateName: give it one of them');
  draft.set(['metadata', 'name'], podName);
  draft.set(['metadata', 'annotations', parts.annotation], whose.user);
  draft.set(
    ['metadata', 'annotations', POD_STAMP_ANNOTATION],
    stampFor(review, { podName, user: whose.user }, { parts, keys }),
  );
  draft.set(['metadata', 'labels', STAMPED_LABEL], STAMPED);
  const injected = injectFetcher(draft, parts);
  // check: pod-injectable
  if (injected.outcome === 'refused') return refuse(injected.reason, injected.text, whose.user);
  const drafted = draft.finish();
  // check: pod-stampable
  if (!drafted.ok)
    return refuse('object-malformed', `the pod can't be stamped: ${drafted.problem}`, whose.user);
  const before = textIn(annotationsOf(review.object), parts.annotation);
  const warnings = [
    ...(before === undefined || before === whose.user
      ? []
      : [`${parts.annotation} was ${quote(before)}: this pod speaks for ${quote(whose.user)}`]),
    ...(injected.outcome === 'injected' ? injected.warnings : []),
  ];
  return {
    outcome: 'allowed',
    patch: drafted.operations,
    user: whose.user,
    auditAnnotations: { user: whose.user, via: whose.via },
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

export const NO_KEYS: Stopped = couldNotCheck('signing-keys', 'the ID decorator has no key to sign with yet');

/** The one that is there, if it is the same and just made: ours runs again after other webhooks. */
function stampFor(
  { namespace, object, userInfo }: PodReview,
  { podName, user }: Pick<PodStamp, 'podName' | 'user'>,
  { parts, keys }: PartsAndKeys,
): string {
  const issuedAtSeconds = Math.floor(parts.clock.now() / 1_000);
  const requester = userInfo.username;
  const there = textIn(annotationsOf(object), POD_STAMP_ANNOTATION);
  const opened = there === undefined ? undefined : verifyPodStamp(there, keys.all);
  if (there !== undefined && opened?.outcome === 'valid') {
    const { stamp } = opened;
    const isSame =
      stamp.namespace === namespace &&
      stamp.podName === podName &&
      stamp.user === user &&
      stamp.requester === requester;
    if (isSame && Math.abs(issuedAtSeconds - stamp.issuedAtSeconds) <= FRESH_SECONDS) return there;
  }
  return signPodStamp({ namespace, podName, user, requester, issuedAtSeconds }, keys.signing);
}

/** What it came with of ours was copied from somewhere. */
function leaveUnstamped(
  { object }: PodReview,
  { why }: Extract<PodUser, { readonly outcome: 'nobody' }>,
  { annotation }: DecoratorParts,
): AdmissionDecision {
  const draft = new Draft(object);
  for (const key of [annotation, POD_STAMP_ANNOTATION]) draft.remove(['metadata', 'annotations', key]);
  draft.remove(['metadata', 'labels', STAMPED_LABEL]);
  const drafted = draft.finish();
  if (!drafted.ok)
    return refuse('object-malformed', `the pod can't be cleaned of stamps: ${drafted.problem}`);
  return {
    outcome: 'allowed',
    patch: drafted.operations,
    auditAnnotations: { nobody: why },
    ...(asksForInjection(object)
      ? { warnings: [`the pod speaks for nobody: ${INJECT_LABEL} gives it nothing`] }
      : {}),
  };
}
