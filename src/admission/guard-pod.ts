import { POD_STAMP_ANNOTATION, STAMPED_LABEL } from '../identity/stamps/stamp-annotations.ts';
import { errorCode } from '../observability/error-code.ts';
import type { DecoratorParts } from './decorator-parts.ts';
import { couldNotCheck, refuse, type Stopped } from './decisions.ts';
import type { FoundObject } from './look-ups.ts';
import { annotationsOf, labelsOf, metadataText, textIn } from './object-metadata.ts';
import { childOf, isList, sameJson } from './patch/json-value.ts';
import { quote } from './requester/quote.ts';
import type { AdmissionDecision } from './review/admission-decision.ts';
import type { NamespacedReview } from './stamp-pod.ts';
import { askRequester } from './whose-pod.ts';

/** What reaches into a running pod, as the API server has them: CONNECT, and no object. */
export const CONNECT_SUBRESOURCES: readonly string[] = ['exec', 'attach', 'portforward', 'proxy'];

/** UPDATE of a pod or of one of its subresources: what is ours stays as it is, and nobody else's code comes in. */
export async function guardPodUpdate(
  review: NamespacedReview,
  parts: DecoratorParts,
): Promise<AdmissionDecision> {
  const { object, oldObject } = review;
  const changed = changedMark(object, oldObject, parts.annotation);
  // check: stamp-immutable
  if (changed !== undefined)
    return refuse('stamp-immutable', `${changed} of a pod can't be changed: create the pod anew`);
  const user = userOfPod(oldObject, parts.annotation);
  if (user === undefined) return { outcome: 'allowed' };
  const brings = codeBrought(object, oldObject).filter((what) => parts.guard[SWITCHES[what]]);
  for (const what of brings) {
    const refused = await checkOwn(review, user, parts, what);
    if (refused !== undefined) return refused;
  }
  return { outcome: 'allowed', user };
}

const SWITCHES = {
  connect: 'connect',
  images: 'images',
  'ephemeral-containers': 'ephemeralContainers',
} as const;
type Guarded = keyof typeof SWITCHES;

const DOING: Readonly<Record<Guarded, string>> = {
  connect: 'reaches into',
  images: 'changes the images of',
  'ephemeral-containers': 'adds a container to',
};

/** CONNECT to a pod: its user's alone. */
export async function guardPodConnect(
  review: NamespacedReview,
  parts: DecoratorParts,
  signal: AbortSignal,
): Promise<AdmissionDecision> {
  const { namespace } = review;
  const name = podNameOf(review);
  if (!parts.guard.connect) return { outcome: 'allowed' };
  let found: FoundObject | undefined;
  try {
    found = await parts.readObject({ apiVersion: 'v1', kind: 'Pod', namespace, name }, { signal });
  } catch (error) {
    return couldNotCheck('kubernetes-api', `the pod could not be read (${errorCode(error)})`);
  }
  // It may come before the API server looks, when other webhooks take their time.
  // check: connected-pod-found
  if (found === undefined)
    return refuse('pod-not-found', `there is no pod ${quote(name)}: look at its name, or try again`);
  const user = userOfPod(found.object, parts.annotation);
  if (user === undefined) return { outcome: 'allowed' };
  return (await checkOwn(review, user, parts, 'connect')) ?? { outcome: 'allowed', user };
}

/** `pods/http:train:8080/proxy` reaches the pod `train`: scheme and port are part of the name that a review has. */
function podNameOf({ name, object, subResource }: NamespacedReview): string {
  const given = name ?? metadataText(object, 'name') ?? '';
  if (subResource !== 'proxy') return given;
  const parts = given.split(':');
  return (parts.length === 3 ? parts[1] : parts[0]) ?? '';
}

/** Of a Binding: the API server would copy them to the pod. */
export function guardBinding({ object }: NamespacedReview, parts: DecoratorParts): AdmissionDecision {
  const marked = changedMark(object, undefined, parts.annotation);
  // check: binding-without-stamp
  if (marked !== undefined)
    return refuse('stamp-in-binding', `${marked} does not belong into a Binding: leave it out`);
  return { outcome: 'allowed' };
}

/** The first of our marks in which two pods differ. */
function changedMark(object: unknown, oldObject: unknown, annotation: string): string | undefined {
  const [now, before] = [annotationsOf(object), annotationsOf(oldObject)];
  const key = [annotation, POD_STAMP_ANNOTATION].find((each) => textIn(now, each) !== textIn(before, each));
  if (key !== undefined) return `the annotation ${key}`;
  const isSame = textIn(labelsOf(object), STAMPED_LABEL) === textIn(labelsOf(oldObject), STAMPED_LABEL);
  return isSame ? undefined : `the label ${STAMPED_LABEL}`;
}

/** Whom the pod names, be it signed or not: what is not signed gets nothing, and is none the worse for being guarded. */
function userOfPod(pod: unknown, annotation: string): string | undefined {
  return textIn(annotationsOf(pod), annotation);
}

/** Whether other code is run: all else that may be changed of a pod's containers is how much they may use. */
function codeBrought(object: unknown, oldObject: unknown): Guarded[] {
  const both = (list: string): readonly [unknown, unknown] => [
    childOf(childOf(object, 'spec'), list),
    childOf(childOf(oldObject, 'spec'), list),
  ];
  const brought: Guarded[] = [];
  const isOther = ([now, before]: readonly [unknown, unknown]): boolean =>
    !sameJson(imagesOf(now), imagesOf(before));
  if (['initContainers', 'containers'].some((list) => isOther(both(list)))) brought.push('images');
  const [now, before] = both('ephemeralContainers');
  if (!sameJson(now ?? [], before ?? [])) brought.push('ephemeral-containers');
  return brought;
}

function imagesOf(containers: unknown): unknown[] {
  if (!isList(containers)) return [];
  return containers.map((container) => [
    childOf(container, 'name') ?? null,
    childOf(container, 'image') ?? null,
  ]);
}

async function checkOwn(
  review: NamespacedReview,
  user: string,
  parts: DecoratorParts,
  what: Guarded,
): Promise<Stopped | undefined> {
  if (parts.isExempt(review.userInfo, what, review.namespace)) return undefined;
  const asked = await askRequester(review, user, parts);
  if (asked.outcome === 'could-not-check') return asked;
  const isOwn = asked.outcome === 'user' && asked.user === user;
  const pod = quote(podNameOf(review));
  // check: pod-of-another
  if (!isOwn)
    return refuse(
      'pod-of-another',
      `this ${DOING[what]} pod ${pod}, which speaks for ${quote(user)}: ask them to do it, or an administrator for an exemption from "${what}"`,
      user,
    );
  return undefined;
}
