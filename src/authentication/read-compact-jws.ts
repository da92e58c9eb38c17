import { MAX_BEARER_TOKEN_LENGTH } from './bearer-token.ts';
import { ownMember } from './own-member.ts';
import { SIGNING_ALGORITHMS } from './signing-key.ts';
import { quote, refused, type TokenRefused } from './token-refused.ts';

/** A JWS whose signature nobody has looked at. */
export interface CompactJws {
  readonly algorithm: string;
  /** undefined: the token names none. */
  readonly keyId: string | undefined;
  /** A JSON object. */
  readonly payload: object;
}

/**
 * Takes a compact JWS (RFC 7515 section 7.1) apart. Of its header only `alg` and `kid` are ever used: keys, certificates
 * and addresses of keys that a token brings along (`jwk`, `jku`, `x5c`, `x5u`) are text of its maker. Never throws.
 */
export function readCompactJws(compact: string): CompactJws | TokenRefused {
  // check: jwt-size
  if (compact.length > MAX_BEARER_TOKEN_LENGTH) return refused('jwt-malformed', 'too long');

  const parts = compact.split('.', 4);
  // check: jwt-shape
  if (parts.length !== 3 || !parts.every(isBase64url)) return refused('jwt-malformed', 'no compact JWS');

  const [headerPart = '', payloadPart = ''] = parts;
  const header = parseJsonObject(headerPart);
  const payload = parseJsonObject(payloadPart);
  // check: jwt-json
  if (header === undefined || payload === undefined)
    return refused('jwt-malformed', 'header or payload is no JSON object');

  // The API server refuses it too (go-jose); other readers take the first or the last.
  // check: jwt-duplicate-members
  if ([header, payload].some(hasDuplicateMembers)) return refused('jwt-malformed', 'a JSON name comes twice');

  // Extensions that a reader must understand (RFC 7515 section 4.1.11), and the one that changes what is signed (RFC 7797).
  // check: jwt-critical-header
  if (['crit', 'b64'].some((name) => Object.hasOwn(header.value, name)))
    return refused('jwt-malformed', 'a header parameter crit or b64');

  const algorithm = ownMember(header.value, 'alg');
  // check: jwt-algorithm
  if (typeof algorithm !== 'string' || !SIGNING_ALGORITHMS.has(algorithm)) {
    const named = typeof algorithm === 'string' ? quote(algorithm) : 'none';
    return refused('jwt-algorithm-not-allowed', `the token names the algorithm ${named}`);
  }

  const keyId = ownMember(header.value, 'kid');
  // check: jwt-key-id
  if (keyId !== undefined && typeof keyId !== 'string') return refused('jwt-malformed', 'kid is no string');

  return { algorithm, keyId, payload: payload.value };
}

/** Unpadded, and the one way to write these bytes: with two ways, one token is many to whoever compares texts. */
function isBase64url(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

interface JsonObject {
  readonly text: string;
  readonly value: object;
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseJsonObject(part: string): JsonObject | undefined {
  try {
    const text = UTF_8.decode(Buffer.from(part, 'base64url'));
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { text, value } : undefined;
  } catch {
    return undefined;
  }
}

const JSON_STRING = /"(?:[^"\\]|\\.)*"/g;

/** JSON.parse keeps the last of them; so the text then has more members, hence colons, than the value. */
function hasDuplicateMembers({ text, value }: JsonObject): boolean {
  const colons = text.replaceAll(JSON_STRING, '').split(':').length - 1;
  let members = 0;
  const values: unknown[] = [value];
  // A list that grows, not a recursion: nesting may be deep.
  for (const each of values) {
    if (typeof each !== 'object' || each === null) continue;
    const inner: unknown[] = Object.values(each);
    if (!Array.isArray(each)) members += inner.length;
    values.push(...inner);
  }
  return colons !== members;
}
