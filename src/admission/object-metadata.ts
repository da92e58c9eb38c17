import { childOf, isList, isMap } from './patch/json-value.ts';

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** The values that are texts: Kubernetes lets in no others, and what isn't there yet has none. */
export function textsOf(map: unknown): Readonly<Record<string, string>> {
  if (!isMap(map)) return {};
  const texts = Object.entries(map).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  // Not by assignment: a key may be `__proto__`.
  return Object.fromEntries(texts);
}

export function metadataText(object: unknown, member: string): string | undefined {
  const value = childOf(childOf(object, 'metadata'), member);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function annotationsOf(object: unknown): Readonly<Record<string, string>> {
  return textsOf(childOf(childOf(object, 'metadata'), 'annotations'));
}

export function labelsOf(object: unknown): Readonly<Record<string, string>> {
  return textsOf(childOf(childOf(object, 'metadata'), 'labels'));
}

export function textIn(texts: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  return texts !== undefined && Object.hasOwn(texts, key) ? texts[key] : undefined;
}

/** The owner that manages the object: the API server lets in one with `controller: true` at most. */
export function controllerOf(object: unknown): OwnerReference | undefined {
  return onlyReference(
    ownerReferencesOf(object).filter((reference) => childOf(reference, 'controller') === true),
  );
}

/** The only owner there is, where none says that it manages the object: some operators leave that out. */
export function soleOwnerOf(object: unknown): OwnerReference | undefined {
  return onlyReference(ownerReferencesOf(object));
}

function ownerReferencesOf(object: unknown): readonly unknown[] {
  const references = childOf(childOf(object, 'metadata'), 'ownerReferences');
  return isList(references) ? references : [];
}

function onlyReference(references: readonly unknown[]): OwnerReference | undefined {
  if (references.length !== 1) return undefined;
  const [apiVersion, kind, name, uid] = ['apiVersion', 'kind', 'name', 'uid'].map((member) =>
    childOf(references[0], member),
  );
  const isWhole =
    typeof apiVersion === 'string' &&
    typeof kind === 'string' &&
    typeof name === 'string' &&
    typeof uid === 'string' &&
    uid !== '';
  return isWhole ? { apiVersion, kind, name, uid } : undefined;
}

/** May be a custom resource's: Kubernetes asks for a dot in the group of a definition. Groups without one are its own. */
export function isCustomGroup(group: string): boolean {
  return group.includes('.');
}

/** `apps/Deployment`; of the core group the kind alone, as a template stamp has it. */
export function groupKind(apiVersion: string, kind: string): string {
  const slash = apiVersion.indexOf('/');
  return slash === -1 ? kind : `${apiVersion.slice(0, slash)}/${kind}`;
}
