/** What a text of JSON may hold. JSON.parse has no limit of its own: 8 MiB of `{},` take it a second and 600 MB. */
export interface JsonLimits {
  /** Of objects and lists within one another. */
  readonly depth: number;
  /** Objects, lists and commas together, so no fewer than half of all values. */
  readonly values: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

export interface JsonSize {
  readonly exceeded: keyof JsonLimits | undefined;
  /** As {@link JsonLimits} counts them, up to where a limit was exceeded. */
  readonly values: number;
}

/**
 * How much is in it, and which limit is exceeded; of bytes that are no JSON this may say anything. One look at each byte,
 * before anything is made of them. UTF-8: no byte of a longer character looks like one of these.
 */
export function measureJson(bytes: Uint8Array, { depth, values }: JsonLimits): JsonSize {
  let level = 0;
  let counted = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (byte === QUOTE) {
      index = endOfText(bytes, index + 1);
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      level += 1;
      counted += 1;
      if (level > depth) return { exceeded: 'depth', values: counted };
      if (counted > values) return { exceeded: 'values', values: counted };
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      level -= 1;
    } else if (byte === COMMA) {
      counted += 1;
      if (counted > values) return { exceeded: 'values', values: counted };
    }
  }
  return { exceeded: undefined, values: counted };
}

/** Most of a review is text: a loop of its own takes half the time. */
function endOfText(bytes: Uint8Array, start: number): number {
  let index = start;
  for (; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (byte === QUOTE) break;
    if (byte === BACKSLASH) index += 1;
  }
  return index;
}
