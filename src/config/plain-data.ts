/* What a file holds once it is parsed: mappings, lists and plain values, of any shape until a schema has seen them. */

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** undefined for what the mapping only inherits, and where there is no mapping. */
export function valueAt(mapping: unknown, key: string): unknown {
  return typeof mapping === 'object' && mapping !== null && Object.hasOwn(mapping, key)
    ? Reflect.get(mapping, key)
    : undefined;
}

/** A copy of `below` with the defined values of `above`, mapping by mapping. */
export function overlay(below: unknown, above: Readonly<Record<string, unknown>>): unknown {
  if (!isMapping(below)) return below;
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue;
    if (!isMapping(value)) merged[key] = value;
    else if (Object.values(value).some((each) => each !== undefined))
      merged[key] = overlay(below[key] ?? {}, value);
  }
  return merged;
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) deepFreeze(each);
    Object.freeze(value);
  }
  return value;
}
