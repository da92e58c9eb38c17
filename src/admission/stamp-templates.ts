import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import type { StampSigningKey } from '../identity/stamps/stamp-keys.ts';
import { signTemplateStamp } from '../identity/stamps/template-stamp.ts';
import {
  CLAIM_ANNOTATION,
  type DecoratorParts,
  type PartsAndKeys,
  type DigestedTemplate,
} from './decorator-parts.ts';
import { refuse, type Stopped } from './decisions.ts';
import { warnOfDroppedStamps } from './dropped-stamps.ts';
import { nameOf } from './generated-name.ts';
import { controllerOf, soleOwnerOf } from './object-metadata.ts';
import { namespaceOf, ownStampOf, stampKindOf } from './own-stamp.ts';
import { namedUserOf } from './named-user.ts';
import { findOwnerStamp } from './owner-stamp.ts';
import { Draft } from './patch/draft.ts';
import type { AdmissionDecision } from './review/admission-decision.ts';
import { NO_KEYS, type PodReview } from './stamp-pod.ts';
import { judgeChange } from './template-change.ts';
import { askRequester } from './whose-pod.ts';

/** A review of an object that may have templates: `kind` and namespace are known, the object is there. */
export type TemplateReview = PodReview;

/** What a template shall have of ours. `nobody`: nothing. */
export type TemplateStamping =
  /** These annotations, or none. */
  | { readonly outcome: 'as-before'; readonly user: string | undefined; readonly text: string | undefined }
  | { readonly outcome: 'stamped'; readonly user: string; readonly requester: string }
  | { readonly outcome: 'nobody' };

/** One for each template of the object, in their order. */
export type TemplateStampings =
  { readonly outcome: 'decided'; readonly stampings: readonly TemplateStamping[] } | Stopped;

/** CREATE and UPDATE of a workload: each of its templates gets the stamp of who wrote it. */
export async function stampTemplates(
  review: TemplateReview,
  parts: DecoratorParts,
  signal: AbortSignal,
): Promise<AdmissionDecision> {
  const found = parts.findTemplates(review.resource, review.object);
  // check: templates-readable
  if (!found.ok) return refuse('object-malformed', found.problem);
  if (found.places.length === 0) return { outcome: 'allowed' };
  const keys = parts.keys();
  // check: template-signing-keys-known
  if (keys === undefined) return NO_KEYS;
  const name = nameOf(review, parts.randomName);
  // check: workload-has-name
  if (name === undefined)
    return refuse('no-name', 'the object has neither name nor generateName: give it one of them');

  const decided = await decide(review, found.places, { parts, keys }, signal);
  if (decided.outcome !== 'decided') return decided;
  const written = write(review, name, found.places, decided.stampings, { parts, keys });
  if (written.outcome !== 'allowed' || written.user === undefined) return written;
  const warnings = await warnOfDroppedStamps(review, found.places, parts, signal);
  return warnings.length === 0 ? written : { ...written, warnings };
}

async function decide(
  review: TemplateReview,
  places: readonly DigestedTemplate[],
  context: PartsAndKeys,
  signal: AbortSignal,
): Promise<TemplateStampings> {
  const { parts } = context;
  if (review.operation === 'UPDATE') return await judgeChange(review, places, context, signal);
  const requester = await askRequester(review, namedUserOf(review, places, parts.annotation), parts);
  if (requester.outcome === 'trusted-controller') return await ofController(review, places, context, signal);
  if (requester.outcome !== 'user') return requester;
  const { user } = requester;
  const stamping: TemplateStamping = { outcome: 'stamped', user, requester: review.userInfo.username };
  return { outcome: 'decided', stampings: places.map(() => stamping) };
}

/**
 * What a controller makes from a template of its own: the user is that of its owner. The stamp stays as it is where the
 * template does, since a Deployment takes a ReplicaSet for its own only if the annotations are the same.
 */
async function ofController(
  review: TemplateReview,
  places: readonly DigestedTemplate[],
  { parts, keys }: PartsAndKeys,
  signal: AbortSignal,
): Promise<TemplateStampings> {
  const controller = controllerOf(review.object);
  const owner = controller ?? soleOwnerOf(review.object);
  const stampings: TemplateStamping[] = [];
  for (const place of places) {
    const templateStamp = place.annotationsNow.get(TEMPLATE_STAMP_ANNOTATION);
    const own = ownStampOf(place, review, keys.all);
    const made = { ...namespaceOf(review), owner, templateStamp, restampedFor: own?.user };
    const result = await findOwnerStamp(made, keys.all, parts, signal);
    if (result.outcome === 'nobody') stampings.push({ outcome: 'nobody' });
    else if (result.outcome !== 'stamped') return result;
    else {
      const { stamp, text } = result;
      const { user, requester } = stamp;
      const isSame = stamp.digest === place.digest && text === templateStamp;
      // Who copies the references of a tenant says nothing by them: then the content alone counts.
      if (controller === undefined && !isSame) {
        stampings.push({ outcome: 'nobody' });
        continue;
      }
      stampings.push(isSame ? { outcome: 'as-before', user, text } : { outcome: 'stamped', user, requester });
    }
  }
  return { outcome: 'decided', stampings };
}

function write(
  review: TemplateReview,
  name: string,
  places: readonly DigestedTemplate[],
  stampings: readonly TemplateStamping[],
  { parts, keys }: PartsAndKeys,
): AdmissionDecision {
  const draft = new Draft(review.object);
  if (review.operation === 'CREATE') draft.set(['metadata', 'name'], name);
  draft.remove(['metadata', 'annotations', CLAIM_ANNOTATION]);
  const users = new Set<string>();
  for (const [index, { annotations, digest }] of places.entries()) {
    const { user, text } = annotationsFor(stampings[index], digest, { review, name, key: keys.signing });
    if (user !== undefined) users.add(user);
    for (const [key, value] of [
      [parts.annotation, user],
      [TEMPLATE_STAMP_ANNOTATION, text],
    ] as const) {
      if (value === undefined) draft.remove([...annotations, key]);
      else draft.set([...annotations, key], value);
    }
  }
  const drafted = draft.finish();
  // check: templates-stampable
  if (!drafted.ok) return refuse('object-malformed', `the template can't be stamped: ${drafted.problem}`);
  const [user, ...others] = users;
  return {
    outcome: 'allowed',
    patch: drafted.operations,
    ...(user === undefined || others.length > 0 ? {} : { user }),
    auditAnnotations: user === undefined ? { nobody: 'not-stamped' } : { user: [...users].join(' ') },
  };
}

function annotationsFor(
  stamping: TemplateStamping | undefined,
  digest: string,
  {
    review,
    name,
    key,
  }: { readonly review: TemplateReview; readonly name: string; readonly key: StampSigningKey },
): { readonly user: string | undefined; readonly text: string | undefined } {
  if (stamping === undefined || stamping.outcome === 'nobody') return { user: undefined, text: undefined };
  if (stamping.outcome === 'as-before') return stamping;
  const { user, requester } = stamping;
  const stamp = {
    ...namespaceOf(review),
    kind: stampKindOf(review.kind),
    name,
    user,
    requester,
    digest,
  };
  return { user, text: signTemplateStamp(stamp, key) };
}
