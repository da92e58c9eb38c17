import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { FakeTokenIssuer, ISSUER } from '../../test/fakes/fake-token-issuer.ts';
import {
  apiServer,
  at,
  attacker,
  AUDIENCE,
  base64url,
  bound,
  CLAIMS,
  HEADER,
  now,
  OBJECTS,
  partsOf,
  setUp,
  signed,
  text,
} from '../../test/fakes/token-filter-world.ts';
import { MAX_BEARER_TOKEN_LENGTH } from './bearer-token.ts';

/** `header.payload.signature` made of texts, unsigned. */
function unsigned(header: object, signature = '', payload: unknown = CLAIMS): string {
  return `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(payload))}.${signature}`;
}

function signedWithPublicKey(secret: string | Buffer): string {
  const [head = '', payload = ''] = unsigned({ alg: 'HS256', kid: apiServer.keyId }).split('.');
  const signature = createHmac('sha256', secret).update(`${head}.${payload}`).digest('base64url');
  return `${head}.${payload}.${signature}`;
}

type Row = readonly [what: string, make: () => string | Promise<string>, reason: string, detail?: string];

const SHAPE = ['jwt-malformed', 'no compact JWS'] as const;
const JSON_OBJECTS = ['jwt-malformed', 'header or payload is no JSON object'] as const;
const TWICE = ['jwt-malformed', 'a JSON name comes twice'] as const;
const REGISTERED = ['jwt-malformed', 'a registered claim is missing or no such'] as const;
const PRIVATE = ['jwt-malformed', 'a claim under kubernetes.io is missing or no such'] as const;
const SUBJECT = ['jwt-malformed', 'sub is another account than kubernetes.io says'] as const;
const ALGORITHM = 'jwt-algorithm-not-allowed';
const SIGNATURE = 'jwt-signature-invalid';

/** The same bytes in another spelling: the last character's unused bits set. */
function otherSpelling(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return part.slice(0, -1) + (alphabet[alphabet.indexOf(part.at(-1) ?? '') + 1] ?? '');
}

const MALFORMED: readonly Row[] = [
  ['two parts [jwt-shape]', async () => (await partsOf(signed())).slice(0, 2).join('.'), ...SHAPE],
  ['four parts [jwt-shape]', async () => `${await signed()}.AAAA`, ...SHAPE],
  ['five parts [jwt-shape]', async () => `${await signed()}.AAAA.AAAA`, ...SHAPE],
  ['a padded signature [jwt-shape]', async () => `${await signed()}==`, ...SHAPE],
  ['a line break after it [jwt-shape]', async () => `${await signed()}\n`, ...SHAPE],
  ['data after it [jwt-shape]', async () => `${await signed()}!garbage`, ...SHAPE],
  [
    'its signature in another spelling [jwt-shape]',
    async () => {
      const [header, payload, signature] = await partsOf(signed());
      return [header, payload, otherSpelling(signature)].join('.');
    },
    ...SHAPE,
  ],
  [
    'a signature in plain base64 [jwt-shape]',
    async () => {
      const [header, payload, signature] = await partsOf(signed());
      return [header, payload, `-_${signature.slice(2)}`.replaceAll('-', '+').replaceAll('_', '/')].join('.');
    },
    ...SHAPE,
  ],
  ['an unsigned JSON text [jwt-shape]', () => JSON.stringify({ payload: CLAIMS, signatures: [] }), ...SHAPE],
  ['more than 16 KiB [jwt-size]', () => signed({ filler: 'x'.repeat(16_000) }), 'jwt-malformed', 'too long'],
  ['three empty parts [jwt-json]', () => '..', ...JSON_OBJECTS],
  ['a payload that is a list [jwt-json]', () => text('[]'), ...JSON_OBJECTS],
  ['a payload that is null [jwt-json]', () => text('null'), ...JSON_OBJECTS],
  [
    'a payload with something after it [jwt-json]',
    () => text(`${JSON.stringify(CLAIMS)}{}`),
    ...JSON_OBJECTS,
  ],
  [
    'a payload after a byte order mark [jwt-json]',
    () => text(`\uFEFF${JSON.stringify(CLAIMS)}`),
    ...JSON_OBJECTS,
  ],
  [
    'a payload that is no UTF-8 [jwt-json]',
    () => text(Buffer.from(JSON.stringify({ ...CLAIMS, x: '\u00FF' }), 'latin1')),
    ...JSON_OBJECTS,
  ],
  ['a header that is a string [jwt-json]', () => text(JSON.stringify(CLAIMS), '"RS256"'), ...JSON_OBJECTS],
  ['only opening brackets [jwt-json]', () => text('['.repeat(11_000)), ...JSON_OBJECTS],
  [
    'a claim twice [jwt-duplicate-members]',
    () => text(JSON.stringify(CLAIMS).replace('{', '{"aud":["vault"],')),
    ...TWICE,
  ],
  [
    'a claim twice, once in escapes [jwt-duplicate-members]',
    () => text(JSON.stringify(CLAIMS).replace('{', String.raw`{"\u0069ss":"https://else.where",`)),
    ...TWICE,
  ],
  [
    'a pod twice [jwt-duplicate-members]',
    () => text(JSON.stringify(CLAIMS).replace('"pod":', '"pod":{"name":"job-2","uid":"u"},"pod":')),
    ...TWICE,
  ],
  [
    'a header parameter twice [jwt-duplicate-members]',
    () => text(JSON.stringify(CLAIMS), `{"alg":"none",${JSON.stringify(HEADER).slice(1)}`),
    ...TWICE,
  ],
  [
    'an extension it wants understood [jwt-critical-header]',
    () => text(JSON.stringify(CLAIMS), JSON.stringify({ ...HEADER, crit: ['exp'], exp: 1 })),
    'jwt-malformed',
    'a header parameter crit or b64',
  ],
  [
    'an empty crit [jwt-critical-header]',
    () => text(JSON.stringify(CLAIMS), JSON.stringify({ ...HEADER, crit: [] })),
    'jwt-malformed',
    'a header parameter crit or b64',
  ],
  [
    'a payload said not to be encoded [jwt-critical-header]',
    () => signed({}, { b64: true, crit: ['b64'] }),
    'jwt-malformed',
    'a header parameter crit or b64',
  ],
  [
    'b64 without crit [jwt-critical-header]',
    () => text(JSON.stringify(CLAIMS), JSON.stringify({ ...HEADER, b64: false })),
    'jwt-malformed',
    'a header parameter crit or b64',
  ],
  ...[7, null, ['a'], {}].map((kid): Row => [
    `the kid ${JSON.stringify(kid)} [jwt-key-id]`,
    () => text(JSON.stringify(CLAIMS), JSON.stringify({ ...HEADER, kid })),
    'jwt-malformed',
    'kid is no string',
  ]),
];

