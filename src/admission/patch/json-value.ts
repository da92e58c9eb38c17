/** What JSON can say. Objects that come from outside are `unknown` instead, and looked at with {@link isMap}. */
export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export type JsonMap = Readonly<Record<string, unknown>>;

export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** For a sentence: the value itself may be a tenant's secret. */
export function describeType(value: unknown): string {
  if (value === null) return 'null';
  if (isList(value)) return 'a list';
  if (isMap(value)) return 'a map';
  if (typeof value === 'string') return 'a text';
  if (typeof value === 'number') return 'a number';
  return typeof value === 'boolean' ? 'a boolean' : 'nothing of JSON';
}

/**
 * The member of a map or the element of a list; undefined if there is none. Never what a prototype has: a tenant may
 * name a key `constructor`.
 */
export function childOf(parent: unknown, segment: string): unknown {
  if (isList(parent)) {
    const index = listIndex(segment);
    return index === undefined ? undefined : parent[index];
  }
  return isMap(parent) && Object.hasOwn(parent, segment) ? parent[segment] : undefined;
}

/** RFC 6901, section 4: digits without leading zeros. */
export function listIndex(segment: string): number | undefined {
  return /^(?:0|[1-9]\d{0,8})$/.test(segment) ? Number(segment) : undefined;
}

/** Whether two JSON values say the same. Walks without recursion: a tenant decides how deep they go. */
export function sameJson(left: unknown, right: unknown): boolean {
  const waiting: [unknown, unknown][] = [[left, right]];
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    const [one, other] = pair;
    if (one === other) continue;
    if (isList(one) && isList(other)) {
      if (one.length !== other.length) return false;
      one.forEach((element, index) => waiting.push([element, other[index]]));
    } else if (isMap(one) && isMap(other)) {
      const keys = Object.keys(one);
      if (keys.length !== Object.keys(other).length) return false;
      for (const key of keys) {
        if (!Object.hasOwn(other, key)) return false;
        waiting.push([one[key], other[key]]);
      }
    } else {
      return false;
    }
  }
  return true;
}
