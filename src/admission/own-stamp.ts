import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import type { StampPublicKeys } from '../identity/stamps/stamp-keys.ts';
import { readTemplateStamp, type TemplateStamp } from '../identity/stamps/template-stamp.ts';
import type { DigestedTemplate } from './decorator-parts.ts';
import { nameOf } from './generated-name.ts';
import type { AdmissionRequest, GroupVersionKind } from './review/admission-request.ts';

/** `group/kind`, of the core group the kind alone. */
export function stampKindOf({ group, kind }: Pick<GroupVersionKind, 'group' | 'kind'>): string {
  return group === '' ? kind : `${group}/${kind}`;
}

/** The namespace of an object under review. */
export type StampedNamespace = Pick<TemplateStamp, 'namespace' | 'namespaceUid'>;

export const namespaceOf = ({ namespace, namespaceUid }: StampedNamespace): StampedNamespace => ({
  namespace,
  namespaceUid,
});

export function isOfNamespace(stamp: TemplateStamp, { namespace, namespaceUid }: StampedNamespace): boolean {
  return stamp.namespace === namespace && stamp.namespaceUid === namespaceUid;
}

/** The stamp that a template has, if it is a good one of ours; whose it is and whether it still holds is not looked at. */
export function stampAt(
  { annotationsNow }: Pick<DigestedTemplate, 'annotationsNow'>,
  keys: StampPublicKeys,
): TemplateStamp | undefined {
  const text = annotationsNow.get(TEMPLATE_STAMP_ANNOTATION);
  const opened = text === undefined ? undefined : readTemplateStamp(text, keys);
  return opened?.outcome === 'valid' ? opened.stamp : undefined;
}

/**
 * The stamp that a template of the object under review has for just what it is: that of ours, when other webhooks have made
 * ours run again. What names this object and this content can't be from elsewhere.
 */
export function ownStampOf(
  place: DigestedTemplate,
  review: AdmissionRequest & StampedNamespace,
  keys: StampPublicKeys,
): TemplateStamp | undefined {
  const stamp = stampAt(place, keys);
  const isOwn =
    stamp !== undefined &&
    isOfNamespace(stamp, review) &&
    stamp.kind === stampKindOf(review.kind) &&
    stamp.name === nameOf(review, () => '') &&
    stamp.digest === place.digest;
  return isOwn ? stamp : undefined;
}
