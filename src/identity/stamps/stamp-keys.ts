import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { Secret } from '../../observability/secret.ts';

/*
 * Ed25519 keys that stamps are signed with. They are kept as JWKS documents: a private one where stamps are made, a public
 * one where they are only read.
 */

/** Of a key set. A rotation leaves a few; a set that grows without end is one that nobody tends. */
export const MAX_STAMP_KEYS = 64;

export interface StampPublicKey {
  /** RFC 7638 thumbprint, so that a name can't come to mean another key. */
  readonly kid: string;
  readonly publicKey: KeyObject;
}

export interface StampSigningKey extends StampPublicKey {
  readonly privateKey: Secret<KeyObject>;
}

/** At least one key, each once. */
export type NonEmpty<T> = readonly [T, ...(readonly T[])];

/** The first signs, all verify. */
export interface StampPrivateKeys {
  readonly keys: NonEmpty<StampSigningKey>;
}

export interface StampPublicKeys {
  readonly keys: NonEmpty<StampPublicKey>;
  readonly find: (kid: string) => KeyObject | undefined;
}

/** The thumbprint (RFC 7638, RFC 8037 section 2) of the Ed25519 key whose JWK has that `x`. */
export function thumbprintOf(x: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url');
}

export function publicKeyOf(x: string): StampPublicKey {
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return { kid: thumbprintOf(x), publicKey };
}

/** `x` is what belongs to `d`, whatever else came with it. */
export function signingKeyOf(d: string): StampSigningKey & { readonly x: string } {
  // Node wants an x, and does not look at it.
  const jwk = { kty: 'OKP', crv: 'Ed25519', d, x: Buffer.alloc(32).toString('base64url') };
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const x = xOf(createPublicKey(privateKey.export({ format: 'pem', type: 'pkcs8' })));
  return { ...publicKeyOf(x), x, privateKey: new Secret(privateKey) };
}

export function newSigningKey(): StampSigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { kid: thumbprintOf(xOf(publicKey)), publicKey, privateKey: new Secret(privateKey) };
}

export function createPublicKeys(keys: NonEmpty<StampPublicKey>): StampPublicKeys {
  const byKid = new Map(keys.map(({ kid, publicKey }) => [kid, publicKey]));
  return { keys, find: (kid) => byKid.get(kid) };
}

/** What may be given to whoever only reads stamps. */
export function publicKeysOf({ keys: [first, ...rest] }: StampPrivateKeys): StampPublicKeys {
  const publicPart = ({ kid, publicKey }: StampSigningKey): StampPublicKey => ({ kid, publicKey });
  return createPublicKeys([publicPart(first), ...rest.map(publicPart)]);
}

/**
 * The set with a key that verifies and does not sign yet: so that everybody who reads stamps knows it before the first one
 * is signed with it.
 */
export function announceKey(
  { keys: [first, ...rest] }: StampPrivateKeys,
  key: StampSigningKey,
): StampPrivateKeys {
  const others = [...rest, key].filter(
    ({ kid }, index, all) => all.findIndex((one) => one.kid === kid) === index,
  );
  return { keys: [first, ...others.filter(({ kid }) => kid !== first.kid)] };
}

/**
 * The set in which `key`, new or announced, signs, and of the others the first `keep` still verify. A stamp is worth
 * nothing without its key: pods keep theirs as long as they live, and templates as long as nobody changes them.
 */
export function rotateKeys({ keys }: StampPrivateKeys, key: StampSigningKey, keep: number): StampPrivateKeys {
  if (!Number.isSafeInteger(keep) || keep < 0 || keep >= MAX_STAMP_KEYS) {
    throw new RangeError(`rotateKeys: keep must be a whole number from 0 to ${MAX_STAMP_KEYS - 1}`);
  }
  return { keys: [key, ...keys.filter(({ kid }) => kid !== key.kid).slice(0, keep)] };
}

/** As `parsePublicKeys` reads it. */
export function formatPublicKeys({ keys }: StampPublicKeys): string {
  return format(keys.map((key) => membersOf(key)));
}

/** As `parsePrivateKeys` reads it. */
export function formatPrivateKeys({ keys }: StampPrivateKeys): Secret<string> {
  return new Secret(
    format(
      keys.map((key) => {
        const { d = '' } = key.privateKey.reveal().export({ format: 'jwk' });
        return { ...membersOf(key), d };
      }),
    ),
  );
}

function format(keys: readonly object[]): string {
  return `${JSON.stringify({ keys }, undefined, 2)}\n`;
}

const membersOf = ({ kid, publicKey }: StampPublicKey) => ({
  kty: 'OKP',
  crv: 'Ed25519',
  alg: 'EdDSA',
  use: 'sig',
  kid,
  x: xOf(publicKey),
});

function xOf(publicKey: KeyObject): string {
  const { x } = publicKey.export({ format: 'jwk' });
  if (x === undefined) throw new RangeError('not an Ed25519 key');
  return x;
}
