import { KeyObject } from 'node:crypto';
import { type CryptoKey, importJWK } from 'jose';
import { ownMember } from './own-member.ts';

/** A public key of the API server's. */
export interface SigningKey {
  readonly keyId: string;
  readonly algorithm: string;
  readonly key: KeyObject;
}

/**
 * What an API server signs service-account tokens with: RS256 for any RSA key, for EC what the curve says (Kubernetes
 * 1.36, `pkg/serviceaccount/jwt.go`); an external signer may use the same four (`externaljwt/plugin/plugin.go`).
 */
const RSA_ALGORITHM = 'RS256';
const EC_ALGORITHMS: ReadonlyMap<unknown, string> = new Map([
  ['P-256', 'ES256'],
  ['P-384', 'ES384'],
  ['P-521', 'ES512'],
]);
export const SIGNING_ALGORITHMS: ReadonlySet<string> = new Set([RSA_ALGORITHM, ...EC_ALGORITHMS.values()]);

/** jose verifies with no shorter RSA key. A token of such a key is then one with an unknown key, not a bad one. */
const MIN_RSA_BITS = 2048;

/** From one JSON Web Key of the API server; undefined for anything but a public signature key of an allowed type. */
export async function readSigningKey(jwk: unknown): Promise<SigningKey | undefined> {
  const [kty, crv, keyId] = [ownMember(jwk, 'kty'), ownMember(jwk, 'crv'), ownMember(jwk, 'kid')];
  if (typeof keyId !== 'string' || keyId === '') return undefined;
  if ((ownMember(jwk, 'use') ?? 'sig') !== 'sig') return undefined;
  const algorithm = kty === 'RSA' ? RSA_ALGORITHM : kty === 'EC' ? EC_ALGORITHMS.get(crv) : undefined;
  if (algorithm === undefined || (ownMember(jwk, 'alg') ?? algorithm) !== algorithm) return undefined;

  // Nothing but the public members, so that it can't become any other kind of key.
  const members = kty === 'RSA' ? ['kty', 'n', 'e'] : ['kty', 'crv', 'x', 'y'];
  try {
    const key = await importJWK(
      Object.fromEntries(members.map((name) => [name, ownMember(jwk, name)])),
      algorithm,
    );
    if (key instanceof Uint8Array || isTooShort(key)) return undefined;
    return { keyId, algorithm, key: KeyObject.from(key) };
  } catch {
    return undefined;
  }
}

function isTooShort({ algorithm }: CryptoKey): boolean {
  const bits = ownMember(algorithm, 'modulusLength');
  return typeof bits === 'number' && bits < MIN_RSA_BITS;
}
