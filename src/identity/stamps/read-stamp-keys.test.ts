import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { otherSigningKey, RFC_8037 } from '../../../test/fixtures/stamps/keys.ts';
import { MAX_STAMP_KEYS_LENGTH, parsePrivateKeys, parsePublicKeys } from './read-stamp-keys.ts';
import { MAX_STAMP_KEYS, thumbprintOf } from './stamp-keys.ts';

const { d, x, kid } = RFC_8037;
const PUBLIC = { kty: 'OKP', crv: 'Ed25519', x, kid };
const PRIVATE = { ...PUBLIC, d };
const OTHER = { ...PUBLIC, x: otherSigningKey.x, kid: otherSigningKey.kid };
const set = (...keys: unknown[]): string => JSON.stringify({ keys });
const withKid = (wrong: string) => ({ ...PUBLIC, x: wrong, kid: thumbprintOf(wrong) });
const ofHex = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
const base64url = (...bytes: number[]): string =>
  Buffer.concat([Buffer.from(bytes), Buffer.alloc(32 - bytes.length)]).toString('base64url');

const problemsOf = (result: ReturnType<typeof parsePublicKeys> | ReturnType<typeof parsePrivateKeys>) =>
  result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);

describe('reading keys of stamps', () => {
  it.each<[string, string, RegExp]>([
    ['an empty text', '', /^: is no JSON/],
    ['no JSON', '{"keys": [', /^: is no JSON/],
    [
      'a text that is too long',
      `${set(PUBLIC)}${' '.repeat(MAX_STAMP_KEYS_LENGTH)}`,
      /^: is longer than 65536/,
    ],
    ['a list', '[]', /^: is no JWKS document/],
    ['null', 'null', /^: is no JWKS document/],
    ['a single key', JSON.stringify(PUBLIC), /^: has a member besides keys/],
    ['a member besides keys', JSON.stringify({ keys: [PUBLIC], version: 1 }), /^: has a member besides keys/],
    ['no keys', '{}', /^keys: is missing/],
    ['keys that are no list', '{"keys":{}}', /^keys: is missing, or no list/],
    ['keys of the prototype', '{"__proto__":{"keys":[]}}', /^: has a member besides keys/],
    ['an empty list', set(), /^keys: is empty/],
    [
      'too many keys',
      set(...Array.from({ length: MAX_STAMP_KEYS + 1 }, () => PUBLIC)),
      /^keys: has more than 64/,
    ],
    ['a text for a key', set('x'), /^keys\[0\]: is no JSON Web Key/],
    ['a list for a key', set(PUBLIC, []), /^keys\[1\]: is no JSON Web Key/],
    ['another kty', set({ ...PUBLIC, kty: 'EC' }), /^keys\[0\]\.kty: must be "OKP"/],
    ['another crv', set({ ...PUBLIC, crv: 'X25519' }), /^keys\[0\]\.crv: must be "Ed25519"/],
    ['another alg', set({ ...PUBLIC, alg: 'HS256' }), /^keys\[0\]\.alg: must be "EdDSA"/],
    ['another use', set({ ...PUBLIC, use: 'enc' }), /^keys\[0\]\.use: must be "sig"/],
    [
      'an unknown member',
      set({ ...PUBLIC, x5c: [] }),
      /^keys\[0\]: has a member that is none of kty, crv, x/,
    ],
    [
      'a private key as Node exports it',
      set(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })),
      /^keys\[0\]\.d: is a private key/,
    ],
    ['a private key', set(PRIVATE), /^keys\[0\]\.d: is a private key, in a public set/],
    ['no kid', set({ ...PUBLIC, kid: undefined }), /^keys\[0\]\.kid: is missing/],
    [
      'another kid',
      set({ ...PUBLIC, kid: 'mine' }),
      new RegExp(`^keys\\[0\\]\\.kid: is not the thumbprint.*write ${kid}`),
    ],
    ['the kid of another key', set({ ...PUBLIC, kid: OTHER.kid }), /^keys\[0\]\.kid: is not the thumbprint/],
    ['the same key twice', set(PUBLIC, OTHER, PUBLIC), /^keys\[2\]\.kid: is the same key as keys\[0\]/],
    ['no x', set({ ...PUBLIC, x: undefined }), /^keys\[0\]\.x: must be 32 bytes/],
    ['an x that is too short', set(withKid('AAAA')), /^keys\[0\]\.x: must be 32 bytes/],
    ['an x with padding', set(withKid(`${x}=`)), /^keys\[0\]\.x: must be 32 bytes/],
    ['an x with bits left over', set(withKid(`${x.slice(0, -1)}p`)), /^keys\[0\]\.x: must be 32 bytes/],
    ['an x in another alphabet', set(withKid(x.replaceAll('_', '/'))), /^keys\[0\]\.x: must be 32 bytes/],
    ['a placeholder of zeros', set(withKid(base64url())), /^keys\[0\]\.x: .*lets anybody forge/],
    ['the neutral point', set(withKid(base64url(1))), /^keys\[0\]\.x: .*lets anybody forge/],
    [
      'a point of order 8',
      set(withKid(ofHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'))),
      /^keys\[0\]\.x: .*lets anybody forge/,
    ],
    [
      'the point of order 2, with a sign',
      set(withKid(ofHex(`ec${'ff'.repeat(31)}`))),
      /^keys\[0\]\.x: .*lets anybody forge/,
    ],
    [
      'zero above the prime',
      set(withKid(ofHex(`ed${'ff'.repeat(30)}7f`))),
      /^keys\[0\]\.x: .*lets anybody forge/,
    ],
  ])('refuses %s in a public set, and says where', (_, text, problem) => {
    expect(problemsOf(parsePublicKeys(text))).toEqual([expect.stringMatching(problem)]);
  });

  it.each<[string, string, RegExp]>([
    ['a public key', set(PUBLIC), /^keys\[0\]\.d: must be 32 bytes/],
    ['a public key after a private one', set(PRIVATE, OTHER), /^keys\[1\]\.d: must be 32 bytes/],
    ['a d that is too long', set({ ...PRIVATE, d: `${d}AA` }), /^keys\[0\]\.d: must be 32 bytes/],
    [
      'the x of another key',
      set({ ...PRIVATE, x: OTHER.x, kid: OTHER.kid }),
      /^keys\[0\]\.x: is not the public key of d/,
    ],
    ['another kid', set({ ...PRIVATE, kid: 'mine' }), /^keys\[0\]\.kid: is not the thumbprint/],
    ['the same key twice', set(PRIVATE, PRIVATE), /^keys\[1\]\.kid: is the same key as keys\[0\]/],
    ['another kty', set({ ...PRIVATE, kty: 'oct' }), /^keys\[0\]\.kty/],
    ['an unknown member', set({ ...PRIVATE, p: 'x' }), /^keys\[0\]: has a member that is none of .*, d:/],
    ['an empty list', set(), /^keys: is empty/],
  ])('refuses %s in a private set, and says where', (_, text, problem) => {
    expect(problemsOf(parsePrivateKeys(text))).toEqual([expect.stringMatching(problem)]);
  });

  it('says all that is wrong at once, and repeats no value', () => {
    const secret = 'hunter2-hunter2';
    const bad = {
      kty: secret,
      crv: secret,
      alg: secret,
      use: secret,
      x: secret,
      d: secret,
      kid: 5,
      [secret]: secret,
    };
    const problems = problemsOf(parsePrivateKeys(set(bad, bad)));
    expect(problems).toHaveLength(16);
    expect(problems.join('\n')).not.toContain(secret);
    expect(problemsOf(parsePrivateKeys(`{"keys": ["${secret}`)).join('\n')).not.toContain(secret);
  });

  it('takes a set of any layout, with and without alg and use', () => {
    const text = JSON.stringify({ keys: [{ ...PUBLIC, alg: 'EdDSA', use: 'sig' }, OTHER] }, undefined, 4);
    const result = parsePublicKeys(text);
    expect(result.ok && result.keys.keys.map((key) => key.kid)).toEqual([kid, OTHER.kid]);
    expect(result.ok && result.keys.find(kid)?.export({ format: 'jwk' }).x).toBe(x);
  });

  it('reads no text without a problem that has no such key', () => {
    const member = fc.oneof(
      fc.constantFrom('OKP', 'Ed25519', x, kid, d, 'EdDSA', 'sig'),
      fc.string(),
      fc.jsonValue(),
    );
    const key = fc.record(
      { kty: member, crv: member, x: member, kid: member, d: member },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(key, fc.jsonValue()), { maxLength: 3 }), (keys) => {
        const result = parsePublicKeys(set(...keys));
        if (result.ok) expect(result.keys.keys.map((each) => each.kid)).toEqual([kid]);
        else expect(result.problems.length).toBeGreaterThan(0);
      }),
    );
  });
});
