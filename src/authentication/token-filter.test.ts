import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { type FakeAlgorithm, FakeTokenIssuer, ISSUER } from '../../test/fakes/fake-token-issuer.ts';
import {
  apiServer,
  attacker,
  AUDIENCE,
  base64url,
  CLAIMS,
  now,
  partsOf,
  setUp,
  signed,
  text,
} from '../../test/fakes/token-filter-world.ts';
import { REFRESH_COOLDOWN_MS, type ServiceAccountIssuer } from './signing-keys.ts';

const VERIFIED_CLAIMS = {
  issuer: ISSUER,
  issuedAt: now,
  expiresAt: now + 3_600_000,
  namespace: 'team-a',
  serviceAccount: { name: 'trainer', uid: '9a2f4b58-3a63-4c0e-b7a5-6d1f0c2e4b99' },
  pod: { name: 'job-1', uid: '0a9c3e62-94e6-4a36-a6e1-2f8d5f7a7b10' },
};

describe('createTokenFilter never goes where a token leads', () => {
  it.each(['jku', 'x5u'])('by its %s', async (parameter) => {
    let connections = 0;
    const server = http.createServer((_, response) => response.end(JSON.stringify({ keys: [attacker.jwk] })));
    server.on('connection', () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const { filter, published } = setUp();
    const compact = await attacker.sign(CLAIMS, { [parameter]: url });
    expect(await filter(compact)).toMatchObject({ outcome: 'unproven', why: 'unknown-key' });
    await new Promise((resolve) => {
      server.close(resolve);
    });
    expect({ connections, reads: published.reads }).toEqual({ connections: 0, reads: 1 });
  });

  it('nor takes a key it brings along', async () => {
    const { filter } = setUp();
    const compact = await attacker.sign(CLAIMS, { jwk: attacker.jwk, kid: undefined });
    expect(await filter(compact)).toEqual({
      outcome: 'unproven',
      claims: VERIFIED_CLAIMS,
      why: 'unknown-key',
    });
  });
});

describe('createTokenFilter with keys and issuers that change', () => {
  it('reads them once for a thousand unknown kids, and again only after the cooldown', async () => {
    const { filter, published, clock } = setUp();
    const compact = await attacker.sign(CLAIMS);
    const [header = '', ...rest] = compact.split('.');
    const storm = Array.from({ length: 1_000 }, (_, n) =>
      [
        base64url(Buffer.from(header, 'base64url').toString().replace(attacker.keyId, `unknown-${n}`)),
        ...rest,
      ].join('.'),
    );
    const results = await Promise.all(storm.map((each) => filter(each)));
    expect(new Set(results.map((result) => ('why' in result ? result.why : result.outcome)))).toEqual(
      new Set(['unknown-key']),
    );
    expect(published.reads).toBe(1);
    for (const each of storm.slice(0, 20)) await filter(each);
    expect(published.reads).toBe(1);
    await clock.advance(REFRESH_COOLDOWN_MS);
    await filter(compact);
    expect(published.reads).toBe(2);
  });

  it('reads them once for issuers nobody knows [jwt-issuer]', async () => {
    const { filter, published } = setUp();
    for (let n = 0; n < 20; n += 1) {
      expect(await filter(await signed({ iss: `https://issuer-${n}` }))).toMatchObject({
        reason: 'jwt-issuer-differs',
      });
    }
    expect(published.reads).toBe(1);
  });

  it('follows a rotation: old and new key, then the new one alone', async () => {
    const { filter, published, clock, keys } = setUp();
    const next = new FakeTokenIssuer('ES256');
    const [old, fresh] = [await signed(), await next.sign(CLAIMS)];
    expect(await filter(old)).toMatchObject({ outcome: 'verified' });
    expect(await filter(fresh)).toMatchObject({ outcome: 'unproven', why: 'unknown-key' });

    published.listed = [apiServer, next];
    await clock.advance(REFRESH_COOLDOWN_MS);
    expect(await filter(fresh)).toMatchObject({ outcome: 'verified' });
    expect(await filter(old)).toMatchObject({ outcome: 'verified' });

    published.listed = [next];
    await clock.advance(11 * 60_000);
    // Once with the old keys, while the new ones are read.
    expect(await filter(old)).toMatchObject({ outcome: 'verified' });
    await keys.refresh();
    expect(await filter(old)).toMatchObject({ outcome: 'unproven', why: 'unknown-key' });
    expect(await filter(fresh)).toMatchObject({ outcome: 'verified' });
  });

  it('follows the API server to a new issuer', async () => {
    const { filter, published, clock } = setUp();
    expect(await filter(await signed())).toMatchObject({ outcome: 'verified' });
    published.read = () => Promise.resolve({ issuer: 'https://new', keys: [apiServer.jwk] });
    await clock.advance(REFRESH_COOLDOWN_MS);
    expect(await filter(await signed({ iss: 'https://new' }))).toMatchObject({ outcome: 'verified' });
  });

  it('takes an issuer of its configuration, without asking', async () => {
    const { filter, published, keys } = setUp({ issuers: ['https://old'] });
    await keys.refresh();
    expect(await filter(await signed({ iss: 'https://old' }))).toMatchObject({
      outcome: 'verified',
      claims: { issuer: 'https://old' },
    });
    expect(published.reads).toBe(1);
  });

  it.each([
    ['of the expected issuer', {}, {}],
    ['of any issuer', { iss: 'https://else.where' }, {}],
    ['without a kid', {}, { kid: undefined }],
  ])('leaves a token %s unproven while the API server could never be asked', async (_, claims, header) => {
    const { filter, published } = setUp();
    published.read = () => Promise.reject(new Error('no route'));
    expect(await filter(await signed(claims, header))).toMatchObject({
      outcome: 'unproven',
      why: 'keys-unavailable',
      claims: { pod: { name: 'job-1' } },
    });
  });

  it('waits for nothing if the key is known, though the API server hangs', async () => {
    const { filter, published, clock } = setUp();
    expect(await filter(await signed())).toMatchObject({ outcome: 'verified' });
    published.read = () => new Promise(() => undefined);
    await clock.advance(11 * 60_000);
    expect(await filter(await signed())).toMatchObject({ outcome: 'verified' });
    expect(published.reads).toBe(2);
  });

  it('leaves an unknown key unproven when the API server hangs, and does not wait again', async () => {
    const { filter, published, clock } = setUp();
    published.read = () => new Promise(() => undefined);
    const waiting = filter(await signed());
    await clock.advance(5_000);
    expect(await waiting).toMatchObject({ outcome: 'unproven', why: 'keys-unavailable' });
    expect(await filter(await signed())).toMatchObject({ outcome: 'unproven', why: 'keys-unavailable' });
    expect(published.reads).toBe(1);
  });

  it("rejects with the signal's reason, and goes on reading the keys for others", async () => {
    const { filter, published } = setUp();
    const reply = Promise.withResolvers<ServiceAccountIssuer>();
    published.read = () => reply.promise;
    const caller = new AbortController();
    const leaving = filter(await signed(), { signal: caller.signal });
    const staying = filter(await signed());
    const reason = new Error('client went away');
    caller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    reply.resolve({ issuer: ISSUER, keys: [apiServer.jwk] });
    expect(await staying).toMatchObject({ outcome: 'verified' });
    await expect(filter(await signed(), { signal: caller.signal })).rejects.toBe(reason);
  });
});

describe('createTokenFilter verifies a token', () => {
  it('and says what it claims', async () => {
    const { filter } = setUp();
    expect(await filter(await signed())).toEqual({ outcome: 'verified', claims: VERIFIED_CLAIMS });
  });

  it.each<FakeAlgorithm>(['RS256', 'ES256', 'ES384', 'ES512'])('signed with %s', async (algorithm) => {
    const { filter, published } = setUp();
    const issuer = new FakeTokenIssuer(algorithm);
    published.listed = [apiServer, issuer];
    expect(await filter(await issuer.sign(CLAIMS))).toMatchObject({ outcome: 'verified' });
  });

  it.each<readonly [string, () => string | Promise<string>]>([
    ['with one audience outside a list', () => signed({ aud: AUDIENCE })],
    ['with typ', () => signed({}, { typ: 'JWT' })],
    ['without nbf', () => signed({ nbf: undefined })],
    ['whose exp was a minute ago, which is what clocks may differ by', () => signed({ ...period(-3660) })],
    ['whose iat and nbf are a minute ahead', () => signed({ ...period(60) })],
    ['with a deep claim', () => text(JSON.stringify(CLAIMS).replace('{', `{"deep":${deepText(5_000)},`))],
    ['with a colon and quotes in a claim', () => signed({ note: String.raw`":"\\":"` })],
    ['with a long claim', () => signed({ filler: 'x'.repeat(11_000) })],
    ['with a prototype to set', () => text(JSON.stringify(CLAIMS).replace('{', '{"__proto__":{"exp":1},'))],
    ['with white space in its JSON', () => text(JSON.stringify(CLAIMS, undefined, 2))],
  ])('%s', async (_, make) => {
    const { filter } = setUp();
    expect(await filter(await make())).toMatchObject({ outcome: 'verified' });
  });
});

const period = (offset: number): object => {
  const from = Math.floor(now / 1000) + offset;
  return { iat: from, nbf: from, exp: from + 3600 };
};

const deepText = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('createTokenFilter and a token that was tampered with', () => {
  const CHARACTERS = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=');

  it('never verifies it [jwt-json] [jwt-signature]', async () => {
    const { filter } = setUp();
    const compact = await signed();
    const change = fc.record({
      from: fc.nat(compact.length),
      removed: fc.nat(3),
      added: fc.string({ unit: fc.constantFrom(...CHARACTERS), maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const changed = changes.reduce(
          (before, { from, removed, added }) => before.slice(0, from) + added + before.slice(from + removed),
          compact,
        );
        fc.pre(changed !== compact);
        expect((await filter(changed)).outcome).not.toBe('verified');
      }),
      { numRuns: 500, seed: 4 },
    );
  });

  it('never verifies other claims under its signature [jwt-registered-claims] [jwt-signature]', async () => {
    const { filter } = setUp();
    const [header, , signature] = await partsOf(signed());
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(CLAIMS)), fc.jsonValue(), async (claim, value) => {
        fc.pre(JSON.stringify(value) !== JSON.stringify(CLAIMS[claim]));
        const payload = base64url(JSON.stringify({ ...CLAIMS, [claim]: value }));
        expect((await filter(`${header}.${payload}.${signature}`)).outcome).not.toBe('verified');
      }),
      { numRuns: 300, seed: 4 },
    );
  });
});
