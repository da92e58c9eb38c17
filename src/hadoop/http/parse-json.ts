const INTEGER = /^-?\d+$/u;

/**
 * JSON as Hadoop writes it, with every integer as bigint: dates are Java longs, and Long.MAX_VALUE does not survive as
 * a double. Other numbers stay numbers. Throws SyntaxError, whose message quotes the input: drop it.
 */
export function parseHadoopJson(text: string): unknown {
  return JSON.parse(text, exactIntegers) as unknown;
}

// The third argument of a reviver (JSON.parse source text access) is not in TypeScript's es2024 library.
function exactIntegers(
  _key: string,
  value: unknown,
  ...rest: readonly { readonly source?: string }[]
): unknown {
  const source = rest[0]?.source;
  return typeof value === 'number' && source !== undefined && INTEGER.test(source) ? BigInt(source) : value;
}

/** The member of a JSON object, or undefined when there is no such object or member. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.getOwnPropertyDescriptor(value, name)?.value
    : undefined;
}
