import { sign, verify } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { otherSigningKey, RFC_8037, signingKey } from '../../../test/fixtures/stamps/keys.ts';
import { parsePrivateKeys, parsePublicKeys } from './read-stamp-keys.ts';
import {
  announceKey,
  createPublicKeys,
  formatPrivateKeys,
  formatPublicKeys,
  MAX_STAMP_KEYS,
  newSigningKey,
  publicKeyOf,
  publicKeysOf,
  rotateKeys,
  signingKeyOf,
  type StampPrivateKeys,
  thumbprintOf,
} from './stamp-keys.ts';

const kidsOf = ({ keys }: { readonly keys: readonly { readonly kid: string }[] }) =>
  keys.map(({ kid }) => kid);

describe('the keys of stamps', () => {
  it('has the thumbprint of RFC 8037, from the public and from the private part', () => {
    expect(thumbprintOf(RFC_8037.x)).toBe(RFC_8037.kid);
    expect(publicKeyOf(RFC_8037.x).kid).toBe(RFC_8037.kid);
    expect(signingKeyOf(RFC_8037.d)).toMatchObject({ kid: RFC_8037.kid, x: RFC_8037.x });
  });

  it('makes a new key each time, that signs what its public part verifies', () => {
    const [one, two] = [newSigningKey(), newSigningKey()];
    expect(one.kid).not.toBe(two.kid);
    const message = Buffer.from('m');
    const signature = sign(null, message, one.privateKey.reveal());
    expect(verify(null, message, one.publicKey, signature)).toBe(true);
    expect(verify(null, message, two.publicKey, signature)).toBe(false);
  });

  it('shows a private key to nobody who only looks', () => {
    const shown = `${inspect(signingKey, { depth: 9 })} ${JSON.stringify(signingKey)} ${String(formatPrivateKeys({ keys: [signingKey] }))}`;
    expect(shown).toContain('[redacted]');
    expect(shown).not.toContain(RFC_8037.d);
  });

  it('gives out the public parts alone, in their order', () => {
    const set: StampPrivateKeys = { keys: [signingKey, otherSigningKey] };
    const keys = publicKeysOf(set);
    expect(kidsOf(keys)).toEqual([signingKey.kid, otherSigningKey.kid]);
    expect(keys.keys.map((key) => Object.keys(key))).toEqual([
      ['kid', 'publicKey'],
      ['kid', 'publicKey'],
    ]);
    expect(keys.find(otherSigningKey.kid)).toBe(otherSigningKey.publicKey);
    expect(formatPublicKeys(keys)).not.toMatch(/"d"/);
  });

  it.each(['', 'constructor', '__proto__', signingKey.kid.toLowerCase()])('finds no key %j', (kid) => {
    expect(createPublicKeys([signingKey]).find(kid)).toBeUndefined();
  });

  it('writes what it reads again, both documents', () => {
    const set: StampPrivateKeys = { keys: [signingKey, otherSigningKey] };
    const read = parsePrivateKeys(formatPrivateKeys(set).reveal());
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    expect(kidsOf(read.keys)).toEqual(kidsOf(set));
    const publicDocument = formatPublicKeys(publicKeysOf(read.keys));
    const publicRead = parsePublicKeys(publicDocument);
    if (!publicRead.ok) throw new Error(JSON.stringify(publicRead.problems));
    expect(formatPublicKeys(publicRead.keys)).toBe(publicDocument);
    const message = Buffer.from('m');
    const signature = sign(null, message, read.keys.keys[0].privateKey.reveal());
    expect(verify(null, message, publicRead.keys.keys[0].publicKey, signature)).toBe(true);
  });

  it('announces a key that does not sign yet, and lets it sign then', () => {
    const announced = announceKey({ keys: [signingKey] }, otherSigningKey);
    expect(kidsOf(announced)).toEqual([signingKey.kid, otherSigningKey.kid]);
    expect(announceKey(announced, otherSigningKey)).toEqual(announced);
    expect(announceKey(announced, signingKey)).toEqual(announced);
    const rotated = rotateKeys(announced, otherSigningKey, 1);
    expect(kidsOf(rotated)).toEqual([otherSigningKey.kid, signingKey.kid]);
  });

  it.each([0, 1, 2, 5])('keeps %i of the keys before', (keep) => {
    const third = newSigningKey();
    const before: StampPrivateKeys = { keys: [signingKey, otherSigningKey] };
    expect(kidsOf(rotateKeys(before, third, keep))).toEqual(
      [third.kid, signingKey.kid, otherSigningKey.kid].slice(0, keep + 1),
    );
  });

  it.each([-1, 0.5, Number.NaN, MAX_STAMP_KEYS])('does not keep %d keys', (keep) => {
    expect(() => rotateKeys({ keys: [signingKey] }, otherSigningKey, keep)).toThrow(/keep must be/);
  });
});
