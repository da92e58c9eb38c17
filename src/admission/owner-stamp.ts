import { errorCode } from '../observability/error-code.ts';
import { readTemplateStamp, type TemplateStamp } from '../identity/stamps/template-stamp.ts';
import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import type { StampPublicKeys } from '../identity/stamps/stamp-keys.ts';
import type { DecoratorParts, DigestedTemplate } from './decorator-parts.ts';
import { couldNotCheck, refuse, type Stopped } from './decisions.ts';
import type { FoundObject } from './look-ups.ts';
import {
  controllerOf,
  soleOwnerOf,
  groupKind,
  isCustomGroup,
  metadataText,
  type OwnerReference,
} from './object-metadata.ts';
import { isOfNamespace, stampAt, type StampedNamespace } from './own-stamp.ts';
import { quote } from './requester/quote.ts';

/** What a controller has made, and what it was made from by its own word. */
export interface MadeObject extends StampedNamespace {
  readonly owner: OwnerReference | undefined;
  /** The template stamp that came with it: a copy of the one in the owner's template. */
  readonly templateStamp: string | undefined;
  /** The user of the stamp that we have put in the place of that one: any stamp of the owner for that user will do. */
  readonly restampedFor?: string | undefined;
}

/** Why it speaks for nobody, which is no fault: for the audit. */
export type NobodyReason = 'mirror-pod' | 'no-owner' | 'owner-without-template' | Unstamped;

/** `before-stamp`: the owner has one by now, and this is of its template from before. */
type Unstamped = 'owner-not-stamped' | 'before-stamp';

export type OwnerStamp =
  | { readonly outcome: 'stamped'; readonly stamp: TemplateStamp; readonly text: string }
  | { readonly outcome: 'nobody'; readonly why: NobodyReason }
  | Stopped;

type Parts = Pick<DecoratorParts, 'readObject' | 'findTemplates'>;

/**
 * The template stamp behind something that a trusted controller has made. What it was made with says nothing by itself:
 * the owner is read anew, and its template must be the one that was stamped.
 */
export async function findOwnerStamp(
  made: MadeObject,
  keys: StampPublicKeys,
  parts: Parts,
  signal: AbortSignal,
): Promise<OwnerStamp> {
  if (made.owner === undefined) return { outcome: 'nobody', why: 'no-owner' };
  const owner = await readOwner(made.namespace, made.owner, parts, signal);
  if ('outcome' in owner) return owner;

  const found = parts.findTemplates(owner.resource, owner.object);
  // check: owner-templates-readable
  if (!found.ok) return refuse('owner-malformed', `${describe(made.owner)}: ${found.problem}`);
  if (found.places.length === 0) return { outcome: 'nobody', why: 'owner-without-template' };

  const place = placeOf(made, found.places, keys);
  if (place === 'owner-not-stamped' || place === 'before-stamp') return { outcome: 'nobody', why: place };
  const earlier = place === undefined ? earlierStamp(made, found.places, keys) : undefined;
  if (earlier !== undefined) return earlier;
  // check: owner-has-stamp
  if (place === undefined)
    return refuse(
      'template-stamp-differs',
      `the template stamp is none of ${describe(made.owner)}: if its template was changed just now, this passes by itself`,
    );

  const opened = readTemplateStamp(place.text, keys);
  // check: template-stamp-verified
  if (opened.outcome === 'refused')
    return refuse(
      `template-stamp-${opened.reason}`,
      `the template stamp of ${describe(made.owner)} is not a good one: ${HOW_TO_STAMP}`,
    );

  const { stamp } = opened;
  // check: template-stamp-namespace
  if (!isOfNamespace(stamp, made))
    return refuse(
      'template-stamp-of-other-namespace',
      `the template stamp of ${describe(made.owner)} is from another namespace: ${HOW_TO_STAMP}`,
    );

  const named = await checkNamed(stamp, made, { owner: made.owner, object: owner.object }, parts, signal);
  if (named !== undefined) return named;

  // check: template-stamp-digest
  if (stamp.digest !== place.digest)
    return refuse(
      'template-changed',
      `the template of ${describe(made.owner)} is not the one that was stamped for ${quote(stamp.user)}: somebody changed it while the webhook did not see it; ${HOW_TO_STAMP}`,
      stamp.user,
    );
  return { outcome: 'stamped', stamp, text: place.text };
}

const HOW_TO_STAMP = 'change its template anew as the user it shall speak for';

