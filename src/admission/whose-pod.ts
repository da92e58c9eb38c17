import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import { MAX_LENGTH } from '../identity/stamps/stamp-members.ts';
import type { DecoratorParts, StampKeysNow } from './decorator-parts.ts';
import { couldNotCheck, refuse, type Stopped } from './decisions.ts';
import { annotationsOf, controllerOf, textIn } from './object-metadata.ts';
import { findOwnerStamp, type NobodyReason } from './owner-stamp.ts';
import { namespaceOf, type StampedNamespace } from './own-stamp.ts';
import type { AdmissionRequest } from './review/admission-request.ts';
import type { RequesterResult } from './requester/requester.ts';

/** For whom a new pod speaks. */
export type PodUser =
  | { readonly outcome: 'user'; readonly user: string; readonly via: string }
  /** It runs, and gets nothing from us. */
  | { readonly outcome: 'nobody'; readonly why: NobodyReason }
  | Stopped;

/** Decided by who asks; of a controller's pod by the template stamp of what owns it. */
export async function whosePod(
  review: AdmissionRequest & StampedNamespace,
  parts: DecoratorParts,
  keys: StampKeysNow,
  signal: AbortSignal,
): Promise<PodUser> {
  if (isMirror(review)) return { outcome: 'nobody', why: 'mirror-pod' };
  const annotations = annotationsOf(review.object);
  const result = await askRequester(review, textIn(annotations, parts.annotation), parts);
  if (result.outcome !== 'trusted-controller') return result;

  const made = {
    ...namespaceOf(review),
    owner: controllerOf(review.object),
    templateStamp: textIn(annotations, TEMPLATE_STAMP_ANNOTATION),
  };
  const owner = await findOwnerStamp(made, keys.all, parts, signal);
  return owner.outcome === 'stamped' ? { outcome: 'user', user: owner.stamp.user, via: 'template' } : owner;
}

/** What a node shows of a pod of its own files: it has no service account, hence no token, and is nobody's. */
function isMirror({ object, userInfo }: AdmissionRequest): boolean {
  return (
    textIn(annotationsOf(object), MIRROR_ANNOTATION) !== undefined &&
    userInfo.username.startsWith('system:node:') &&
    userInfo.groups.includes('system:nodes')
  );
}

/** `MirrorPodAnnotationKey` of Kubernetes' core/v1. */
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

export type RequesterUser =
  | { readonly outcome: 'user'; readonly user: string; readonly via: string }
  | Extract<RequesterResult, { readonly outcome: 'trusted-controller' }>
  | Stopped;

export async function askRequester(
  { userInfo, namespace }: AdmissionRequest & { readonly namespace: string },
  namedUser: string | undefined,
  { mapRequester }: Pick<DecoratorParts, 'mapRequester'>,
): Promise<RequesterUser> {
  // check: requester-fits-stamp
  if (userInfo.username.length > MAX_LENGTH.requester)
    return refuse(
      'requester-too-long',
      `your user name is longer than ${MAX_LENGTH.requester} characters: log in as somebody else`,
    );
  const result = await mapRequester({ requester: userInfo, namespace, namedUser });
  switch (result.outcome) {
    case 'user':
    case 'trusted-controller':
      return result;
    case 'refused':
      return refuse(result.reason, result.text);
    case 'could-not-check':
      return couldNotCheck(result.dependency, 'it could not be found out which user asks');
  }
}
