import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import { readTemplateStamp, type TemplateStamp } from '../identity/stamps/template-stamp.ts';
import type { DecoratorParts, StampKeysNow, DigestedTemplate } from './decorator-parts.ts';
import { refuse, type Stopped } from './decisions.ts';
import { guardOwners } from './guard-owners.ts';
import { controllerOf, soleOwnerOf, groupKind, metadataText } from './object-metadata.ts';
import { findOwnerStamp } from './owner-stamp.ts';
import { quote } from './requester/quote.ts';
import type { AdmissionDecision } from './review/admission-decision.ts';
import { NO_KEYS } from './stamp-pod.ts';
import { isOfNamespace, namespaceOf, stampKindOf } from './own-stamp.ts';
import type { TemplateReview } from './stamp-templates.ts';
import { askRequester } from './whose-pod.ts';
import { namedUserOf } from './named-user.ts';

/** CREATE and UPDATE of a workload as it will be stored: each template has the stamp that ours gave it, and is what was stamped. */
export async function validateTemplates(
  review: TemplateReview,
  parts: DecoratorParts,
  signal: AbortSignal,
): Promise<AdmissionDecision> {
  const found = parts.findTemplates(review.resource, review.object);
  // check: final-templates-readable
  if (!found.ok) return refuse('object-malformed', found.problem);
  if (found.places.length === 0) return { outcome: 'allowed' };
  const keys = parts.keys();
  // check: validating-template-keys-known
  if (keys === undefined) return NO_KEYS;
  const old =
    review.operation === 'UPDATE' ? parts.findTemplates(review.resource, review.oldObject) : undefined;
  const oldPlaces = old?.ok === true ? old.places : [];
  const owners = await guardOwners(review, oldPlaces, { parts, keys: keys.all }, signal);
  if (owners !== undefined) return owners;
  const before = new Map(oldPlaces.map((place) => [place.pointer, place]));

  const changed = found.places.filter(
    (place) => !isAsBefore(place, before.get(place.pointer), parts.annotation),
  );
  if (changed.length === 0) return { outcome: 'allowed' };
  const asked = await askRequester(review, namedUserOf(review, found.places, parts.annotation), parts);
  const isController = asked.outcome === 'trusted-controller';
  for (const place of changed) {
    const context = { review, place, parts, keys };
    const problem = isController
      ? await checkControllers(context, signal)
      : checkPlace(context, review.userInfo.username);
    if (problem !== undefined) return problem;
  }
  return { outcome: 'allowed' };
}

/** Nothing that counts was changed, so it is as good or bad as it was. */
function isAsBefore(
  place: DigestedTemplate,
  before: DigestedTemplate | undefined,
  annotation: string,
): boolean {
  return (
    before !== undefined &&
    before.digest === place.digest &&
    [annotation, TEMPLATE_STAMP_ANNOTATION].every(
      (key) => before.annotationsNow.get(key) === place.annotationsNow.get(key),
    )
  );
}

interface Context {
  readonly review: TemplateReview;
  readonly place: DigestedTemplate;
  readonly parts: DecoratorParts;
  readonly keys: StampKeysNow;
}

/** `author`: what a person writes is stamped for them then and there, so a stamp of before was copied. */
function checkPlace({ review, place, parts, keys }: Context, author?: string): Stopped | undefined {
  const text = place.annotationsNow.get(TEMPLATE_STAMP_ANNOTATION);
  // check: final-template-stamped
  if (text === undefined)
    return refuse('template-stamp-missing', `${place.pointer} has lost its stamp: ${OVERWRITTEN}`);
  const opened = readTemplateStamp(text, keys.all);
  // check: final-template-stamp
  if (opened.outcome === 'refused')
    return refuse(
      'template-stamp-overwritten',
      `the stamp of ${place.pointer} is not a good one (${opened.reason}): ${OVERWRITTEN}`,
    );
  const { stamp } = opened;
  const isOwn =
    isOfNamespace(stamp, review) &&
    stamp.kind === stampKindOf(review.kind) &&
    stamp.name === metadataText(review.object, 'name');
  // check: final-template-stamp-of-object
  if (!isOwn && !isOfController(review, stamp))
    return refuse(
      'template-stamp-of-other-object',
      `the stamp of ${place.pointer} is that of another object: ${OVERWRITTEN}`,
      stamp.user,
    );
  // check: final-template-author
  if (author !== undefined && stamp.requester !== author)
    return refuse(
      'template-stamp-of-other-author',
      `the stamp of ${place.pointer} is not from this change but from one of ${quote(stamp.requester)}: ${OVERWRITTEN}`,
      stamp.user,
    );
  // check: final-template-digest
  if (stamp.digest !== place.digest)
    return refuse(
      'template-changed',
      `${place.pointer} was changed after it was stamped: ${OVERWRITTEN}`,
      stamp.user,
    );
  // check: final-template-user
  if (place.annotationsNow.get(parts.annotation) !== stamp.user)
    return refuse(
      'template-user-overwritten',
      `${parts.annotation} of ${place.pointer} is not ${quote(stamp.user)}: ${OVERWRITTEN}`,
      stamp.user,
    );
  return undefined;
}

const OVERWRITTEN =
  'another admission webhook changed it after Kerbridge’s; an administrator has to let that webhook run first, or leave these annotations alone';

/** Of what the deployment controller keeps alike with its Deployment. */
function isOfController(review: TemplateReview, stamp: TemplateStamp): boolean {
  const owner = controllerOf(review.object) ?? soleOwnerOf(review.object);
  return (
    owner !== undefined &&
    isOfNamespace(stamp, review) &&
    stamp.kind === groupKind(owner.apiVersion, owner.kind) &&
    stamp.name === owner.name
  );
}

/** What a trusted controller made: without any stamp if its owner has none. */
async function checkControllers(context: Context, signal: AbortSignal): Promise<Stopped | undefined> {
  const { review, place, parts, keys } = context;
  const templateStamp = place.annotationsNow.get(TEMPLATE_STAMP_ANNOTATION);
  const isBare = templateStamp === undefined && place.annotationsNow.get(parts.annotation) === undefined;
  if (!isBare) return checkPlace(context);
  // It spoke for nobody before, or not for long: what a controller writes there is not known to be anybody's.
  if (review.operation === 'UPDATE') return undefined;
  const made = { ...namespaceOf(review), owner: controllerOf(review.object), templateStamp };
  const owner = await findOwnerStamp(made, keys.all, parts, signal);
  // What is made anew is of the template that is there.
  const isNobodys = owner.outcome === 'nobody' && owner.why !== 'before-stamp';
  return isNobodys ? undefined : checkPlace(context);
}
