import { describeType, isList, isMap, type JsonMap } from '../patch/json-value.ts';

/**
 * The API server itself takes objects that are nested 10,000 deep (the limit of Go's encoding/json, and so of what it
 * decodes). No pod template comes near 100, and our own stack must hold what a tenant writes.
 */
export const MAX_DEPTH = 100;

export type CanonicalJson =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

/**
 * RFC 8785: keys sorted by UTF-16 code units, no whitespace, numbers and texts as JavaScript prints them. A text with half
 * of a surrogate pair is no I-JSON; such a half is written as its escape, so it is like no other text.
 *
 * In one pass over the value, so in a time that goes with its size, which the API server bounds (3 MiB a request). What is
 * written is the value with its keys in order: JSON.stringify is several times faster than anything that joins texts.
 */
export function canonicalJson(value: unknown): CanonicalJson {
  try {
    return { ok: true, text: JSON.stringify(inOrder(value, MAX_DEPTH)) };
  } catch (error) {
    if (error instanceof NotCanonical) return { ok: false, problem: error.message };
    throw error;
  }
}

class NotCanonical extends Error {
  override readonly name = 'NotCanonical';
}

/** A copy with the keys of each map in order. */
function inOrder(value: unknown, depthLeft: number): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new NotCanonical('it has a number that is too large to be held');
    return value;
  }
  if (depthLeft === 0) throw new NotCanonical(`it is nested more than ${MAX_DEPTH} deep: make it flatter`);
  if (isList(value)) return value.map((element) => inOrder(element, depthLeft - 1));
  if (isMap(value)) return mapInOrder(value, depthLeft - 1);
  throw new NotCanonical(`it holds ${describeType(value)}`);
}

function mapInOrder(map: JsonMap, depthLeft: number): JsonMap {
  const keys = Object.keys(map);
  // The default order of sort() is that of UTF-16 code units.
  if (!areSorted(keys)) keys.sort();
  if (keys.some(isOdd)) return oddMapInOrder(map, keys, depthLeft);
  const copy: Record<string, unknown> = {};
  for (const key of keys) copy[key] = inOrder(map[key], depthLeft);
  return copy;
}

/** Most maps are, and to see it takes less than to sort. */
function areSorted(keys: readonly string[]): boolean {
  for (let index = 1; index < keys.length; index += 1) {
    if ((keys[index - 1] ?? '') > (keys[index] ?? '')) return false;
  }
  return true;
}

/** Keys that a plain copy would not have in their place: numbers come first in any object, `__proto__` sets its prototype. */
function isOdd(key: string): boolean {
  const first = key.charCodeAt(0);
  return (first >= DIGIT_0 && first <= DIGIT_9) || key === '__proto__';
}

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

function oddMapInOrder(map: JsonMap, keys: readonly string[], depthLeft: number): JsonMap {
  const copy = Object.fromEntries(keys.map((key) => [key, inOrder(map[key], depthLeft)]));
  return new Proxy(copy, { ownKeys: () => [...keys] });
}
