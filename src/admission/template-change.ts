import { errorCode } from '../observability/error-code.ts';
import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import type { StampPublicKeys } from '../identity/stamps/stamp-keys.ts';
import type { TemplateStamp } from '../identity/stamps/template-stamp.ts';
import {
  CLAIM_ANNOTATION,
  type DecoratorParts,
  type StampKeysNow,
  type DigestedTemplate,
} from './decorator-parts.ts';
import { couldNotCheck, refuse, type Stopped } from './decisions.ts';
import { annotationsOf, metadataText, textIn } from './object-metadata.ts';
import { quote } from './requester/quote.ts';
import type { TemplateReview, TemplateStamping, TemplateStampings } from './stamp-templates.ts';
import { namedUserOf } from './named-user.ts';
import { ownStampOf, stampAt } from './own-stamp.ts';
import { checkNamed } from './owner-stamp.ts';
import { askRequester, type RequesterUser } from './whose-pod.ts';

/** A template as it was before. */
interface Before {
  readonly digest: string;
  /** Of a stamp that is ours and of this namespace; whatever else it says. */
  readonly stamp: TemplateStamp;
}

/**
 * UPDATE of a workload. A template whose content stays keeps its stamp byte for byte: another one would roll out every
 * Deployment at each touch, and who touches is not who wrote it. A new content is the requester's, if the template was
 * theirs or nobody's, if they claim it, or if they may change what others speak for.
 */
export async function judgeChange(
  review: TemplateReview,
  places: readonly DigestedTemplate[],
  { parts, keys }: { readonly parts: DecoratorParts; readonly keys: StampKeysNow },
  signal: AbortSignal,
): Promise<TemplateStampings> {
  const found = parts.findTemplates(review.resource, review.oldObject);
  // What it was is what the API server has stored: if it isn't readable, nothing is known of it.
  const before = new Map(found.ok ? found.places.map((place) => [place.pointer, place]) : []);
  const claim = textIn(annotationsOf(review.object), CLAIM_ANNOTATION);
  let asked: RequesterUser | undefined;
  const stampings: TemplateStamping[] = [];
  for (const place of places) {
    const old = before.get(place.pointer);
    const stamped = old === undefined ? undefined : readBefore(old, review, keys.all);
    const own = ownStampOf(place, review, keys.all);
    if (old?.digest === place.digest && claim === undefined) {
      const user = old.annotationsNow.get(parts.annotation);
      const text = old.annotationsNow.get(TEMPLATE_STAMP_ANNOTATION);
      const isNew = own !== undefined && place.annotationsNow.get(TEMPLATE_STAMP_ANNOTATION) !== text;
      if (isNew) asked ??= await askRequester(review, namedUserOf(review, places, parts.annotation), parts);
      // A claim is taken off when it is heard, and ours may run again after other webhooks.
      const isClaimed = isNew && asked?.outcome === 'user' && asked.user === own.user;
      if (!isClaimed) {
        stampings.push({ outcome: 'as-before', user, text });
        continue;
      }
    }
    asked ??= await askRequester(review, namedUserOf(review, places, parts.annotation), parts);
    const stamping = await judgeContent(review, { place, stamped, own, asked, claim }, parts, signal);
    if (stamping.outcome === 'refused' || stamping.outcome === 'could-not-check') return stamping;
    stampings.push(stamping);
  }
  return { outcome: 'decided', stampings };
}

function readBefore(
  place: DigestedTemplate,
  review: TemplateReview,
  keys: StampPublicKeys,
): Before | undefined {
  const stamp = stampAt(place, keys);
  return stamp?.namespace === review.namespace ? { digest: place.digest, stamp } : undefined;
}

async function judgeContent(
  review: TemplateReview,
  {
    place,
    stamped,
    own,
    asked,
    claim,
  }: {
    readonly place: DigestedTemplate;
    readonly stamped: Before | undefined;
    readonly own: TemplateStamp | undefined;
    readonly asked: RequesterUser;
    readonly claim: string | undefined;
  },
  parts: DecoratorParts,
  signal: AbortSignal,
): Promise<TemplateStamping | Stopped> {
  const requester = review.userInfo.username;
  const owner = stamped?.stamp.user;
  if (asked.outcome === 'trusted-controller') {
    // It changes what it manages, and speaks for nobody: what was good before stays good.
    if (stamped === undefined || stamped.stamp.digest !== stamped.digest) return { outcome: 'nobody' };
    const problem = await checkNamed(stamped.stamp, review, ownNameOf(review), parts, signal);
    if (problem?.outcome === 'could-not-check') return problem;
    // check: changed-template-names-object
    if (problem !== undefined) return { outcome: 'nobody' };
    return { outcome: 'stamped', user: stamped.stamp.user, requester };
  }
  if (asked.outcome === 'user') {
    if (owner === undefined || owner === asked.user)
      return { outcome: 'stamped', user: asked.user, requester };
    if (claim === asked.user || own?.user === asked.user)
      return { outcome: 'stamped', user: asked.user, requester };
    // check: claim-of-oneself
    if (claim !== undefined)
      return refuse(
        'claim-of-another',
        `${CLAIM_ANNOTATION} names ${quote(claim)}, and you are ${quote(asked.user)}: name yourself or remove it`,
        owner,
      );
  } else if (owner === undefined || asked.outcome === 'could-not-check') return asked;

  const kept = await mayKeep(review, parts, signal);
  if (typeof kept !== 'boolean') return kept;
  // check: template-of-another
  if (!kept)
    return refuse(
      'template-of-another',
      `${place.pointer} of ${quote(metadataText(review.object, 'name') ?? '')} speaks for ${quote(owner)}: ask them to make the change; or set the annotation ${CLAIM_ANNOTATION} to your own user, and its pods speak for you; or ask an administrator for the verb keep-identity on it`,
      owner,
    );
  return { outcome: 'stamped', user: owner, requester };
}

function ownNameOf({ kind: { group, version, kind }, oldObject }: TemplateReview): {
  readonly owner: { readonly apiVersion: string; readonly kind: string; readonly name: string };
  readonly object: unknown;
} {
  const apiVersion = group === '' ? version : `${group}/${version}`;
  return { owner: { apiVersion, kind, name: metadataText(oldObject, 'name') ?? '' }, object: oldObject };
}

async function mayKeep(
  review: TemplateReview,
  { mayKeepIdentity, isExempt }: DecoratorParts,
  signal: AbortSignal,
): Promise<boolean | Stopped> {
  if (isExempt(review.userInfo, 'keep-identity', review.namespace)) return true;
  try {
    return await mayKeepIdentity(review, signal);
  } catch (error) {
    return couldNotCheck(
      'kubernetes-api',
      `the right keep-identity could not be looked up (${errorCode(error)})`,
    );
  }
}