/** The stamp names the owner itself, or what owns it in turn, as a Deployment owns the ReplicaSet that has its template. */
export async function checkNamed(
  stamp: TemplateStamp,
  { namespace }: Pick<MadeObject, 'namespace'>,
  { owner, object }: { readonly owner: Omit<OwnerReference, 'uid'>; readonly object: unknown },
  parts: Parts,
  signal: AbortSignal,
): Promise<Stopped | undefined> {
  if (names(stamp, owner)) return undefined;
  const above = controllerOf(object) ?? soleOwnerOf(object);
  // check: template-stamp-names-owner
  if (above === undefined || !names(stamp, above))
    return refuse(
      'template-stamp-of-other-object',
      `the template stamp of ${describe(owner)} is that of ${quote(`${stamp.kind} ${stamp.name}`)}, which does not own it: ${HOW_TO_STAMP}`,
      stamp.user,
    );
  const read = await readOwner(namespace, above, parts, signal);
  return 'outcome' in read ? read : undefined;
}

const names = (stamp: TemplateStamp, { apiVersion, kind, name }: Omit<OwnerReference, 'uid'>): boolean =>
  stamp.kind === groupKind(apiVersion, kind) && stamp.name === name;

async function readOwner(
  namespace: string,
  owner: OwnerReference,
  { readObject }: Parts,
  signal: AbortSignal,
): Promise<FoundObject | Stopped> {
  const { apiVersion, kind, name, uid } = owner;
  let found: FoundObject | undefined;
  try {
    found = await readObject({ apiVersion, kind, namespace, name }, { signal });
  } catch (error) {
    return couldNotCheck('kubernetes-api', `${describe(owner)} could not be read (${errorCode(error)})`);
  }
  // check: owner-found
  if (found === undefined)
    return refuse(
      'owner-not-found',
      `${describe(owner)}, which owns it, does not exist: its controller will see that`,
    );
  // check: owner-uid
  if (metadataText(found.object, 'uid') !== uid)
    return refuse(
      'owner-uid-differs',
      `${describe(owner)}, which owned it, was replaced by another of its name`,
    );
  return found;
}

/** Where the stamp stands in the owner; of a custom resource with one template also when its controller copies no annotations. */
function placeOf(
  { owner, templateStamp: text, restampedFor }: MadeObject,
  places: readonly DigestedTemplate[],
  keys: StampPublicKeys,
): { readonly text: string; readonly digest: string } | Unstamped | undefined {
  const stamped = places.flatMap(({ annotationsNow, digest }) => {
    const stamp = annotationsNow.get(TEMPLATE_STAMP_ANNOTATION);
    return stamp === undefined ? [] : [{ text: stamp, digest }];
  });
  if (restampedFor !== undefined)
    return stamped.find((one) => {
      const opened = readTemplateStamp(one.text, keys);
      return opened.outcome === 'valid' && opened.stamp.user === restampedFor;
    });
  if (stamped.length === 0) return text === undefined ? 'owner-not-stamped' : undefined;
  if (text === undefined) {
    // Kubernetes' own controllers copy all annotations: it is of a template from before there was a stamp.
    // check: built-in-copies-stamp
    if (isBuiltIn(owner)) return 'before-stamp';
    return places.length === 1 ? stamped[0] : undefined;
  }
  const same = stamped.filter((one) => one.text === text);
  // Stamped alike they were alike. If they no longer are, nobody can tell from which of them it was made.
  const isAlike = same.every(({ digest }) => digest === same[0]?.digest);
  return same[0] === undefined || isAlike ? same[0] : { text, digest: 'differ' };
}

/** What keeps its earlier templates, and makes pods of them while a change is rolled out. */
const WITH_REVISIONS: readonly string[] = ['apps/StatefulSet', 'apps/DaemonSet'];

/** That of an earlier template of the same owner, if it has been the same user's all along. */
function earlierStamp(
  made: MadeObject,
  places: readonly DigestedTemplate[],
  keys: StampPublicKeys,
): Extract<OwnerStamp, { readonly outcome: 'stamped' }> | undefined {
  const { owner, templateStamp: text } = made;
  if (owner === undefined || text === undefined) return undefined;
  if (!WITH_REVISIONS.includes(groupKind(owner.apiVersion, owner.kind))) return undefined;
  const opened = readTemplateStamp(text, keys);
  if (opened.outcome === 'refused') return undefined;
  const { stamp } = opened;
  const isOfOwner = (one: TemplateStamp): boolean => isOfNamespace(one, made) && names(one, owner);
  const isStillTheirs = places.some((place) => {
    const now = stampAt(place, keys);
    return now !== undefined && isOfOwner(now) && now.user === stamp.user && now.digest === place.digest;
  });
  return isOfOwner(stamp) && isStillTheirs ? { outcome: 'stamped', stamp, text } : undefined;
}

function isBuiltIn(owner: OwnerReference | undefined): boolean {
  const [group = ''] = owner?.apiVersion.split('/') ?? [];
  return !isCustomGroup(group);
}

export function describe({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${quote(kind)} ${quote(name)}`;
}
