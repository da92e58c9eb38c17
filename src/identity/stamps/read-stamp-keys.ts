import { verify, type KeyObject } from 'node:crypto';
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
  const key = publicKeyOf(x);
  if (!passesForgery(key.publicKey)) return key;
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
  const none: Readonly<Record<string, unknown>> = Object.create(null) as Readonly<Record<string, unknown>>;
  return Object.assign(none, value);
}

/** R is the neutral point, S is zero: a right signature of h * A = 0, which a point of small order is every few times. */
const FORGED = Buffer.concat([Buffer.from([1]), Buffer.alloc(63)]);
const FORGERY_ATTEMPTS = 64;

/** Of a real key that happens with no probability to speak of; of eight points (RFC 8032 does not exclude them) it does. */
function passesForgery(key: KeyObject): boolean {
  return Array.from({ length: FORGERY_ATTEMPTS }, (_, attempt) => Buffer.from([attempt])).some((message) =>
    verify(null, message, key, FORGED),
  );
}
