import {
  createPublicKeys,
  MAX_STAMP_KEYS,
  type NonEmpty,
  publicKeyOf,
  signingKeyOf,
  type StampPrivateKeys,
  type StampPublicKey,
  type StampPublicKeys,
  type StampSigningKey,
  thumbprintOf,
} from './stamp-keys.ts';

/** Far above what {@link MAX_STAMP_KEYS} keys take. */
export const MAX_STAMP_KEYS_LENGTH = 65_536;

/** What is wrong with a key set, by its member; a value is never repeated. */
export interface StampKeysProblem {
  /** For example `keys[0].crv`; empty for the document as a whole. */
  readonly path: string;
  readonly message: string;
}

export type StampKeysResult<T> =
  | { readonly ok: true; readonly keys: T }
  | { readonly ok: false; readonly problems: readonly StampKeysProblem[] };

/** A JWKS document (RFC 7517 section 5) of public Ed25519 keys and nothing else. */
export function parsePublicKeys(text: string): StampKeysResult<StampPublicKeys> {
  const read = readSet(text, { readKey: readPublicKey });
  return read.ok ? { ok: true, keys: createPublicKeys(read.keys) } : read;
}

/** The same of private keys. The first of them signs. */
export function parsePrivateKeys(text: string): StampKeysResult<StampPrivateKeys> {
  const read = readSet(text, { readKey: readPrivateKey });
  return read.ok ? { ok: true, keys: { keys: read.keys } } : read;
}

type NoteProblem = (member: string, message: string) => void;

interface Reader<K> {
  /** undefined, with a problem noted, for what is no such key. */
  readonly readKey: (jwk: Readonly<Record<string, unknown>>, note: NoteProblem) => K | undefined;
}

function readSet<K extends StampPublicKey>(
  text: string,
  { readKey }: Reader<K>,
): StampKeysResult<NonEmpty<K>> {
  const problems: StampKeysProblem[] = [];
  const note = (path: string, message: string): void => void problems.push({ path, message });
  const entries = readEntries(text, note);
  const keys = entries.flatMap((entry, index) => {
    const path = `keys[${index}]`;
    const jwk = membersOf(entry);
    if (jwk === undefined) {
      note(path, 'is no JSON Web Key: write an object');
      return [];
    }
    const key = readKey(jwk, (member, message) => note(member === '' ? path : `${path}.${member}`, message));
    return key === undefined ? [] : [{ key, path }];
  });
  const firstOf = new Map<string, string>();
  for (const { key, path } of keys) {
    const first = firstOf.get(key.kid);
    if (first !== undefined) note(`${path}.kid`, `is the same key as ${first}: remove one of the two`);
    else firstOf.set(key.kid, path);
  }
  const [first, ...rest] = keys.map(({ key }) => key);
  return first === undefined || problems.length > 0
    ? { ok: false, problems }
    : { ok: true, keys: [first, ...rest] };
}

/** The members of `keys`; none, with a problem noted, for anything but a document of one to {@link MAX_STAMP_KEYS}. */
function readEntries(text: string, note: NoteProblem): readonly unknown[] {
  const refuse = (path: string, message: string): readonly unknown[] => {
    note(path, message);
    return [];
  };
  if (text.length > MAX_STAMP_KEYS_LENGTH) {
    return refuse('', `is longer than ${MAX_STAMP_KEYS_LENGTH} characters: this is no key set of stamps`);
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // The parser's words quote the text.
    return refuse('', 'is no JSON: write a JWKS document, {"keys": [...]}');
  }
  const members = membersOf(document);
  if (members === undefined) return refuse('', 'is no JWKS document: write {"keys": [...]}');
  if (Object.keys(members).some((name) => name !== 'keys')) {
    return refuse('', 'has a member besides keys: leave it out');
  }
  const { keys } = members;
  if (!Array.isArray(keys)) return refuse('keys', 'is missing, or no list: write {"keys": [...]}');
  if (keys.length === 0) return refuse('keys', 'is empty: a set needs at least one key');
  if (keys.length > MAX_STAMP_KEYS)
    return refuse('keys', `has more than ${MAX_STAMP_KEYS} keys: remove old ones`);
  return keys;
}

