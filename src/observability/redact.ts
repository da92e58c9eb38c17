import { describeError } from './describe-error.ts';
import { Secret } from './secret.ts';

const REDACTED = '[redacted]';
const MAX_DEPTH = 6;
const MAX_ENTRIES = 100;
const MAX_TEXT = 8_000;

/** Names of fields that have no business in a log whatever they hold. Compared without case, `-` and `_`. */
const SECRET_FIELDS = new Set([
  'authorization',
  'proxyauthorization',
  'wwwauthenticate',
  'headers',
  'rawheaders',
  'cookie',
  'cookies',
  'setcookie',
  'password',
  'passphrase',
  'token',
  'accesstoken',
  'bearertoken',
  'serviceaccounttoken',
  'delegationtoken',
  'spnegotoken',
  'delegation',
  'identifier',
  'credentials',
  'secret',
  'privatekey',
  'body',
  'data',
  'urlstring',
]);

/**
 * Forms in which a secret hides inside a text: authorization schemes, the `hadoop.auth` cookie, WebHDFS query
 * parameters, JWTs, PEM keys, and long mixed runs of base64url such as an encoded Hadoop token.
 */
const SECRET_TEXTS: readonly { readonly pattern: RegExp; readonly replacement: string }[] = [
  {
    pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
    replacement: REDACTED,
  },
  { pattern: /\b(Bearer|Negotiate|Basic|Digest)\s+[\w+/=.~-]{8,}/gi, replacement: `$1 ${REDACTED}` },
  { pattern: /(hadoop\.auth\s*=\s*)(?:"[^"]*"?|[^\s;,]+)/gi, replacement: `$1${REDACTED}` },
  { pattern: /([?&](?:token|delegation)=)[^&\s"']+/gi, replacement: `$1${REDACTED}` },
  { pattern: /\beyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?/g, replacement: REDACTED },
  // The signature of a `hadoop.auth` cookie, wherever the rest of it has gone.
  { pattern: /(?<!\w)(s=)[\w+/-]{20,}={0,2}/g, replacement: `$1${REDACTED}` },
  {
    // The first lookahead keeps the others from being tried at every slash of a long path.
    pattern:
      /(?<![\w+-])(?=[\w+-]{24})(?=[\w+/-]{0,200}[A-Z])(?=[\w+/-]{0,200}[a-z])(?=[\w+/-]{0,200}\d)[\w+/-]{40,}={0,2}/g,
    replacement: REDACTED,
  },
];

/**
 * Most texts: names, addresses, UIDs, our own words. Each pattern above needs a capital letter, an `=` or white space, and
 * nothing of these is escaped, so nothing in them changes.
 */
const PLAIN_TEXT = /^[a-z0-9._:/@-]*$/;

/**
 * The second line of defence behind {@link Secret}: a copy of log fields without what looks like a secret by its
 * name, its type (bytes) or its form. Bounded in depth and size; errors become {@link describeError}'s fields.
 */
export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(fields, 0, new Set());
}

/**
 * The rest, but short: no pattern matches without white space, an `=`, a run of 40 characters, or the beginning of a JWT.
 */
const SHORT_TEXT = /^[\w.:/@-]{0,39}$/;

/** Redaction would leave the text as it is, and so would JSON. */
export function isUnchangedText(text: string): boolean {
  return (
    (text.length <= MAX_TEXT && PLAIN_TEXT.test(text)) || (SHORT_TEXT.test(text) && !text.includes('eyJ'))
  );
}

export function isSecretField(name: string): boolean {
  return SECRET_FIELDS.has(name.toLowerCase().replaceAll(/[-_]/g, ''));
}

/** Redacted, bounded, and in printable ASCII. */
export function redactText(text: string): string {
  if (isUnchangedText(text)) return text;
  const bounded = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text;
  return escapeText(
    SECRET_TEXTS.reduce((rest, { pattern, replacement }) => rest.replace(pattern, replacement), bounded),
  );
}

/**
 * JSON lets DEL, the C1 controls, line separators and direction marks through, with which a name could forge a line or
 * turn it round on a terminal. Line breaks and tabs stay (stack traces have them): JSON escapes those.
 */
function escapeText(text: string): string {
  return text.replaceAll(
    /[^\x20-\x7E\n\t]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function redactValue(value: unknown, depth: number, seen: ReadonlySet<object>): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value);
    case 'bigint':
      return value.toString();
    case 'number':
    case 'boolean':
    case 'undefined':
      return value;
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      return value === null ? null : redactReference(value, depth, seen);
  }
}

function redactReference(value: object, depth: number, seen: ReadonlySet<object>): unknown {
  if (value instanceof Secret || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return REDACTED;
  if (depth >= MAX_DEPTH || seen.has(value)) return '[omitted]';
  const path = new Set(seen).add(value);
  if (value instanceof Error || Object.prototype.toString.call(value) === '[object Error]') {
    return redactObject({ ...describeError(value) }, depth, path);
  }
  if (Array.isArray(value)) {
    return value.slice(0, MAX_ENTRIES).map((each: unknown) => redactValue(each, depth + 1, path));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // A class instance (a request, a socket, a Map) is not log data: its fields were not chosen for a log.
  if (prototype !== Object.prototype && prototype !== null) return '[object]';
  return redactObject(value, depth, path);
}

function redactObject(fields: object, depth: number, seen: ReadonlySet<object>): Record<string, unknown> {
  const redacted: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields).slice(0, MAX_ENTRIES)) {
    if (value === undefined) continue;
    redacted[escapeText(name)] = isSecretField(name) ? REDACTED : redactValue(value, depth + 1, seen);
  }
  return redacted;
}
