import { sign, verify } from 'node:crypto';
import type { StampPublicKeys, StampSigningKey } from './stamp-keys.ts';

/** Of the whole text. A stamp of usual names has some 400 characters. The reflector keeps this much of an annotation. */
export const MAX_STAMP_LENGTH = 4096;

/** Of what is signed, so that no stamp of one kind passes for one of another. */
export type StampType = 'kerbridge-pod-stamp' | 'kerbridge-template-stamp';

export type StampRefusalReason =
  /** No stamp in the one form in which we write it. */
  | 'malformed'
  /** A stamp of another kind. */
  | 'other-type'
  /** None of the keys at hand; it may be one of a rotation that has not been seen here yet. */
  | 'unknown-key'
  /** The signature is not that of its key. */
  | 'forged'
  /** Signed, but of a format that is not known here: that of a newer version, or an older one. */
  | 'unknown-version';

export interface StampRefused {
  readonly outcome: 'refused';
  readonly reason: StampRefusalReason;
  /** For the operator. Text of the stamp is in it only as far as it is signed, or is the name of a key. */
  readonly detail: string;
}

export type StampResult<S> = { readonly outcome: 'valid'; readonly stamp: S } | StampRefused;

/** How a kind of stamp is written. */
export interface StampFormat<S> {
  readonly type: StampType;
  readonly version: number;
  /** With `v` first. Throws a RangeError for what {@link read} would not take. */
  readonly write: (stamp: S) => object;
  /** undefined for what is no such stamp. May overlook members that are too many, and their order. */
  readonly read: (payload: object) => S | undefined;
}

/**
 * The stamp as a compact JWS (RFC 7515 section 7.1). Ed25519 has no randomness: the same stamp and key give the same text.
 * @throws RangeError for what would not be read again
 */
export function sealStamp<S>(format: StampFormat<S>, stamp: S, key: StampSigningKey): string {
  const payload = encode(format.write(stamp));
  const signed = `${headerOf(format.type, key.kid)}.${payload}`;
  const signature = sign(null, Buffer.from(signed), key.privateKey.reveal());
  const text = `${signed}.${signature.toString('base64url')}`;
  if (text.length > MAX_STAMP_LENGTH) {
    throw new RangeError(
      `the stamp would be longer than ${MAX_STAMP_LENGTH} characters: its names are too long`,
    );
  }
  return text;
}

/**
 * What a stamp says, if it is one of ours. There is one text for each stamp and key, and no other is taken: the header is
 * compared with the one that we write, so nothing in it can choose an algorithm, bring a key or ask for an extension; and
 * of the payload nothing is read before its signature was right. Never throws.
 */
export function openStamp<S>(format: StampFormat<S>, text: string, keys: StampPublicKeys): StampResult<S> {
  // check: stamp-size
  if (text.length > MAX_STAMP_LENGTH)
    return refused('malformed', `longer than ${MAX_STAMP_LENGTH} characters`);

  const parts = text.split('.', 4);
  const [headerPart = '', payloadPart = '', signaturePart = ''] = parts;
  // check: stamp-shape
  if (parts.length !== 3 || !parts.every(isBase64url)) return refused('malformed', 'no compact JWS');

  const header = parse(headerPart);
  const type = textOf(header, 'typ');
  // check: stamp-type
  if (type !== format.type && OTHER_TYPES.has(type)) return refused('other-type', `a ${type}`);

  const kid = textOf(header, 'kid');
  // check: stamp-header
  if (headerPart !== headerOf(format.type, kid))
    return refused('malformed', 'the header is not that of a stamp');

  const key = keys.find(kid);
  // check: stamp-key
  if (key === undefined) return refused('unknown-key', `signed with ${JSON.stringify(kid.slice(0, 64))}`);

  const signed = Buffer.from(`${headerPart}.${payloadPart}`);
  // check: stamp-signature
  if (!verify(null, signed, key, Buffer.from(signaturePart, 'base64url')))
    return refused('forged', `the signature is not that of ${kid}`);

  const payload = parse(payloadPart);
  const version = payload === undefined ? undefined : Reflect.get(payload, 'v');
  // check: stamp-version
  if (typeof version === 'number' && version !== format.version)
    return refused('unknown-version', `version ${version}, not ${format.version}`);

  const stamp = payload === undefined ? undefined : format.read(payload);
  // check: stamp-payload
  if (stamp === undefined || encode(format.write(stamp)) !== payloadPart)
    return refused('malformed', 'the payload is not that of a stamp');

  return { outcome: 'valid', stamp };
}

/**
 * The key that a stamp of this type says it is signed with, whether it is or not; undefined for what no key signs. For who
 * counts stamps: nothing may be believed for it.
 */
export function kidOfStamp(type: StampType, text: string): string | undefined {
  if (text.length > MAX_STAMP_LENGTH) return undefined;
  const [headerPart = ''] = text.split('.', 1);
  const kid = textOf(parse(headerPart), 'kid');
  return headerPart === headerOf(type, kid) ? kid : undefined;
}

const OTHER_TYPES: ReadonlySet<string> = new Set<StampType>([
  'kerbridge-pod-stamp',
  'kerbridge-template-stamp',
]);

function refused(reason: StampRefusalReason, detail: string): StampRefused {
  return { outcome: 'refused', reason, detail };
}

function headerOf(type: StampType, kid: string): string {
  return encode({ alg: 'EdDSA', kid, typ: type });
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Unpadded, and the one way to write these bytes. */
function isBase64url(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

/** undefined for anything but a JSON object. What is no UTF-8 does not survive being written again. */
function parse(part: string): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Empty if there is no such text. */
function textOf(object: object | undefined, name: string): string {
  const value: unknown =
    object !== undefined && Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined;
  return typeof value === 'string' ? value : '';
}
