import { describeType, isList, isMap } from '../patch/json-value.ts';

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
 * In one pass over the value, so in a time that goes with its size, which the API server bounds (3 MiB a request).
 */
export function canonicalJson(value: unknown): CanonicalJson {
  try {
    return { ok: true, text: write(value, MAX_DEPTH) };
  } catch (error) {
    if (error instanceof NotCanonical) return { ok: false, problem: error.message };
    throw error;
  }
}

const PLAIN = /^[ !#-[\]-~]*$/;

class NotCanonical extends Error {
  override readonly name = 'NotCanonical';
}

function write(value: unknown, depthLeft: number): string {
  if (typeof value === 'string') return quote(value);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new NotCanonical('it has a number that is too large to be held');
    return JSON.stringify(value);
  }
  if (depthLeft === 0) throw new NotCanonical(`it is nested more than ${MAX_DEPTH} deep`);
  if (isList(value)) {
    let text = '';
    for (const element of value) text += `${text === '' ? '' : ','}${write(element, depthLeft - 1)}`;
    return `[${text}]`;
  }
  if (isMap(value)) {
    let text = '';
    // The default order of sort() is that of UTF-16 code units.
    for (const key of Object.keys(value).sort()) {
      text += `${text === '' ? '' : ','}${quote(key)}:${write(value[key], depthLeft - 1)}`;
    }
    return `{${text}}`;
  }
  throw new NotCanonical(`it holds ${describeType(value)}`);
}

/** Most texts need no escapes, and for those a look is several times faster. */
function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
