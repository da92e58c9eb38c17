import { type JsonPath, parsePointer } from '../patch/json-pointer.ts';

/** All keys of a map, or all elements of a list. A symbol, because `*` may be a key as well. */
export const EACH = Symbol('each');

export type PathPattern = readonly (string | typeof EACH)[];

export const MAX_SEGMENTS = 32;

/** A JSON pointer in which a segment `*` stands for all members; undefined if it is none. */
export function parsePattern(text: string): PathPattern | undefined {
  const segments = parsePointer(text);
  if (segments === undefined || segments.length > MAX_SEGMENTS) return undefined;
  return segments.map((segment) => (segment === '*' ? EACH : segment));
}

/** Up to its last {@link EACH}, and what follows. */
export function splitPattern(pattern: PathPattern): { readonly head: PathPattern; readonly tail: JsonPath } {
  const end = pattern.lastIndexOf(EACH) + 1;
  return { head: pattern.slice(0, end), tail: pattern.slice(end).filter((segment) => segment !== EACH) };
}

export function samePattern(left: PathPattern, right: PathPattern): boolean {
  return left.length === right.length && left.every((segment, index) => segment === right[index]);
}

export function startsWith(path: PathPattern, start: PathPattern): boolean {
  return path.length >= start.length && start.every((segment, index) => segment === path[index]);
}

export function endsWith(path: JsonPath, end: PathPattern): boolean {
  const rest = path.length - end.length;
  return rest >= 0 && end.every((segment, index) => segment === EACH || segment === path[rest + index]);
}
