import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeTokenIssuer, ISSUER } from '../../test/fakes/fake-token-issuer.ts';
import { readSigningKey } from './signing-key.ts';
import {
  MAX_SIGNING_KEYS,
  REFRESH_AFTER_MS,
  REFRESH_COOLDOWN_MS,
  REFRESH_TIMEOUT_MS,
  type ServiceAccountIssuer,
  SigningKeys,
  type SigningKeysRefresh,
} from './signing-keys.ts';

const one = new FakeTokenIssuer();
const other = new FakeTokenIssuer('ES256');
const { d, p, q, dp, dq, qi } = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
  format: 'jwk',
});
const shortKey = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });

type Read = (signal: AbortSignal | undefined) => Promise<ServiceAccountIssuer>;
const published =
  (...keys: readonly unknown[]): Read =>
  () =>
    Promise.resolve({ issuer: ISSUER, keys });
const fails: Read = () => Promise.reject(new Error('no route'));
const hangs: Read = () => new Promise(() => undefined);

function setUp(read: Read) {
  const clock = new FakeClock();
  const api = { read, reads: 0 };
  const refreshes: SigningKeysRefresh[] = [];
  const keys = new SigningKeys({
    readIssuer: ({ signal } = {}) => {
      api.reads += 1;
      return api.read(signal);
    },
    clock,
    onRefresh: (refresh) => refreshes.push(refresh),
  });
  return { clock, api, keys, refreshes };
}

describe('SigningKeys keeps no key', () => {
  it.each<readonly [string, unknown]>([
    ['null', null],
    ['a string', 'key'],
    ['a list', []],
    ['an empty object', {}],
    ['a secret', { kty: 'oct', alg: 'HS256', use: 'sig', kid: one.keyId, k: 'AAAA' }],
    ['a key for HS256 that says it is RSA', { ...one.jwk, alg: 'HS256' }],
    ['an RSA key for another algorithm', { ...one.jwk, alg: 'RS512' }],
    ['an RSA key for encryption', { ...one.jwk, use: 'enc' }],
    ['an RSA key without a kid', { ...one.jwk, kid: undefined }],
    ['an RSA key with an empty kid', { ...one.jwk, kid: '' }],
    ['an RSA key whose kid is a number', { ...one.jwk, kid: 7 }],
    ['an RSA key without its modulus', { ...one.jwk, n: undefined }],
    ['an RSA key with a modulus that is no base64url', { ...one.jwk, n: '!' }],
    ['an RSA key that is too short', { ...one.jwk, ...shortKey }],
    ['an RSA key that is named an EC key', { ...one.jwk, kty: 'EC', alg: 'ES256', crv: 'P-256' }],
    ['an EC key of another curve than its algorithm', { ...other.jwk, kid: one.keyId, alg: 'ES384' }],
    [
      'an EC key of a curve that API servers do not sign with',
      { ...other.jwk, kid: one.keyId, crv: 'secp256k1', alg: 'ES256K' },
    ],
    ['an EC key with a point that is not on its curve', { ...other.jwk, kid: one.keyId, x: other.jwk.y }],
    ['an Ed25519 key', { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: one.keyId, x: 'A'.repeat(43) }],
    ['what it would inherit', Object.create(one.jwk)],
  ])('out of %s', async (_, jwk) => {
    const { keys, refreshes } = setUp(published(jwk, other.jwk));
    await keys.refresh();
    expect(keys.find(one.keyId)).toBeUndefined();
    expect(keys.find(other.keyId)?.algorithm).toBe('ES256');
    expect(keys.size).toBe(1);
    expect(refreshes).toEqual([{ outcome: 'refreshed', issuer: ISSUER, usableKeys: 1, unusableKeys: 1 }]);
  });

  it(`beyond the first ${MAX_SIGNING_KEYS}`, async () => {
    const many = Array.from({ length: MAX_SIGNING_KEYS }, (_, n) => ({ ...other.jwk, kid: `k${n}` }));
    const { keys } = setUp(published(...many, one.jwk));
    await keys.refresh();
    expect(keys.find(`k${MAX_SIGNING_KEYS - 1}`)).toBeDefined();
    expect(keys.find(one.keyId)).toBeUndefined();
  });

  it('by the name of something every object has', async () => {
    const { keys } = setUp(published(one.jwk));
    await keys.refresh();
    expect(['__proto__', 'constructor', 'toString', ''].map((name) => keys.find(name))).toEqual(
      Array.from({ length: 4 }),
    );
  });
});

