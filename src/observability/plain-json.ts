import { isSecretField, isUnchangedText } from './redact.ts';

const MAX_DEPTH = 3;
const MAX_ITEMS = 32;
const MAX_TEXT = 256;
/** Texts and names that are remembered; past this many they are forgotten. */
const MAX_REMEMBERED = 1_000;
/** Of a text that is worth it: shorter than a time or a UUID, which are new each time. */
const MAX_REMEMBERED_LENGTH = 23;

/**
 * The JSON of most log fields and audit lines in one go: of values in which redaction would change nothing and JSON would
 * escape nothing. Undefined where that takes a closer look; members that are undefined are left out, as JSON does it.
 */
export function toPlainJson(value: unknown, depth = 0): string | undefined {
  if (typeof value === 'string') return jsonOfText(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return undefined;
  return jsonOfObject(value, depth);
}

/** Members that many lines have, at the end of each. Nobody changes them any more, so their JSON is made once. */
export class CommonFields<T extends object = object> {
  readonly fields: T;
  /** `,"name":value` for each, ASCII; undefined where that takes a closer look. */
  readonly json: string | undefined;

  constructor(fields: T) {
    const json = toPlainJson(fields);
    this.fields = fields;
    // Copied, since what was put together of many pieces takes as long to read again as to make.
    this.json = json === undefined ? undefined : Buffer.from(membersOf(json), 'latin1').toString('latin1');
  }
}

/** Of an object's JSON: to stand behind other members. */
export function membersOf(json: string): string {
  return json.length > 2 ? `,${json.slice(1, -1)}` : '';
}

/** The name of a member and the colon, or undefined if it is one that is redacted. */
function memberStart(name: string): string | undefined {
  const known = starts.get(name);
  if (known !== undefined) return known;
  if (isSecretField(name) || !isUnchangedText(name)) return undefined;
  return remember(starts, name, `"${name}":`);
}

const starts = new Map<string, string>();
const texts = new Map<string, string>();

function jsonOfText(text: string): string | undefined {
  const isShort = text.length <= MAX_REMEMBERED_LENGTH;
  const known = isShort ? texts.get(text) : undefined;
  if (known !== undefined) return known;
  if (text.length > MAX_TEXT || !isUnchangedText(text)) return undefined;
  const json = `"${text}"`;
  return isShort ? remember(texts, text, json) : json;
}

function remember(known: Map<string, string>, key: string, value: string): string {
  if (known.size >= MAX_REMEMBERED) known.clear();
  known.set(key, value);
  return value;
}

function jsonOfObject(value: object, depth: number): string | undefined {
  if (Array.isArray(value)) return jsonOfItems(value, depth);
  return Object.getPrototypeOf(value) === Object.prototype ? jsonOfMembers(value, depth) : undefined;
}

function jsonOfItems(items: readonly unknown[], depth: number): string | undefined {
  if (items.length > MAX_ITEMS) return undefined;
  let json = '[';
  for (const item of items) {
    const text = toPlainJson(item, depth + 1);
    if (text === undefined) return undefined;
    json += json.length === 1 ? text : `,${text}`;
  }
  return `${json}]`;
}

function jsonOfMembers(members: object, depth: number): string | undefined {
  let json = '{';
  for (const name of Object.keys(members)) {
    const member: unknown = Reflect.get(members, name);
    if (member === undefined) continue;
    const start = memberStart(name);
    const text = toPlainJson(member, depth + 1);
    if (start === undefined || text === undefined) return undefined;
    json += json.length === 1 ? start + text : `,${start}${text}`;
  }
  return `${json}}`;
}
