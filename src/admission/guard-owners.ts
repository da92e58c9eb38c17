import type { StampPublicKeys } from '../identity/stamps/stamp-keys.ts';
import type { DecoratorParts, DigestedTemplate } from './decorator-parts.ts';
import { refuse, type Stopped } from './decisions.ts';
import { mayKeep } from './keep-identity.ts';
import { namedUserOf } from './named-user.ts';
import { metadataText } from './object-metadata.ts';
import { isOfNamespace, stampAt } from './own-stamp.ts';
import { childOf, isList, sameJson } from './patch/json-value.ts';
import { quote } from './requester/quote.ts';
import type { TemplateReview } from './stamp-templates.ts';
import { askRequester } from './whose-pod.ts';

/**
 * UPDATE of a workload: a controller may change the template of what an owner of the same user owns, so who owns it is the
 * business of its user, and of controllers. Whoever may edit a workload may write its ownerReferences.
 */
export async function guardOwners(
  review: TemplateReview,
  before: readonly DigestedTemplate[],
  { parts, keys }: { readonly parts: DecoratorParts; readonly keys: StampPublicKeys },
  signal: AbortSignal,
): Promise<Stopped | undefined> {
  const old = ownersOf(review.oldObject);
  // Who takes one away gives nobody a way in: the garbage collector does so.
  if (ownersOf(review.object).every((owner) => old.some((other) => sameJson(owner, other)))) return undefined;
  const stamps = before.flatMap((place) => stampAt(place, keys) ?? []);
  const users = new Set(stamps.filter((stamp) => isOfNamespace(stamp, review)).map(({ user }) => user));
  const [user, ...others] = users;
  if (user === undefined) return undefined;
  const asked = await askRequester(review, namedUserOf(review, before, parts.annotation), parts);
  if (asked.outcome === 'could-not-check') return asked;
  if (asked.outcome === 'trusted-controller') return undefined;
  if (asked.outcome === 'user' && asked.user === user && others.length === 0) return undefined;
  const kept = await mayKeep(review, asked, parts, signal);
  if (typeof kept !== 'boolean') return kept;
  // check: owners-of-another
  if (!kept)
    return refuse(
      'owners-of-another',
      `this changes the ownerReferences of ${quote(metadataText(review.oldObject, 'name') ?? '')}, which speaks for ${quote(user)}: ask them to do it, or an administrator for the verb keep-identity on it`,
      user,
    );
  return undefined;
}

/** What says who they are; blockOwnerDeletion is the garbage collector's. */
function ownersOf(object: unknown): readonly unknown[] {
  const references = childOf(childOf(object, 'metadata'), 'ownerReferences') ?? [];
  // The API server lets in nothing but a list.
  if (!isList(references)) return [references];
  return references.map((reference) =>
    ['apiVersion', 'kind', 'name', 'uid', 'controller'].map((member) => childOf(reference, member) ?? null),
  );
}