function readPublicKey(
  jwk: Readonly<Record<string, unknown>>,
  note: NoteProblem,
): StampPublicKey | undefined {
  if (jwk['d'] !== undefined) {
    note('d', 'is a private key, in a public set: give only the public set out, and make a new key');
    return undefined;
  }
  const { x, kid } = readMembers(jwk, PUBLIC_MEMBERS, note);
  if (x === undefined || kid === undefined) return undefined;
  if (kid !== thumbprintOf(x)) return refuseKid(x, note);
  if (!hasSmallOrder(x)) return publicKeyOf(x);
  note('x', 'is a point that lets anybody forge signatures, such as a placeholder: put the real key there');
  return undefined;
}

function readPrivateKey(
  jwk: Readonly<Record<string, unknown>>,
  note: NoteProblem,
): StampSigningKey | undefined {
  const { x, kid } = readMembers(jwk, [...PUBLIC_MEMBERS, 'd'], note);
  const d = read32Bytes(jwk, 'd', note);
  if (x === undefined || d === undefined || kid === undefined) return undefined;
  const { x: own, ...key } = signingKeyOf(d);
  if (x !== own) {
    note('x', 'is not the public key of d: take both from the same key');
    return undefined;
  }
  return kid === key.kid ? key : refuseKid(x, note);
}

function refuseKid(x: string, note: NoteProblem): undefined {
  note('kid', `is not the thumbprint of the key (RFC 7638): write ${thumbprintOf(x)}`);
}

const PUBLIC_MEMBERS: readonly string[] = ['kty', 'crv', 'x', 'kid', 'alg', 'use'];

function readMembers(jwk: Readonly<Record<string, unknown>>, allowed: readonly string[], note: NoteProblem) {
  const wrongBefore = { count: 0 };
  const noteWrong: NoteProblem = (member, message) => {
    wrongBefore.count += 1;
    note(member, message);
  };
  if (Object.keys(jwk).some((name) => !allowed.includes(name))) {
    noteWrong('', `has a member that is none of ${allowed.join(', ')}: leave it out`);
  }
  if (jwk['kty'] !== 'OKP') noteWrong('kty', 'must be "OKP": stamps are signed with Ed25519');
  if (jwk['crv'] !== 'Ed25519') noteWrong('crv', 'must be "Ed25519"');
  if ((jwk['alg'] ?? 'EdDSA') !== 'EdDSA') noteWrong('alg', 'must be "EdDSA", or left out');
  if ((jwk['use'] ?? 'sig') !== 'sig') noteWrong('use', 'must be "sig", or left out');
  const kid = jwk['kid'];
  if (typeof kid !== 'string')
    noteWrong('kid', 'is missing, or no text: write the thumbprint of the key (RFC 7638)');
  const x = read32Bytes(jwk, 'x', noteWrong);
  return wrongBefore.count === 0 && typeof kid === 'string' ? { x, kid } : {};
}

function read32Bytes(
  jwk: Readonly<Record<string, unknown>>,
  member: 'x' | 'd',
  note: NoteProblem,
): string | undefined {
  const value = jwk[member];
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64url');
    if (bytes.length === 32 && bytes.toString('base64url') === value) return value;
  }
  note(member, 'must be 32 bytes in base64url, without padding');
  return undefined;
}

/** Own members only, without a prototype that could have any; undefined for anything but an object. */
function membersOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return { __proto__: null, ...value };
}

/**
 * The y of the points whose order is 1, 2, 4 or 8, with the two that are written above the prime: under such a key anybody
 * can make signatures, and RFC 8032 does not exclude them. Zeros, the likeliest placeholder, are one.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
]);

/** The highest bit is the sign of the other coordinate. */
function hasSmallOrder(x: string): boolean {
  const y = Buffer.from(x, 'base64url');
  y[31] = (y[31] ?? 0) & 0x7f;
  return SMALL_ORDER.has(y.toString('hex'));
}