const ALGORITHMS: readonly Row[] = [
  ...[
    'none',
    'NONE',
    'None',
    'nOnE',
    'HS256',
    'HS512',
    'RS512',
    'PS256',
    'EdDSA',
    'rs256',
    '',
    '__proto__',
  ].map((alg): Row => [
    `the algorithm "${alg}" [jwt-algorithm]`,
    () => unsigned({ alg, kid: apiServer.keyId }),
    ALGORITHM,
    `the token names the algorithm "${alg}"`,
  ]),
  ...[undefined, null, 256, ['RS256'], { RS256: true }].map((alg): Row => [
    `the algorithm ${JSON.stringify(alg) ?? 'left out'} [jwt-algorithm]`,
    () => unsigned({ alg, kid: apiServer.keyId }),
    ALGORITHM,
    'the token names the algorithm none',
  ]),
  [
    'HS256 with the public key in PEM for its secret [jwt-algorithm]',
    () => signedWithPublicKey(apiServer.publicKey.export({ type: 'spki', format: 'pem' })),
    ALGORITHM,
    'the token names the algorithm "HS256"',
  ],
  [
    'HS256 with the public key in DER for its secret [jwt-algorithm]',
    () => signedWithPublicKey(apiServer.publicKey.export({ type: 'spki', format: 'der' })),
    ALGORITHM,
    'the token names the algorithm "HS256"',
  ],
  [
    'a very long algorithm [jwt-algorithm]',
    () => unsigned({ alg: 'x'.repeat(5_000) }),
    ALGORITHM,
    `the token names the algorithm "${'x'.repeat(100)}"`,
  ],
  [
    'another algorithm than its key is for [jwt-key-algorithm]',
    () => new FakeTokenIssuer('ES256').sign(CLAIMS, { kid: apiServer.keyId }),
    ALGORITHM,
    'the key of that kid is for RS256',
  ],
];

const FORGED: readonly Row[] = [
  [
    'a signature of another key under a known kid [jwt-signature]',
    () => attacker.sign(CLAIMS, { kid: apiServer.keyId }),
    SIGNATURE,
  ],
  ['no signature [jwt-signature]', () => unsigned(HEADER), SIGNATURE],
  ['a signature of zeros [jwt-signature]', () => unsigned(HEADER, 'A'.repeat(342)), SIGNATURE],
  [
    'the signature of another token [jwt-signature]',
    async () => {
      const [header, , signature] = await partsOf(signed({ jti: 'other' }));
      return `${header}.${base64url(JSON.stringify(CLAIMS))}.${signature}`;
    },
    SIGNATURE,
  ],
  [
    'a known kid and a key of its own [jwt-signature]',
    () => attacker.sign(CLAIMS, { kid: apiServer.keyId, jwk: attacker.jwk, x5t: 'AAAA', x5c: ['AAAA'] }),
    SIGNATURE,
  ],
];

