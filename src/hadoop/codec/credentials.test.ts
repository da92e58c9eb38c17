import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyCredentials } from '../../../test/fixtures/hadoop-codec/arbitraries.ts';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import {
  credentialsVector,
  fromHex,
  readHexVector,
  toHex,
} from '../../../test/fixtures/hadoop-codec/vectors.ts';
import {
  type Credentials,
  type CredentialsFormat,
  decodeCredentials,
  encodeCredentials,
  ENTRIES_LIMIT,
} from './credentials.ts';
import type { Token } from './token.ts';

const full: Credentials = {
  tokens: credentialsVector.tokens.map(({ alias, token }) => ({
    alias,
    token: {
      identifier: fromHex(token.identifierHex),
      password: fromHex(token.passwordHex),
      kind: token.kind,
      service: token.service,
    },
  })),
  secrets: credentialsVector.secrets.map(({ alias, valueHex }) => ({ alias, value: fromHex(valueHex) })),
};
const oneToken: Credentials = { tokens: full.tokens.slice(0, 1), secrets: [] };
const empty: Credentials = { tokens: [], secrets: [] };

const vectors: [string, CredentialsFormat, Credentials][] = [
  ['credentials-v0.hex', 'writable', full],
  ['credentials-v1.hex', 'protobuf', full],
  ['credentials-one-token-v0.hex', 'writable', oneToken],
  ['credentials-one-token-v1.hex', 'protobuf', oneToken],
  ['credentials-empty-v0.hex', 'writable', empty],
  ['credentials-empty-v1.hex', 'protobuf', empty],
];

const FORMATS = ['writable', 'protobuf'] as const;
const V0 = '48445453 00';
const V1 = '48445453 01';
const NO_BYTES = new Uint8Array(0);

/** Protobuf in hex, of fewer than 128 bytes. */
const delimited = (hex: string): string => {
  const digits = hex.replaceAll(' ', '');
  return Buffer.of(digits.length / 2).toString('hex') + digits;
};
const bytesField = (fieldNumber: number, hex: string): string =>
  Buffer.of(fieldNumber * 8 + 2).toString('hex') + delimited(hex);

const tokenNamed = (service: string): Token => ({
  identifier: NO_BYTES,
  password: NO_BYTES,
  kind: 'K',
  service,
});

