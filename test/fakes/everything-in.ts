import { inspect } from 'node:util';

/** All that a logger could ever make of a value: for searching it for what must not be there. */
export function everythingIn(value: unknown): string {
  const parts = [
    inspect(value, { depth: null, showHidden: true, maxStringLength: null, maxArrayLength: null }),
  ];
  try {
    parts.push(JSON.stringify(value, replaceBigInt) ?? '');
  } catch (error) {
    parts.push(`not JSON: ${String(error)}`);
  }
  for (let error = value; error instanceof Error; error = error.cause) {
    parts.push(String(error), error.stack ?? '', JSON.stringify(Object.entries(error), replaceBigInt));
  }
  return parts.join('\n');
}

function replaceBigInt(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
