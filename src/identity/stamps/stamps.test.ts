import { verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { encodePart, otherSigningKey, signByHand, signingKey } from '../../../test/fixtures/stamps/keys.ts';
import { MAX_STAMP_LENGTH } from './compact-stamp.ts';
import { kidOfPodStamp, type PodStamp, signPodStamp, verifyPodStamp } from './pod-stamp.ts';
import { createPublicKeys } from './stamp-keys.ts';
import { readTemplateStamp, signTemplateStamp, type TemplateStamp } from './template-stamp.ts';

// A title ends with the checks without which the test fails.

const keys = createPublicKeys([signingKey]);
const POD: PodStamp = {
  namespace: 'team-a',
  podName: 'train-x7k2m9q4wz',
  user: 'alice',
  requester: 'alice@example.com',
  issuedAtSeconds: 1_767_225_600,
};
const TEMPLATE: TemplateStamp = {
  namespace: 'team-a',
  namespaceUid: 'f0a1',
  kind: 'apps/Deployment',
  name: 'serve-model',
  user: 'alice',
  requester: 'alice@example.com',
  digest: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU',
};
const podStamp = signPodStamp(POD, signingKey);
const templateStamp = signTemplateStamp(TEMPLATE, signingKey);

const HEADER = { alg: 'EdDSA', kid: signingKey.kid, typ: 'kerbridge-pod-stamp' };
const PAYLOAD = { v: 1, ns: 'team-a', pod: 'p', user: 'alice', by: 'alice', iat: 1 };
const refused = (reason: string) => ({
  outcome: 'refused',
  reason,
  detail: expect.any(String) as unknown,
});

const [headerPart = '', payloadPart = '', signaturePart = ''] = podStamp.split('.');
const signatureBytes = Buffer.from(signaturePart, 'base64url');

describe('pod stamps and template stamps', () => {
  const { pod, template } = JSON.parse(
    readFileSync(new URL('../../../test/fixtures/stamps/vectors.json', import.meta.url), 'utf8'),
  ) as { pod: { stamp: PodStamp; text: string }[]; template: { stamp: TemplateStamp; text: string }[] };

  it.each(pod)('writes and reads the pod stamp of the vectors: $stamp.podName', ({ stamp, text }) => {
    expect(signPodStamp(stamp, signingKey)).toBe(text);
    expect(verifyPodStamp(text, keys)).toEqual({ outcome: 'valid', stamp });
  });

  it.each(template)('writes and reads the template stamp of the vectors: $stamp.kind', ({ stamp, text }) => {
    expect(signTemplateStamp(stamp, signingKey)).toBe(text);
    expect(readTemplateStamp(text, keys)).toEqual({ outcome: 'valid', stamp });
  });

  it.each([
    ['nothing', ''],
    ['a template stamp', templateStamp],
    ['a header with more in it', `${encodePart({ ...HEADER, jku: 'https://x' })}.a.b`],
    ['a header without a kid', `${encodePart({ alg: 'EdDSA', typ: HEADER.typ })}.a.b`],
    ['a header of padded base64', `${headerPart}=.a.b`],
    ['what is no JSON', 'e30x.a.b'],
    ['one that is too long', podStamp.padEnd(MAX_STAMP_LENGTH + 1, 'a')],
  ])('finds no key in %s', (_name, text) => {
    expect(kidOfPodStamp(text)).toBeUndefined();
  });

  it('finds the key that a pod stamp names, and believes nothing', () => {
    expect(kidOfPodStamp(podStamp)).toBe(signingKey.kid);
    expect(kidOfPodStamp(`${headerPart}.a.b`)).toBe(signingKey.kid);
  });

  it('is what the documentation says', () => {
    const decode = (part: string | undefined): unknown =>
      JSON.parse(Buffer.from(part ?? '', 'base64url').toString());
    expect(podStamp.split('.').slice(0, 2).map(decode)).toEqual([
      { alg: 'EdDSA', kid: signingKey.kid, typ: 'kerbridge-pod-stamp' },
      { v: 1, ns: 'team-a', pod: POD.podName, user: 'alice', by: 'alice@example.com', iat: 1_767_225_600 },
    ]);
    expect(templateStamp.split('.').slice(0, 2).map(decode)).toEqual([
      { alg: 'EdDSA', kid: signingKey.kid, typ: 'kerbridge-template-stamp' },
      {
        v: 1,
        ns: 'team-a',
        nsUid: 'f0a1',
        kind: 'apps/Deployment',
        name: 'serve-model',
        user: 'alice',
        by: 'alice@example.com',
        digest: TEMPLATE.digest,
      },
    ]);
  });

  it('verifies with any key of the set', () => {
    const several = createPublicKeys([otherSigningKey, signingKey]);
    expect(verifyPodStamp(podStamp, several)).toMatchObject({ outcome: 'valid' });
    expect(verifyPodStamp(signPodStamp(POD, otherSigningKey), several)).toMatchObject({ outcome: 'valid' });
  });

  const LONG_REQUESTER = { ...PAYLOAD, by: '\u0001'.repeat(512) };

  it('refuses a stamp that is too long, however right [stamp-size]', () => {
    const text = signByHand(HEADER, LONG_REQUESTER);
    expect(text.length).toBeGreaterThan(MAX_STAMP_LENGTH);
    expect(verifyPodStamp(text, keys)).toEqual(refused('malformed'));
  });

  it.each([
    ['its header alone', headerPart],
    ['no signature', `${headerPart}.${payloadPart}`],
    ['a fourth part', `${podStamp}.`],
    ['a fourth part with something in it', `${podStamp}.AAAA`],
    ['white space at the end', `${podStamp}\n`],
    ['padding', `${podStamp}==`],
    ['the standard alphabet', `${headerPart}.${payloadPart}.${withStandardAlphabet()}`],
    [
      'bits left over in the signature',
      `${headerPart}.${payloadPart}.${signaturePart.slice(0, -1)}${lastWithBits()}`,
    ],
  ])('refuses a right stamp but for this: %s [stamp-shape]', (_, text) => {
    expect(verifyPodStamp(text, keys)).toEqual(refused('malformed'));
  });

  /** The last of 86 digits has two bits of the signature, and four that have to be zero. */
  function lastWithBits(): string {
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return digits[digits.indexOf(signaturePart.slice(-1)) + 1] ?? '';
  }

  /** Of a signature that has such a digit. */
  function withStandardAlphabet(): string {
    const changed = signaturePart.replaceAll('-', '+').replaceAll('_', '/');
    if (changed === signaturePart) throw new Error('the signature has neither - nor _');
    return changed;
  }

  it.each(['', '.', '...', 'alice', '{}', '\0', 'é.é.é'])('refuses what is no stamp at all: %j', (text) => {
    expect(verifyPodStamp(text, keys)).toEqual(refused('malformed'));
    expect(readTemplateStamp(text, keys)).toEqual(refused('malformed'));
  });

  it('refuses a template stamp for a pod stamp, and the other way [stamp-type]', () => {
    expect(verifyPodStamp(templateStamp, keys)).toEqual(refused('other-type'));
    expect(readTemplateStamp(podStamp, keys)).toEqual(refused('other-type'));
  });

  it('refuses the payload of one kind under the header of the other [stamp-payload]', () => {
    const [, payload = ''] = templateStamp.split('.');
    const text = signByHand(HEADER, Buffer.from(payload, 'base64url').toString());
    expect(verifyPodStamp(text, keys)).toEqual(refused('malformed'));
  });

  it.each<[string, unknown]>([
    ['alg none', { ...HEADER, alg: 'none' }],
    ['alg HS256', { ...HEADER, alg: 'HS256' }],
    ['alg Ed25519', { ...HEADER, alg: 'Ed25519' }],
    ['alg in lower case', { ...HEADER, alg: 'eddsa' }],
    ['no alg', { kid: HEADER.kid, typ: HEADER.typ }],
    ['an alg that is no text', { ...HEADER, alg: ['EdDSA'] }],
    ['no typ', { alg: HEADER.alg, kid: HEADER.kid }],
    ['typ JWT', { ...HEADER, typ: 'JWT' }],
    ['typ in upper case', { ...HEADER, typ: 'KERBRIDGE-POD-STAMP' }],
    ['crit', { ...HEADER, crit: ['exp'] }],
    ['b64', { ...HEADER, b64: false }],
    ['jwk', { ...HEADER, jwk: signingKey.publicKey.export({ format: 'jwk' }) }],
    ['jku', { ...HEADER, jku: 'https://evil.example/jwks' }],
    ['x5c', { ...HEADER, x5c: [] }],
    ['cty', { ...HEADER, cty: 'JWT' }],
    ['another order', { typ: HEADER.typ, alg: HEADER.alg, kid: HEADER.kid }],
    ['white space', JSON.stringify(HEADER, undefined, 1)],
    ['a member that comes twice', JSON.stringify(HEADER).replace('{', '{"alg":"none",')],
    ['a kid that comes twice', JSON.stringify(HEADER).replace('}', `,"kid":"${HEADER.kid}"}`)],
    ['an escape', JSON.stringify(HEADER).replace('EdDSA', '\\u0045dDSA')],
    ['__proto__', JSON.stringify(HEADER).replace('{', '{"__proto__":{"alg":"none"},')],
  ])('refuses a header with %s, rightly signed [stamp-header]', (_, header) => {
    expect(verifyPodStamp(signByHand(header, PAYLOAD), keys)).toEqual(refused('malformed'));
  });

  it.each<[string, unknown]>([
    ['a kid that is no text', { ...HEADER, kid: 5 }],
    ['no kid', { alg: HEADER.alg, typ: HEADER.typ }],
    ['a list', [HEADER]],
    ['a text', '"EdDSA"'],
    ['no JSON', 'EdDSA'],
    ['what is no UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('latin1')],
    ['nothing', ''],
  ])('refuses as malformed what has %s for a header [stamp-header]', (_, header) => {
    expect(verifyPodStamp(signByHand(header, PAYLOAD), keys)).toEqual(refused('malformed'));
  });

  it('says so when the key is none of those at hand [stamp-key]', () => {
    const text = signPodStamp(POD, otherSigningKey);
    expect(verifyPodStamp(text, keys)).toEqual({
      outcome: 'refused',
      reason: 'unknown-key',
      detail: `signed with "${otherSigningKey.kid}"`,
    });
  });

  it.each(['__proto__', 'constructor', '\u001b[2K', 'x'.repeat(2_000)])(
    'knows no key %j, and shows no more than its start, escaped [stamp-key]',
    (kid) => {
      const result = verifyPodStamp(signByHand({ ...HEADER, kid }, PAYLOAD), keys);
      expect(result).toEqual(refused('unknown-key'));
      if (result.outcome === 'refused') {
        expect(result.detail).toBe(`signed with ${JSON.stringify(kid.slice(0, 64))}`);
      }
    },
  );

  it.each([
    ['by another key', signByHand(HEADER, PAYLOAD, otherSigningKey)],
    ['not at all', `${headerPart}.${payloadPart}.`],
    ['with zeros', `${headerPart}.${payloadPart}.${Buffer.alloc(64).toString('base64url')}`],
    ['with a byte more', withSignature(Buffer.concat([signatureBytes, Buffer.alloc(1)]))],
    ['with a byte less', withSignature(signatureBytes.subarray(0, 63))],
    [
      'with its halves exchanged',
      withSignature(Buffer.concat([signatureBytes.subarray(32), signatureBytes.subarray(0, 32)])),
    ],
    ['for another payload', `${headerPart}.${encodePart({ ...PAYLOAD, user: 'bob' })}.${signaturePart}`],
    ['for a payload that is no JSON', `${headerPart}.${encodePart('{')}.${signaturePart}`],
    ['with S beyond the order', withSignature(withLargerS(signatureBytes))],
  ])('refuses what is signed %s [stamp-signature]', (_, text) => {
    expect(verifyPodStamp(text, keys)).toEqual(refused('forged'));
  });

  function withSignature(bytes: Uint8Array): string {
    return `${headerPart}.${payloadPart}.${Buffer.from(bytes).toString('base64url')}`;
  }

  /** S + L is S for whoever does not look: a second signature of the same text (RFC 8032, section 8.4). */
  function withLargerS(signature: Uint8Array): Uint8Array {
    const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
    const toNumber = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);
    const larger = toNumber(signature.subarray(32)) + order;
    const hex = larger.toString(16).padStart(64, '0');
    return Buffer.concat([signature.subarray(0, 32), Buffer.from(hex, 'hex').toReversed()]);
  }

  it('relies on OpenSSL to refuse S beyond the order', () => {
    const signed = Buffer.from(`${headerPart}.${payloadPart}`);
    expect(verify(null, signed, signingKey.publicKey, signatureBytes)).toBe(true);
    expect(verify(null, signed, signingKey.publicKey, withLargerS(signatureBytes))).toBe(false);
  });

  it.each([0, 2, 1.5, -1, 99])('says so when the version is %d [stamp-version]', (v) => {
    expect(verifyPodStamp(signByHand(HEADER, { ...PAYLOAD, v }), keys)).toEqual(refused('unknown-version'));
    // Whatever else such a one has.
    expect(verifyPodStamp(signByHand(HEADER, { v, what: 'ever' }), keys)).toEqual(refused('unknown-version'));
  });

  it('does not believe the version of what is not signed [stamp-signature]', () => {
    const text = `${headerPart}.${encodePart({ ...PAYLOAD, v: 2 })}.${signaturePart}`;
    expect(verifyPodStamp(text, keys)).toEqual(refused('forged'));
  });

  it.each<[string, unknown]>([
    ['a version that is no number', { ...PAYLOAD, v: '1' }],
    ['no version', { ...PAYLOAD, v: undefined }],
    ['an unknown member', { ...PAYLOAD, exp: 5 }],
    ['no ns', { ...PAYLOAD, ns: undefined }],
    ['an empty ns', { ...PAYLOAD, ns: '' }],
    ['a long ns', { ...PAYLOAD, ns: 'n'.repeat(64) }],
    ['a pod that is a list', { ...PAYLOAD, pod: ['p'] }],
    ['a long pod', { ...PAYLOAD, pod: 'p'.repeat(254) }],
    ['no user', { ...PAYLOAD, user: undefined }],
    ['a user that is null', { ...PAYLOAD, user: null }],
    ['a long user', { ...PAYLOAD, user: 'u'.repeat(257) }],
    ['no by', { ...PAYLOAD, by: undefined }],
    ['a long by', { ...PAYLOAD, by: 'b'.repeat(513) }],
    ['half a character', JSON.stringify({ ...PAYLOAD, by: '\ud800' })],
    ['an iat that is a text', { ...PAYLOAD, iat: '1' }],
    ['an iat with a fraction', { ...PAYLOAD, iat: 1.5 }],
    ['a negative iat', { ...PAYLOAD, iat: -1 }],
    ['an iat beyond what is exact', { ...PAYLOAD, iat: 2 ** 53 }],
    ['an iat written otherwise', JSON.stringify(PAYLOAD).replace('"iat":1', '"iat":1e0')],
    ['another order', { ns: 'team-a', v: 1, pod: 'p', user: 'alice', by: 'alice', iat: 1 }],
    ['white space', JSON.stringify(PAYLOAD, undefined, 1)],
    ['a user that comes twice', JSON.stringify(PAYLOAD).replace('"user"', '"user":"bob","user"')],
    ['an escape', JSON.stringify(PAYLOAD).replace('alice', '\\u0061lice')],
    ['__proto__', JSON.stringify(PAYLOAD).replace('{', '{"__proto__":{"user":"bob"},')],
    ['a list', [PAYLOAD]],
    ['null', 'null'],
    ['no JSON', 'alice'],
    ['nothing', ''],
    ['a byte order mark', `\ufeff${JSON.stringify(PAYLOAD)}`],
    ['depth', `${'['.repeat(900)}${']'.repeat(900)}`],
  ])('refuses a payload with %s, rightly signed [stamp-payload]', (_, payload) => {
    expect(verifyPodStamp(signByHand(HEADER, payload), keys)).toEqual(refused('malformed'));
  });

  it.each<[string, object]>([
    ['no digest', { digest: undefined }],
    ['a digest that is too short', { digest: 'AAAA' }],
    ['a digest with bits left over', { digest: `${TEMPLATE.digest.slice(0, -1)}V` }],
    ['a digest in hex', { digest: 'e3'.repeat(32) }],
    ['a long kind', { kind: 'k'.repeat(318) }],
    ['an empty name', { name: '' }],
    ['no UID of the namespace', { nsUid: undefined }],
    ['a long UID of the namespace', { nsUid: 'u'.repeat(129) }],
    ['an iat', { iat: 1 }],
  ])('refuses a template stamp with %s, rightly signed [stamp-payload]', (_, change) => {
    const { namespace: ns, namespaceUid: nsUid, kind, name, user, requester: by, digest } = TEMPLATE;
    const text = signByHand(
      { ...HEADER, typ: 'kerbridge-template-stamp' },
      { v: 1, ns, nsUid, kind, name, user, by, digest, ...change },
    );
    expect(readTemplateStamp(text, keys)).toEqual(refused('malformed'));
  });

  it.each<[string, Partial<PodStamp>, RegExp]>([
    ['an empty namespace', { namespace: '' }, /pod stamp: ns/],
    ['a long name', { podName: 'p'.repeat(254) }, /pod stamp: pod/],
    ['an empty user', { user: '' }, /pod stamp: user/],
    ['half a character', { requester: 'a\ud800' }, /pod stamp: by/],
    ['a long requester', { requester: 'b'.repeat(513) }, /pod stamp: by/],
    ['a time in fractions', { issuedAtSeconds: 0.5 }, /pod stamp: iat/],
    ['what takes too much room together', { requester: '\u0001'.repeat(512) }, /longer than 4096/],
  ])('signs nothing with %s', (_, change, message) => {
    expect(() => signPodStamp({ ...POD, ...change }, signingKey)).toThrow(message);
    expect(() => signPodStamp({ ...POD, ...change }, signingKey)).toThrow(RangeError);
  });

  it('signs no template stamp with a digest that is none', () => {
    expect(() => signTemplateStamp({ ...TEMPLATE, digest: 'x' }, signingKey)).toThrow(
      /template stamp: digest/,
    );
  });

  const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });

  it('reads what it wrote, whatever the names', () => {
    fc.assert(
      fc.property(
        names,
        names,
        names,
        names,
        fc.nat(),
        (namespace, podName, user, requester, issuedAtSeconds) => {
          fc.pre(namespace.length <= 63);
          const stamp = { namespace, podName, user, requester, issuedAtSeconds };
          expect(verifyPodStamp(signPodStamp(stamp, signingKey), keys)).toEqual({ outcome: 'valid', stamp });
        },
      ),
    );
  });

  const change = fc.record({
    at: fc.nat(),
    to: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...Buffer.from('AQgw.-_=+/'))),
    how: fc.constantFrom('replace', 'insert', 'remove'),
  });

  it.each([
    ['pod stamp', podStamp, verifyPodStamp],
    ['template stamp', templateStamp, readTemplateStamp],
  ] as const)(
    'refuses a %s with any one byte changed, more or fewer [stamp-shape] [stamp-key] [stamp-signature]',
    (_, text, read) => {
      fc.assert(
        fc.property(change, ({ at, to, how }) => {
          const place = at % (text.length + 1);
          const changed =
            text.slice(0, place) +
            (how === 'remove' ? '' : String.fromCharCode(to)) +
            text.slice(how === 'insert' ? place : place + 1);
          fc.pre(changed !== text);
          expect(read(changed, keys).outcome).toBe('refused');
        }),
        { numRuns: 2_000 },
      );
    },
  );

  it('refuses a pod stamp with any one bit of it flipped [stamp-shape] [stamp-key] [stamp-signature]', () => {
    for (let bit = 0; bit < podStamp.length * 8; bit += 1) {
      const bytes = Buffer.from(podStamp, 'latin1');
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(verifyPodStamp(bytes.toString('latin1'), keys).outcome).toBe('refused');
    }
  });

  it('throws for no text, and takes none that it did not write', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => parts.join('.')),
        ),
        (text) => {
          expect(verifyPodStamp(text, keys).outcome).toBe('refused');
          expect(readTemplateStamp(text, keys).outcome).toBe('refused');
        },
      ),
    );
  });
});
