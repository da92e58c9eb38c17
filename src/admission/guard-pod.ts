import { POD_STAMP_ANNOTATION, STAMPED_LABEL } from '../identity/stamps/stamp-annotations.ts';
import { errorCode } from '../observability/error-code.ts';
import type { DecoratorParts } from './decorator-parts.ts';
import { couldNotCheck, refuse, type Stopped } from './decisions.ts';
import type { FoundObject } from './look-ups.ts';
import { annotationsOf, labelsOf, metadataText, textIn } from './object-metadata.ts';
import { childOf, isList, sameJson } from './patch/json-value.ts';
import { quote } from './requester/quote.ts';
import type { AdmissionDecision } from './review/admission-decision.ts';
import type { PodReview } from './stamp-pod.ts';
import { askRequester } from './whose-pod.ts';

/** What reaches into a running pod, as the API server has them: CONNECT, and no object. */
export const CONNECT_SUBRESOURCES: readonly string[] = ['exec', 'attach', 'portforward', 'proxy'];

/** UPDATE of a pod or of one of its subresources: what is ours stays as it is, and nobody else's code comes in. */
export async function guardPodUpdate(review: PodReview, parts: DecoratorParts): Promise<AdmissionDecision> {
  const { object, oldObject } = review;
  const changed = changedMark(object, oldObject, parts.annotation);
  // check: stamp-immutable
  if (changed !== undefined)
    return refuse('stamp-immutable', `${changed} of a pod can't be changed: create the pod anew`);
  const user = userOfPod(oldObject, parts.annotation);
  if (user === undefined || !bringsCode(object, oldObject)) return { outcome: 'allowed' };
  return (await checkOwn(review, user, parts, 'changes the images of')) ?? { outcome: 'allowed', user };
}

/** CONNECT to a pod: its user's alone. */
export async function guardPodConnect(
  review: PodReview,
  parts: DecoratorParts,
  signal: AbortSignal,
): Promise<AdmissionDecision> {
  const { name = '', namespace } = review;
  let found: FoundObject | undefined;
  try {
    found = await parts.readObject({ apiVersion: 'v1', kind: 'Pod', namespace, name }, { signal });
  } catch (error) {
    return couldNotCheck('kubernetes-api', `the pod could not be read (${errorCode(error)})`);
  }
  // The API server says it better.
  if (found === undefined) return { outcome: 'allowed' };
  const user = userOfPod(found.object, parts.annotation);
  if (user === undefined) return { outcome: 'allowed' };
  return (await checkOwn(review, user, parts, 'reaches into')) ?? { outcome: 'allowed', user };
}

/** Of a Binding: the API server would copy them to the pod. */
export function guardBinding({ object }: PodReview, parts: DecoratorParts): AdmissionDecision {
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

const CONTAINER_LISTS = ['initContainers', 'containers', 'ephemeralContainers'];

/** Whether another image is run: all else that may be changed of a pod's containers is how much they may use. */
function bringsCode(object: unknown, oldObject: unknown): boolean {
  return CONTAINER_LISTS.some((list) => {
    const [now, before] = [object, oldObject].map((pod) => childOf(childOf(pod, 'spec'), list));
    if (list === 'ephemeralContainers') return !sameJson(now ?? [], before ?? []);
    return !sameJson(imagesOf(now), imagesOf(before));
  });
}

function imagesOf(containers: unknown): unknown[] {
  if (!isList(containers)) return [];
  return containers.map((container) => [
    childOf(container, 'name') ?? null,
    childOf(container, 'image') ?? null,
  ]);
}

async function checkOwn(
  review: PodReview,
  user: string,
  parts: DecoratorParts,
  doing: string,
): Promise<Stopped | undefined> {
  const { username, groups } = review.userInfo;
  if (parts.isExempt(username, groups)) return undefined;
  const asked = await askRequester(review, user, parts);
  if (asked.outcome === 'could-not-check') return asked;
  if (asked.outcome === 'user' && asked.user === user) return undefined;
  // check: pod-of-another
  return refuse(
    'pod-of-another',
    `this ${doing} pod ${quote(review.name ?? metadataText(review.object, 'name') ?? '')}, which speaks for ${quote(user)}: ask them to do it, or an administrator for an exemption of the guard`,
    user,
  );
}