const REGISTERED_CLAIMS: readonly Row[] = [
  ['no exp [jwt-expiry-present]', () => signed({ exp: undefined }), 'jwt-without-expiry'],
  [
    'the claims of a legacy Secret [jwt-expiry-present]',
    () =>
      apiServer.sign({
        iss: 'kubernetes/serviceaccount',
        'kubernetes.io/serviceaccount/namespace': 'team-a',
        'kubernetes.io/serviceaccount/service-account.name': 'trainer',
        sub: 'system:serviceaccount:team-a:trainer',
      }),
    'jwt-without-expiry',
  ],
  ...['exp', 'iat', 'nbf'].flatMap((claim) =>
    ['1e999', '"1767225600"', 'null', '-1', '1.5', 'true', '[1767225600]', '{}', '1e300'].map((date): Row => [
      `${claim}: ${date} [jwt-registered-claims]`,
      () => text(JSON.stringify({ ...CLAIMS, [claim]: '@' }).replace('"@"', date)),
      ...REGISTERED,
    ]),
  ),
  ['no iat [jwt-registered-claims]', () => signed({ iat: undefined }), ...REGISTERED],
  ...['iss', 'sub'].flatMap((claim) =>
    [undefined, null, 7, [ISSUER], {}].map((value): Row => [
      `${claim}: ${JSON.stringify(value) ?? 'left out'} [jwt-registered-claims]`,
      () => signed({ [claim]: value }),
      ...REGISTERED,
    ]),
  ),
  ...[null, 7, {}, [AUDIENCE, 7], [[AUDIENCE]], [AUDIENCE, null]].map((aud): Row => [
    `aud: ${JSON.stringify(aud)} [jwt-registered-claims]`,
    () => signed({ aud }),
    ...REGISTERED,
  ]),
  [
    'its claims only in __proto__ [jwt-expiry-present]',
    () => text(`{"__proto__":${JSON.stringify(CLAIMS)}}`),
    'jwt-without-expiry',
  ],
];

const several = (count: number) => ['jwt-several-audiences', `the token names ${count} audiences`] as const;
const audienceIs = (named: string) =>
  ['jwt-audience-differs', `the token names the audience ${named}`] as const;

const AUDIENCES: readonly Row[] = [
  ['two audiences [jwt-single-audience]', () => signed({ aud: [AUDIENCE, 'vault'] }), ...several(2)],
  ['two audiences, ours last [jwt-single-audience]', () => signed({ aud: ['a', AUDIENCE] }), ...several(2)],
  ['our audience twice [jwt-single-audience]', () => signed({ aud: [AUDIENCE, AUDIENCE] }), ...several(2)],
  ['another audience [jwt-audience]', () => signed({ aud: ['vault'] }), ...audienceIs('"vault"')],
  [
    'another audience, not in a list [jwt-audience]',
    () => signed({ aud: 'vault' }),
    ...audienceIs('"vault"'),
  ],
  [
    'our audience in another case [jwt-audience]',
    () => signed({ aud: ['Kerbridge'] }),
    ...audienceIs('"Kerbridge"'),
  ],
  [
    'our audience and more [jwt-audience]',
    () => signed({ aud: 'kerbridge2' }),
    ...audienceIs('"kerbridge2"'),
  ],
  ['an empty audience [jwt-audience]', () => signed({ aud: [''] }), ...audienceIs('""')],
  ['an empty list of audiences [jwt-audience]', () => signed({ aud: [] }), ...audienceIs('none')],
  ['no audience [jwt-audience]', () => signed({ aud: undefined }), ...audienceIs('none')],
  [
    'an audience with control characters [jwt-audience]',
    () => signed({ aud: '\u001B[2J\n' }),
    ...audienceIs(String.raw`"\u001b[2J\n"`),
  ],
];

