import { formatPointer, type JsonPath } from './json-pointer.ts';
import { isList, isMap, type JsonMap, sameJson } from './json-value.ts';
import type { PatchOperation } from './patch-operation.ts';

/** What two versions of an object differ in; `originOf` says of what a container is the edited copy. */
export interface Versions {
  readonly original: unknown;
  readonly wanted: unknown;
  readonly originOf: (container: object) => unknown;
}

/**
 * Goes only where a container is an edited copy of the original's, so it takes the time of the edits and not of the
 * object, and never goes deeper than they did. The API server's patcher (evanphx/json-patch v4) makes no missing parents
 * and takes null for one: a subtree that is new is added in one operation, from its root.
 */
export function differences(versions: Versions): PatchOperation[] {
  const operations: PatchOperation[] = [];
  compare(versions, [], operations);
  return operations;
}

function compare(versions: Versions, path: JsonPath, operations: PatchOperation[]): void {
  const { original, wanted, originOf } = versions;
  if (original === wanted) return;
  const isEdited = typeof wanted === 'object' && wanted !== null && originOf(wanted) === original;
  if (isEdited && isMap(original) && isMap(wanted)) {
    compareMaps({ original, wanted, originOf }, path, operations);
  } else if (isEdited && isList(original) && isList(wanted)) {
    compareLists({ original, wanted, originOf }, path, operations);
  } else if (!sameJson(original, wanted)) {
    operations.push({ op: 'replace', path: formatPointer(path), value: wanted });
  }
}

function compareMaps(
  { original, wanted, originOf }: Versions & { readonly original: JsonMap; readonly wanted: JsonMap },
  path: JsonPath,
  operations: PatchOperation[],
): void {
  for (const key of Object.keys(original)) {
    const here = [...path, key];
    if (!Object.hasOwn(wanted, key)) operations.push({ op: 'remove', path: formatPointer(here) });
    else compare({ original: original[key], wanted: wanted[key], originOf }, here, operations);
  }
  for (const key of Object.keys(wanted)) {
    if (Object.hasOwn(original, key)) continue;
    operations.push({ op: 'add', path: formatPointer([...path, key]), value: wanted[key] });
  }
}

/**
 * Elements are only taken out, put in or replaced, never moved, so those that stayed are in the same order in both lists:
 * one walk finds them. The operations come in the order of the list, so the indexes before one are final.
 */
function compareLists(
  lists: Versions & { readonly original: readonly unknown[]; readonly wanted: readonly unknown[] },
  path: JsonPath,
  operations: PatchOperation[],
): void {
  const { original, wanted, originOf } = lists;
  const at = (index: number): JsonPath => [...path, String(index)];
  let from = 0;
  let fresh = 0;
  const stayed = [...stayingElements(lists), { originalIndex: original.length, index: wanted.length }];
  for (const { originalIndex, index } of stayed) {
    const gone = originalIndex - from;
    for (let offset = 0; offset < index - fresh; offset += 1) {
      const value = wanted[fresh + offset];
      const here = at(fresh + offset);
      if (offset >= gone) operations.push({ op: 'add', path: formatPointer(here), value });
      else compare({ original: original[from + offset], wanted: value, originOf }, here, operations);
    }
    for (let extra = index - fresh; extra < gone; extra += 1) {
      operations.push({ op: 'remove', path: formatPointer(at(index)) });
    }
    if (index < wanted.length) {
      compare({ original: original[originalIndex], wanted: wanted[index], originOf }, at(index), operations);
    }
    from = originalIndex + 1;
    fresh = index + 1;
  }
}

interface StayingElement {
  readonly originalIndex: number;
  readonly index: number;
}

function stayingElements({
  original,
  wanted,
  originOf,
}: Versions & {
  readonly original: readonly unknown[];
  readonly wanted: readonly unknown[];
}): StayingElement[] {
  const sourceOf = (element: unknown): unknown =>
    typeof element === 'object' && element !== null ? (originOf(element) ?? element) : element;
  const shorter = Math.min(original.length, wanted.length);
  // Common ends first: equal texts within a list could otherwise be taken for one another.
  let front = 0;
  while (front < shorter && original[front] === sourceOf(wanted[front])) front += 1;
  let back = 0;
  while (back < shorter - front && original.at(-1 - back) === sourceOf(wanted.at(-1 - back))) back += 1;

  const staying: StayingElement[] = [];
  for (let index = 0; index < front; index += 1) staying.push({ originalIndex: index, index });
  const places = new Map<unknown, number>();
  for (let index = original.length - back - 1; index >= front; index -= 1) places.set(original[index], index);
  let next = front;
  for (let index = front; index < wanted.length - back; index += 1) {
    const originalIndex = places.get(sourceOf(wanted[index]));
    if (originalIndex === undefined || originalIndex < next) continue;
    staying.push({ originalIndex, index });
    next = originalIndex + 1;
  }
  for (let offset = back; offset > 0; offset -= 1) {
    staying.push({ originalIndex: original.length - offset, index: wanted.length - offset });
  }
  return staying;
}