describe('credentials', () => {
  it('has two tokens and a secret to compare with', () => {
    expect([full.tokens.length, full.secrets.length, oneToken.tokens.length]).toEqual([2, 1, 1]);
  });

  it.each(vectors)('%s', (file, format, credentials) => {
    const bytes = readHexVector(file);
    expect(decodeCredentials(bytes)).toEqual({ format, credentials });
    expect(toHex(encodeCredentials(credentials, format))).toBe(toHex(bytes));
  });

  it.each(vectors)('refuses every shorter piece of %s, and one byte more', (file) => {
    const bytes = readHexVector(file);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(codecErrorOf(() => decodeCredentials(bytes.subarray(0, length))).code).toBe('truncated');
    }
    expect(codecErrorOf(() => decodeCredentials(Uint8Array.of(...bytes, 0)))).toMatchObject({
      code: 'trailing-bytes',
      offset: bytes.length,
    });
  });

  it.each([
    ['nothing', '', 'truncated', 0],
    ['another magic', '48445454 00 00 00', 'bad-magic', 3],
    ['JSON', '7b7d', 'bad-magic', 0],
    ['a gzip file', '1f8b0800', 'bad-magic', 0],
    ['format 2', '48445453 02 00 00', 'unsupported-version', 4],
    ['format 255', '48445453 ff 00 00', 'unsupported-version', 4],
  ])('refuses %s', (_name, hex, code, offset) => {
    expect(codecErrorOf(() => decodeCredentials(fromHex(hex)))).toMatchObject({ code, offset });
  });

  describe('writable', () => {
    it.each([
      ['a negative number of tokens', `${V0} ff 00`, 'length-out-of-range', 5],
      ['a negative number of secrets', `${V0} 00 ff`, 'length-out-of-range', 6],
      ['2^31 tokens', `${V0} 8c80000000 00`, 'int-out-of-range', 5],
      ['2^31 - 1 tokens', `${V0} 8c7fffffff 00`, 'too-many-entries', 5],
      ['one token too many', `${V0} 8e0201 00`, 'too-many-entries', 5],
      ['2^31 - 1 secrets', `${V0} 00 8c7fffffff`, 'too-many-entries', 6],
      [
        'one secret too many, counted with the token',
        `${V0} 01 00 00 00 00 00 8e0200`,
        'too-many-entries',
        11,
      ],
      ['as many tokens as there may be, without them', `${V0} 8e0200`, 'truncated', 8],
      ['an alias that is not UTF-8', `${V0} 01 01ff 00 00 00 00 00`, 'invalid-utf8', 7],
      ['a secret alias that is not UTF-8', `${V0} 00 01 01ff 00`, 'invalid-utf8', 8],
      ['a negative password length', `${V0} 01 00 00 ff 00 00 00`, 'length-out-of-range', 9],
      ['a secret of 2 GiB - 1', `${V0} 00 01 00 8c7fffffff`, 'truncated', 13],
    ])('refuses %s', (_name, hex, code, offset) => {
      expect(codecErrorOf(() => decodeCredentials(fromHex(hex)))).toMatchObject({ code, offset });
    });
  });

  describe('protobuf', () => {
    const IDENTIFIER = bytesField(1, '69');
    const PASSWORD = bytesField(2, '70');
    const KIND = bytesField(3, '6b');
    const SERVICE = bytesField(4, '73');
    const ALIAS = bytesField(1, '61');
    const TOKEN = bytesField(2, IDENTIFIER + PASSWORD + KIND + SERVICE);
    const SECRET = bytesField(3, '78');
    const tokensEntry = (...fields: string[]) => bytesField(1, fields.join(''));
    const secretsEntry = (...fields: string[]) => bytesField(2, fields.join(''));
    const fileOf = (...entries: string[]) => V1 + delimited(entries.join(''));
    const fileOfToken = (...fields: string[]) => fileOf(tokensEntry(ALIAS, bytesField(2, fields.join(''))));

    const TOKEN_VALUE = { identifier: fromHex('69'), password: fromHex('70'), kind: 'k', service: 's' };

    it('reads what the cases below are made from', () => {
      const file = fileOf(tokensEntry(ALIAS, TOKEN), secretsEntry(ALIAS, SECRET));
      expect(decodeCredentials(fromHex(file)).credentials).toEqual({
        tokens: [{ alias: 'a', token: TOKEN_VALUE }],
        secrets: [{ alias: 'a', value: fromHex('78') }],
      });
    });

    it.each([
      ['a body shorter than its length', `${V1} 05 0a00`, 'truncated'],
      ['a body longer than its length', `${V1} 00 0a00`, 'trailing-bytes'],
      ['a body of 2 GiB', `${V1} 8080808008`, 'length-out-of-range'],
      ['an entry longer than the body, though the file goes on', `${V1} 02 0a05 0102030405`, 'truncated'],
      [
        'a token longer than its entry, though the body goes on',
        fileOf('0a04 0a00 1203', TOKEN),
        'truncated',
      ],
      ['an entry without an alias', fileOf(tokensEntry(TOKEN)), 'invalid-protobuf'],
      ['an entry with two aliases', fileOf(tokensEntry(ALIAS, ALIAS, TOKEN)), 'invalid-protobuf'],
      ['a tokens entry without a token', fileOf(tokensEntry(ALIAS)), 'invalid-protobuf'],
      ['a tokens entry with a secret only', fileOf(tokensEntry(ALIAS, SECRET)), 'invalid-protobuf'],
      ['a tokens entry with two tokens', fileOf(tokensEntry(ALIAS, TOKEN, TOKEN)), 'invalid-protobuf'],
      ['a secret given twice', fileOf(secretsEntry(ALIAS, SECRET, SECRET)), 'invalid-protobuf'],
      ['a secrets entry without an alias', fileOf(secretsEntry(SECRET)), 'invalid-protobuf'],
      ['a token without an identifier', fileOfToken(PASSWORD, KIND, SERVICE), 'invalid-protobuf'],
      ['a token without a password', fileOfToken(IDENTIFIER, KIND, SERVICE), 'invalid-protobuf'],
      ['a token without a kind', fileOfToken(IDENTIFIER, PASSWORD, SERVICE), 'invalid-protobuf'],
      ['a token without a service', fileOfToken(IDENTIFIER, PASSWORD, KIND), 'invalid-protobuf'],
      ['two identifiers', fileOfToken(IDENTIFIER, PASSWORD, KIND, SERVICE, IDENTIFIER), 'invalid-protobuf'],
      ['two passwords', fileOfToken(IDENTIFIER, PASSWORD, KIND, SERVICE, PASSWORD), 'invalid-protobuf'],
      ['two kinds', fileOfToken(IDENTIFIER, PASSWORD, KIND, SERVICE, KIND), 'invalid-protobuf'],
      ['two services', fileOfToken(IDENTIFIER, PASSWORD, KIND, SERVICE, SERVICE), 'invalid-protobuf'],
      ['tokens of another wire type', fileOf('0801'), 'invalid-protobuf'],
      ['an alias of another wire type', fileOf(tokensEntry('0801', TOKEN)), 'invalid-protobuf'],
      ['a password of another wire type', fileOfToken(IDENTIFIER, '1001', KIND, SERVICE), 'invalid-protobuf'],
      ['a group', fileOf('1b1c'), 'invalid-protobuf'],
      ['an alias that is not UTF-8', fileOf(tokensEntry(bytesField(1, 'ff'), TOKEN)), 'invalid-utf8'],
      [
        'a kind that is not UTF-8',
        fileOfToken(IDENTIFIER, PASSWORD, bytesField(3, 'ff'), SERVICE),
        'invalid-utf8',
      ],
    ])('refuses %s', (_name, hex, code) => {
      expect(codecErrorOf(() => decodeCredentials(fromHex(hex))).code).toBe(code);
    });

    it('refuses one entry more than there may be', () => {
      const entry = secretsEntry(ALIAS);
      const entries = (count: number) => {
        const length = (entry.length / 2) * count;
        const varint = Buffer.of((length & 0x7f) | 0x80, length >> 7).toString('hex');
        return fromHex(V1 + varint + entry.repeat(count));
      };
      expect(decodeCredentials(entries(ENTRIES_LIMIT)).credentials.secrets).toHaveLength(1);
      expect(codecErrorOf(() => decodeCredentials(entries(ENTRIES_LIMIT + 1)))).toMatchObject({
        code: 'too-many-entries',
        offset: 7 + (entry.length / 2) * ENTRIES_LIMIT,
      });
    });

    it('skips unknown fields at every depth, and takes fields in any order', () => {
      const token = bytesField(2, `4801${SERVICE}${KIND}${bytesField(9, '00')}${PASSWORD}${IDENTIFIER}`);
      const file = fileOf(
        '1801',
        tokensEntry(bytesField(9, '7a'), token, '5d01020304', ALIAS),
        '590102030405060708',
      );
      expect(decodeCredentials(fromHex(file)).credentials).toEqual({
        tokens: [{ alias: 'a', token: TOKEN_VALUE }],
        secrets: [],
      });
    });

    it('reads a missing secret as an empty one', () => {
      expect(decodeCredentials(fromHex(fileOf(secretsEntry(ALIAS)))).credentials.secrets).toEqual([
        { alias: 'a', value: NO_BYTES },
      ]);
    });
  });

  it.each([
    [
      'writable',
      `${V0} 03 0161 00 00 014b 0131  0162 00 00 014b 0132  0161 00 00 014b 0133  02 0161 0131 0161 0132`,
    ],
    [
      'protobuf',
      V1 +
        delimited(
          bytesField(1, '0a0161 120a 0a00 1200 1a014b 220131') +
            bytesField(1, '0a0162 120a 0a00 1200 1a014b 220132') +
            bytesField(1, '0a0161 120a 0a00 1200 1a014b 220133') +
            bytesField(2, '0a0161 1a0131') +
            bytesField(2, '0a0161 1a0132'),
        ),
    ],
  ])('keeps the last of two entries with one alias: %s', (format, hex) => {
    expect(decodeCredentials(fromHex(hex))).toEqual({
      format,
      credentials: {
        tokens: [
          { alias: 'a', token: tokenNamed('3') },
          { alias: 'b', token: tokenNamed('2') },
        ],
        secrets: [{ alias: 'a', value: fromHex('32') }],
      },
    });
  });

  describe.each(FORMATS)('%s, writing', (format) => {
    it.each<[string, Credentials, string]>([
      [
        'two tokens with one alias',
        {
          tokens: [
            { alias: 'a', token: tokenNamed('1') },
            { alias: 'b', token: tokenNamed('1') },
            { alias: 'a', token: tokenNamed('1') },
          ],
          secrets: [],
        },
        'duplicate-alias',
      ],
      [
        'two secrets with one alias',
        {
          tokens: [],
          secrets: [
            { alias: '', value: NO_BYTES },
            { alias: '', value: NO_BYTES },
          ],
        },
        'duplicate-alias',
      ],
      [
        'more entries than there may be',
        {
          tokens: [{ alias: 'a', token: tokenNamed('1') }],
          secrets: Array.from({ length: ENTRIES_LIMIT }, (_, index) => ({
            alias: `${index}`,
            value: NO_BYTES,
          })),
        },
        'too-many-entries',
      ],
      [
        'half a surrogate pair in an alias',
        { tokens: [{ alias: '\ud800', token: tokenNamed('1') }], secrets: [] },
        'lone-surrogate',
      ],
      [
        'half a surrogate pair in a service',
        { tokens: [{ alias: 'a', token: tokenNamed('\udc00') }], secrets: [] },
        'lone-surrogate',
      ],
      [
        'half a surrogate pair in a secret alias',
        { tokens: [], secrets: [{ alias: '\udc00', value: NO_BYTES }] },
        'lone-surrogate',
      ],
      [
        'an alias of 1 MiB',
        { tokens: [], secrets: [{ alias: 'x'.repeat(2 ** 20), value: NO_BYTES }] },
        'length-out-of-range',
      ],
    ])('refuses %s', (_name, credentials, code) => {
      expect(codecErrorOf(() => encodeCredentials(credentials, format)).code).toBe(code);
    });

    it('takes as many entries as there may be', () => {
      const credentials: Credentials = {
        tokens: Array.from({ length: ENTRIES_LIMIT - 1 }, (_, index) => ({
          alias: `alias ${index}`,
          token: tokenNamed(`${index}`),
        })),
        secrets: [{ alias: 'alias 0', value: fromHex('00') }],
      };
      expect(decodeCredentials(encodeCredentials(credentials, format))).toEqual({ format, credentials });
    });

    it('reads back everything it writes', () => {
      fc.assert(
        fc.property(anyCredentials, (credentials) => {
          expect(decodeCredentials(encodeCredentials(credentials, format))).toEqual({ format, credentials });
        }),
      );
    });
  });

  it.each(vectors)('shares no memory with its input: %s', (file, _format, credentials) => {
    const bytes = Buffer.from(readHexVector(file));
    const decoded = decodeCredentials(bytes);
    bytes.fill(0);
    expect(decoded.credentials).toEqual(credentials);
    for (const { token } of decoded.credentials.tokens) {
      expect(token.password.buffer.byteLength).toBe(token.password.length);
    }
  });
});