const TIMES: readonly Row[] = [
  ['an exp that is over [jwt-expired]', () => at('exp', -61), 'jwt-expired', 'exp is 61 s ago'],
  ['an exp of 0 [jwt-expired]', () => signed({ exp: 0 }), 'jwt-expired', `exp is ${now / 1000} s ago`],
  ['an nbf to come [jwt-not-before]', () => at('nbf', 61), 'jwt-not-yet-valid', 'nbf is 61 s ahead'],
  ['an iat to come [jwt-issued-at]', () => at('iat', 61), 'jwt-not-yet-valid', 'iat is 61 s ahead'],
  [
    'a lifetime of a second more than allowed [jwt-lifetime]',
    () => at('exp', 3601),
    'jwt-lifetime-too-long',
    'exp is 3601 s after iat, allowed are 3600 s',
  ],
  [
    'the last exp there is [jwt-lifetime]',
    () => signed({ exp: Number.MAX_SAFE_INTEGER, iat: 0 }),
    'jwt-lifetime-too-long',
    `exp is ${Number.MAX_SAFE_INTEGER} s after iat, allowed are 3600 s`,
  ],
];

const PRIVATE_CLAIMS: readonly Row[] = [
  ['no pod [jwt-pod-bound]', () => bound({ pod: undefined }), 'jwt-without-pod'],
  ['a pod it would inherit [jwt-pod-bound]', () => text(inheritedPod()), 'jwt-without-pod'],
  ...[undefined, null, 'pod', []].map((objects): Row => [
    `kubernetes.io: ${JSON.stringify(objects) ?? 'left out'} [jwt-pod-bound]`,
    () => signed({ 'kubernetes.io': objects }),
    'jwt-without-pod',
  ]),
  ...['pod', 'serviceaccount'].flatMap((object) =>
    [
      null,
      'job-1',
      [],
      {},
      { name: 'job-1' },
      { uid: 'u' },
      { name: 7, uid: 'u' },
      { name: 'a', uid: null },
    ].map((value): Row => [
      `${object}: ${JSON.stringify(value)} [jwt-private-claims]`,
      () => bound({ [object]: value }),
      ...PRIVATE,
    ]),
  ),
  ['no account [jwt-private-claims]', () => bound({ serviceaccount: undefined }), ...PRIVATE],
  ...[undefined, null, 7, '', ['team-a'], '../kube-system', 'team a', 'team-a\n', 'x'.repeat(254)].map(
    (namespace): Row => [
      `namespace: ${(JSON.stringify(namespace) ?? 'left out').slice(0, 20)} [jwt-private-claims]`,
      () => bound({ namespace }),
      ...PRIVATE,
    ],
  ),
  [
    'a pod with an empty UID [jwt-private-claims]',
    () => bound({ pod: { name: 'job-1', uid: '' } }),
    ...PRIVATE,
  ],
  ...[
    'system:serviceaccount:team-b:trainer',
    'system:serviceaccount:team-a:other',
    'system:serviceaccount:team-a:trainer:x',
    'system:node:team-a:trainer',
    'trainer',
    '',
  ].map((sub): Row => [`sub: "${sub}" [jwt-subject]`, () => signed({ sub }), ...SUBJECT]),
];

function inheritedPod(): string {
  const { pod, ...others } = OBJECTS;
  const objects = JSON.stringify({ ...others, '@': { pod } }).replace('"@"', '"__proto__"');
  return JSON.stringify({ ...CLAIMS, 'kubernetes.io': '@' }).replace('"@"', objects);
}

const ISSUERS: readonly Row[] = [
  'https://else.where',
  `${ISSUER}/`,
  ISSUER.toUpperCase(),
  ` ${ISSUER}`,
  'kubernetes/serviceaccount',
  '',
].map((iss) => [
  `the issuer "${iss}" [jwt-issuer]`,
  () => signed({ iss }),
  'jwt-issuer-differs',
  `the token names the issuer "${iss}"`,
]);

const REFUSED: readonly Row[] = [
  ...MALFORMED,
  ...ALGORITHMS,
  ...FORGED,
  ...REGISTERED_CLAIMS,
  ...AUDIENCES,
  ...TIMES,
  ...PRIVATE_CLAIMS,
  ...ISSUERS,
];

describe('createTokenFilter refuses a token with', () => {
  it.each(REFUSED.map(([what, ...row]) => [what, row] as const))('%s', async (_, [make, reason, detail]) => {
    const { filter } = setUp();
    const expected = { outcome: 'refused', reason, ...(detail === undefined ? {} : { detail }) };
    expect(await filter(await make())).toEqual(expected);
  });

  it.each(['', '.', 'garbage', 'e30.e30', 'e30.e30.', 'A'.repeat(MAX_BEARER_TOKEN_LENGTH)])(
    'no token in it: %j',
    async (garbage) => {
      const { filter, published } = setUp();
      expect(await filter(garbage)).toMatchObject({ outcome: 'refused' });
      expect(published.reads).toBe(0);
    },
  );
});
