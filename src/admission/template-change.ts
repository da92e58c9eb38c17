import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import type { StampPublicKeys } from '../identity/stamps/stamp-keys.ts';
import type { TemplateStamp } from '../identity/stamps/template-stamp.ts';
import {
  CLAIM_ANNOTATION,
  type PartsAndKeys,
  type StampKeysNow,
  type DigestedTemplate,
} from './decorator-parts.ts';
import { refuse, type Stopped } from './decisions.ts';
import { annotationsOf, controllerOf, metadataText, soleOwnerOf, textIn } from './object-metadata.ts';
import { mayKeep } from './keep-identity.ts';
import { quote } from './requester/quote.ts';
import type { TemplateReview, TemplateStamping, TemplateStampings } from './stamp-templates.ts';
import { namedUserOf } from './named-user.ts';
import { isOfNamespace, namespaceOf, ownStampOf, stampAt } from './own-stamp.ts';
import { checkNamed, findOwnerStamp } from './owner-stamp.ts';
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
  { parts, keys }: PartsAndKeys,
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
    const change = { place, stamped, own, asked, claim };
    const stamping = await judgeContent(review, change, { parts, keys }, signal);
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
  return stamp !== undefined && isOfNamespace(stamp, review) ? { digest: place.digest, stamp } : undefined;
}

interface Change {
  readonly place: DigestedTemplate;
  readonly stamped: Before | undefined;
  readonly own: TemplateStamp | undefined;
  readonly asked: RequesterUser;
  readonly claim: string | undefined;
}

async function judgeContent(
  review: TemplateReview,
  { place, stamped, own, asked, claim }: Change,
  { parts, keys }: PartsAndKeys,
  signal: AbortSignal,
): Promise<TemplateStamping | Stopped> {
  const requester = review.userInfo.username;
  const owner = stamped?.stamp.user;
  if (asked.outcome === 'trusted-controller')
    return await judgeControllers(review, { place, stamped }, { parts, keys }, signal);
  if (asked.outcome === 'user') {
    if (claim === asked.user || own?.user === asked.user)
      return { outcome: 'stamped', user: asked.user, requester };
    if (owner === undefined || owner === asked.user)
      return stampUnlessAnothers(review, place, asked.user, keys);
    // check: claim-of-oneself
    if (claim !== undefined)
      return refuse(
        'claim-of-another',
        `${CLAIM_ANNOTATION} names ${quote(claim)}, and you are ${quote(asked.user)}: name yourself or remove it`,
        owner,
      );
  } else if (owner === undefined || asked.outcome === 'could-not-check') return asked;

  const kept = await mayKeep(review, asked, parts, signal);
  if (typeof kept !== 'boolean') return kept;
  // check: template-of-another
  if (!kept)
    return refuse(
      'template-of-another',
      `${place.pointer} of ${quote(metadataText(review.object, 'name') ?? '')} speaks for ${quote(owner)}: ask them to make the change; or set the annotation ${CLAIM_ANNOTATION} to your own user, and its pods speak for you; or ask an administrator for the verb keep-identity on it`,
      owner,
    );
  return stampUnlessAnothers(review, place, owner, keys);
}

/**
 * A controller speaks for nobody. What it writes into a workload is its owner's, by whose wish it does so, if that speaks for
 * the same user; without such an owner it may be anybody's: some controllers find what they change by its name alone.
 */
async function judgeControllers(
  review: TemplateReview,
  { place, stamped }: Pick<Change, 'place' | 'stamped'>,
  { parts, keys }: PartsAndKeys,
  signal: AbortSignal,
): Promise<TemplateStamping | Stopped> {
  if (stamped === undefined || stamped.stamp.digest !== stamped.digest) return { outcome: 'nobody' };
  const { namespace, oldObject, userInfo } = review;
  const problem = await checkNamed(stamped.stamp, review, ownNameOf(review), parts, signal);
  if (problem?.outcome === 'could-not-check') return problem;
  // check: changed-template-names-object
  if (problem !== undefined) return { outcome: 'nobody' };
  const { user } = stamped.stamp;
  if (!parts.isExempt(userInfo, 'keep-identity', namespace)) {
    const owner = controllerOf(oldObject) ?? soleOwnerOf(oldObject);
    const made = { ...namespaceOf(review), owner, templateStamp: undefined, restampedFor: user };
    const from = await findOwnerStamp(made, keys.all, parts, signal);
    if (from.outcome === 'could-not-check') return from;
    // check: controllers-change-owned
    if (from.outcome !== 'stamped')
      return refuse(
        'template-of-another',
        `${place.pointer} of ${quote(metadataText(oldObject, 'name') ?? '')} speaks for ${quote(user)}, and nothing of theirs owns it by whose template a controller could change it: let them make the change, or delete it to have it made anew, or ask an administrator for an exemption from "keep-identity"`,
        user,
      );
  }
  return { outcome: 'stamped', user, requester: userInfo.username };
}

/** `kubectl rollout undo` brings a template, with its stamp, from a history in which others may write. */
function stampUnlessAnothers(
  review: TemplateReview,
  place: DigestedTemplate,
  user: string,
  keys: StampKeysNow,
): TemplateStamping | Stopped {
  const brought = stampAt(place, keys.all);
  const isTheirs = brought !== undefined && isOfNamespace(brought, review) && brought.digest === place.digest;
  // check: brought-template-own
  if (isTheirs && brought.user !== user)
    return refuse(
      'template-from-another',
      `${place.pointer} is what ${quote(brought.user)} wrote, by the stamp that it comes with: choose another version; or, to run it as yourself, set the annotation ${CLAIM_ANNOTATION} to your own user`,
      user,
    );
  return { outcome: 'stamped', user, requester: review.userInfo.username };
}

function ownNameOf({ kind: { group, version, kind }, oldObject }: TemplateReview): {
  readonly owner: { readonly apiVersion: string; readonly kind: string; readonly name: string };
  readonly object: unknown;
} {
  const apiVersion = group === '' ? version : `${group}/${version}`;
  return { owner: { apiVersion, kind, name: metadataText(oldObject, 'name') ?? '' }, object: oldObject };
}