describe('SigningKeys', () => {
  it('takes the first of two keys with the same kid', async () => {
    const { keys } = setUp(published(one.jwk, { ...other.jwk, kid: one.keyId }));
    await keys.refresh();
    expect(keys.find(one.keyId)?.algorithm).toBe('RS256');
  });

  it('takes only the public half of a key that was published whole', async () => {
    const { keys } = setUp(published({ ...one.jwk, d, p, q, dp, dq, qi }));
    await keys.refresh();
    expect(keys.find(one.keyId)?.key.type).toBe('public');
  });

  it('takes a key that does not say what it is for', async () => {
    const { keys } = setUp(published({ ...one.jwk, alg: undefined, use: undefined }));
    await keys.refresh();
    expect(keys.find(one.keyId)?.algorithm).toBe('RS256');
  });

  it.each<readonly [string, Read, string]>([
    ['fails', fails, 'no route'],
    ['gives no key', published(), 'no signing key'],
    ['gives no usable key', published({ kty: 'oct', kid: 'a', k: 'AAAA' }), 'no signing key'],
  ])('goes on with the last good keys when a refresh %s', async (_, read, message) => {
    const { keys, api, clock, refreshes } = setUp(published(one.jwk));
    await keys.refresh();
    api.read = read;
    await clock.advance(REFRESH_COOLDOWN_MS);
    await keys.refresh();
    expect(keys.issuer).toBe(ISSUER);
    expect(keys.find(one.keyId)).toBeDefined();
    expect(refreshes.at(-1)).toMatchObject({ outcome: 'failed' });
    expect(String((refreshes.at(-1) as { cause: unknown }).cause)).toContain(message);
    await clock.advance(30 * 24 * 3_600_000);
    expect(keys.find(one.keyId)).toBeDefined();
  });

  it('has neither issuer nor key before it could read them, and no timer', () => {
    const { keys, clock, api } = setUp(published(one.jwk));
    expect(keys.size).toBe(0);
    expect([keys.issuer, keys.find(one.keyId), clock.sleeping, api.reads]).toEqual([
      undefined,
      undefined,
      0,
      0,
    ]);
  });

  it('shares one reading between all who come while it lasts', async () => {
    const { keys, api } = setUp(published(one.jwk));
    await Promise.all(Array.from({ length: 100 }, () => keys.refresh()));
    expect(api.reads).toBe(1);
  });

  it.each([
    ['succeeded', published(one.jwk)],
    ['failed', fails],
  ])('reads once a cooldown, also when the last reading %s', async (_, read) => {
    const { keys, api, clock } = setUp(read);
    await keys.refresh();
    await clock.advance(REFRESH_COOLDOWN_MS - 1);
    await keys.refresh();
    expect(api.reads).toBe(1);
    await clock.advance(1);
    await keys.refresh();
    expect(api.reads).toBe(2);
  });

  it('does not wait for a clock that was set back, neither with what is old nor to cool down', async () => {
    const { keys, api, clock } = setUp(published(one.jwk));
    await keys.refresh();
    await clock.advance(-3_600_000);
    keys.keepFresh();
    await settle();
    expect(api.reads).toBe(2);
    await clock.advance(-3_600_000);
    await keys.refresh();
    expect(api.reads).toBe(3);
    await keys.refresh();
    expect(api.reads).toBe(3);
  });

  it('gives up on a reading that hangs, aborts it, and takes nothing from it afterwards', async () => {
    const late = Promise.withResolvers<ServiceAccountIssuer>();
    let aborted = false;
    const { keys, clock, refreshes } = setUp((signal) => {
      signal?.addEventListener('abort', () => {
        aborted = true;
      });
      return late.promise;
    });
    const waiting = keys.refresh();
    await clock.advance(REFRESH_TIMEOUT_MS);
    await waiting;
    expect(aborted).toBe(true);
    expect(refreshes).toMatchObject([{ outcome: 'failed' }]);
    late.resolve({ issuer: ISSUER, keys: [one.jwk] });
    // As long as it would take to import it.
    await readSigningKey(one.jwk);
    await settle();
    expect(keys.issuer).toBeUndefined();
    expect(clock.sleeping).toBe(0);
  });

  it('goes on reading when the caller who started it has left', async () => {
    const reply = Promise.withResolvers<ServiceAccountIssuer>();
    let seen: AbortSignal | undefined;
    const { keys } = setUp((signal) => {
      seen = signal;
      return reply.promise;
    });
    const caller = new AbortController();
    const leaving = keys.refresh({ signal: caller.signal });
    const staying = keys.refresh();
    const reason = new Error('client went away');
    caller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    expect(seen?.aborted).toBe(false);
    reply.resolve({ issuer: ISSUER, keys: [one.jwk] });
    await staying;
    expect(keys.find(one.keyId)).toBeDefined();
  });

  it('keeps fresh in the background, and only what is old', async () => {
    const { keys, api, clock } = setUp(published(one.jwk));
    keys.keepFresh();
    await keys.refresh();
    expect([api.reads, keys.issuer]).toEqual([1, ISSUER]);
    await clock.advance(REFRESH_AFTER_MS - 1);
    keys.keepFresh();
    expect(api.reads).toBe(1);
    await clock.advance(1);
    api.read = hangs;
    keys.keepFresh();
    keys.keepFresh();
    expect([api.reads, keys.issuer]).toEqual([2, ISSUER]);
    await clock.advance(REFRESH_TIMEOUT_MS);
    keys.keepFresh();
    expect(api.reads).toBe(2);
    await clock.advance(REFRESH_COOLDOWN_MS);
    api.read = published(other.jwk);
    keys.keepFresh();
    await keys.refresh();
    expect([keys.find(one.keyId), keys.find(other.keyId)?.algorithm]).toEqual([undefined, 'ES256']);
  });
});
