import { isSecretField, isUnchangedText } from './redact.ts';

const MAX_DEPTH = 3;
const MAX_ITEMS = 32;
const MAX_TEXT = 256;
const MAX_NAMES = 1_000;

/**
 * The JSON of most log fields and audit lines in one go: of values in which redaction would change nothing and JSON would
 * escape nothing. Undefined where that takes a closer look; members that are undefined are left out, as JSON does it.
 */
export function toPlainJson(value: unknown, depth = 0): string | undefined {
  switch (typeof value) {
    case 'string':
      return value.length <= MAX_TEXT && isUnchangedText(value) ? `"${value}"` : undefined;
    case 'number':
      return Number.isFinite(value) ? String(value) : undefined;
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null || depth >= MAX_DEPTH) return undefined;
      if (Array.isArray(value)) return itemsOf(value, depth);
      return Object.getPrototypeOf(value) === Object.prototype ? membersOf(value, depth) : undefined;
    default:
      return undefined;
  }
}

/** The name of a member and the colon, or undefined if it is one that is redacted. */
export function memberStart(name: string): string | undefined {
  const known = starts.get(name);
  if (known !== undefined) return known;
  if (isSecretField(name) || !isUnchangedText(name)) return undefined;
  const start = `"${name}":`;
  // Names are our own and few; this is for what we did not think of.
  if (starts.size < MAX_NAMES) starts.set(name, start);
  return start;
}

const starts = new Map<string, string>();

function itemsOf(items: readonly unknown[], depth: number): string | undefined {
  if (items.length > MAX_ITEMS) return undefined;
  let json = '[';
  for (const item of items) {
    const text = toPlainJson(item, depth + 1);
    if (text === undefined) return undefined;
    json += json.length === 1 ? text : `,${text}`;
  }
  return `${json}]`;
}

function membersOf(members: object, depth: number): string | undefined {
  let json = '{';
  for (const [name, member] of Object.entries(members) as [string, unknown][]) {
    if (member === undefined) continue;
    const start = memberStart(name);
    const text = toPlainJson(member, depth + 1);
    if (start === undefined || text === undefined) return undefined;
    json += json.length === 1 ? start + text : `,${start}${text}`;
  }
  return `${json}}`;
}
