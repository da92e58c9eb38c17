import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyTokenIdentifier } from '../../../test/fixtures/hadoop-codec/arbitraries.ts';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import {
  fromHex,
  hdfsIdentifierVectors,
  type IdentifierVector,
  otherIdentifierVectors,
  serviceVectors,
  toHex,
  webhdfsVectors,
} from '../../../test/fixtures/hadoop-codec/vectors.ts';
import {
  decodeTokenIdentifier,
  encodeTokenIdentifier,
  type IdentifierLayout,
  type TokenIdentifier,
} from './token-identifier.ts';
import { decodeTokenUrlString } from './token.ts';

const WRITABLE_KINDS = [
  'HDFS_DELEGATION_TOKEN',
  'WEBHDFS delegation',
  'SWEBHDFS delegation',
  'kms-dt',
  'MR_DELEGATION_TOKEN',
  'HIVE_DELEGATION_TOKEN',
];
const PROTOBUF_KINDS = ['RM_DELEGATION_TOKEN', 'TIMELINE_DELEGATION_TOKEN'];

const layoutOf = (kind: string): IdentifierLayout =>
  PROTOBUF_KINDS.includes(kind) ? 'protobuf' : 'writable';

/** The description of identifiers-other.json. */
const otherFields: TokenIdentifier = {
  owner: 'alice',
  renewer: 'yarn',
  realUser: 'kerbridge',
  issueDate: 1795371387365n,
  maxDate: 1795976187365n,
  sequenceNumber: 7,
  masterKeyId: 3,
};

function fieldsOf(vector: IdentifierVector): TokenIdentifier {
  const { owner, renewer, realUser, issueDate, maxDate, sequenceNumber, masterKeyId } = vector;
  return {
    owner,
    renewer,
    realUser,
    issueDate: BigInt(issueDate),
    maxDate: BigInt(maxDate),
    sequenceNumber,
    masterKeyId,
  };
}

describe('token identifier', () => {
  it('has the vectors of Hadoop to compare with', () => {
    expect([
      hdfsIdentifierVectors.length,
      otherIdentifierVectors.length,
      webhdfsVectors.length,
      serviceVectors.length,
    ]).toEqual([5, 4, 2, 3]);
    expect(otherIdentifierVectors.map(({ kind }) => layoutOf(kind))).toEqual([
      'protobuf',
      'protobuf',
      'writable',
      'writable',
    ]);
  });

  it.each([
    ...hdfsIdentifierVectors.map((vector) => ({
      kind: vector.kind,
      hex: vector.hex,
      fields: fieldsOf(vector),
    })),
    ...otherIdentifierVectors.map(({ kind, hex }) => ({ kind, hex, fields: otherFields })),
    ...webhdfsVectors.map((vector) => ({
      kind: vector.kind,
      hex: vector.identifierHex,
      fields: fieldsOf(vector),
    })),
  ])('$kind $hex', ({ kind, hex, fields }) => {
    expect(decodeTokenIdentifier(kind, fromHex(hex))).toEqual(fields);
    expect(toHex(encodeTokenIdentifier(fields, layoutOf(kind)))).toBe(hex);
  });

  it.each(serviceVectors)('$kind from a live service: $urlString', (vector) => {
    const { identifier } = decodeTokenUrlString(vector.urlString);
    const fields = decodeTokenIdentifier(vector.kind, identifier);
    expect(fields).toMatchObject({
      owner: vector.owner,
      renewer: vector.renewer,
      realUser: vector.realUser,
      sequenceNumber: vector.sequenceNumber,
      masterKeyId: vector.masterKeyId,
    });
    if (vector.issueDate !== undefined) {
      expect(fields.issueDate).toBe(BigInt(vector.issueDate));
      expect(fields.maxDate).toBe(BigInt(vector.maxDate ?? ''));
    }
    expect(fields.maxDate - fields.issueDate).toBe(604_800_000n);
    expect(encodeTokenIdentifier(fields, layoutOf(vector.kind))).toEqual(identifier);
  });

  it.each([
    'HBASE_AUTH_TOKEN',
    'OzoneToken',
    'mapreduce.job',
    'YARN_AM_RM_TOKEN',
    '',
    'hdfs_delegation_token',
  ])('refuses the kind %j, whose layout is not known', (kind) => {
    const error = codecErrorOf(() =>
      decodeTokenIdentifier(kind, encodeTokenIdentifier(otherFields, 'writable')),
    );
    expect(error.code).toBe('unknown-identifier-format');
  });

  describe.each(WRITABLE_KINDS)('%s', (kind) => {
    const bytes = encodeTokenIdentifier(otherFields, 'writable');

    it('refuses every shorter piece, and one byte more', () => {
      for (let length = 0; length < bytes.length; length += 1) {
        expect(codecErrorOf(() => decodeTokenIdentifier(kind, bytes.subarray(0, length))).code).toBe(
          'truncated',
        );
      }
      expect(codecErrorOf(() => decodeTokenIdentifier(kind, Uint8Array.of(...bytes, 0)))).toMatchObject({
        code: 'trailing-bytes',
        offset: bytes.length,
      });
    });

    it.each([
      ['another version', '01 00 00 00 00 00 00 00', 'unsupported-version'],
      ['the protobuf layout', toHex(encodeTokenIdentifier(otherFields, 'protobuf')), 'unsupported-version'],
      ['an owner that is not UTF-8', '00 01ff 00 00 00 00 00 00', 'invalid-utf8'],
      ['a negative owner length', '00 ff 00 00 00 00 00 00', 'length-out-of-range'],
      ['a sequence number that is no int', '00 00 00 00 00 00 8cffffffff 00', 'int-out-of-range'],
      ['a key id that is no int', '00 00 00 00 00 00 00 8cffffffff', 'int-out-of-range'],
      ['a maxDate that is no long', '00 00 00 00 00 888000000000000000 00 00', 'int-out-of-range'],
    ])('refuses %s', (_name, hex, code) => {
      expect(codecErrorOf(() => decodeTokenIdentifier(kind, fromHex(hex))).code).toBe(code);
    });
  });

  describe.each(PROTOBUF_KINDS)('%s', (kind) => {
    it('reads the Writable layout of early Hadoop 2 as well, told by its first byte', () => {
      expect(decodeTokenIdentifier(kind, encodeTokenIdentifier(otherFields, 'writable'))).toEqual(
        otherFields,
      );
      expect(decodeTokenIdentifier(kind, encodeTokenIdentifier(otherFields, 'protobuf'))).toEqual(
        otherFields,
      );
    });

    it('reads missing fields as their defaults, and leaves defaults out, as Java does', () => {
      const nothing = { ...otherFields, owner: '', renewer: '', realUser: '', issueDate: 0n, maxDate: 0n };
      const expected = { ...nothing, sequenceNumber: 0, masterKeyId: 0 };
      expect(decodeTokenIdentifier(kind, new Uint8Array(0))).toEqual(expected);
      expect(toHex(encodeTokenIdentifier(expected, 'protobuf'))).toBe('');
      expect(toHex(encodeTokenIdentifier({ ...expected, owner: 'a', masterKeyId: -1 }, 'protobuf'))).toBe(
        '0a016138ffffffffffffffffff01',
      );
    });

    it('reads fields in any order and skips unknown ones', () => {
      const hex =
        '3803 4001 5a03616263 3007 28e59b97c4a234 20e593e5a3a034 1a096b6572627269646765 120479 61726e';
      expect(decodeTokenIdentifier(kind, fromHex(`${hex} 0a05616c696365`))).toEqual(otherFields);
    });

    it.each([
      ['two owners', '0a0161 0a0162', 'invalid-protobuf'],
      ['two renewers', '120161 120161', 'invalid-protobuf'],
      ['two real users', '1a00 1a00', 'invalid-protobuf'],
      ['two issue dates', '2000 2000', 'invalid-protobuf'],
      ['two max dates', '2801 2801', 'invalid-protobuf'],
      ['two sequence numbers', '3000 3000', 'invalid-protobuf'],
      ['two key ids', '3801 3802', 'invalid-protobuf'],
      ['an owner as a number', '0801', 'invalid-protobuf'],
      ['a date as bytes', '220101', 'invalid-protobuf'],
      ['a group', '43 44', 'invalid-protobuf'],
      ['an owner that is not UTF-8', '0a01ff', 'invalid-utf8'],
      ['an owner that is cut', '0a0561', 'truncated'],
      ['an owner of 1 MiB', '0a808040', 'length-out-of-range'],
      ['a sequence number that is no int', '30ffffffff0f', 'int-out-of-range'],
    ])('refuses %s', (_name, hex, code) => {
      expect(codecErrorOf(() => decodeTokenIdentifier(kind, fromHex(hex))).code).toBe(code);
    });
  });

  it.each<[string, Partial<TokenIdentifier>, string]>([
    ['half a surrogate pair in the owner', { owner: '\ud800' }, 'lone-surrogate'],
    ['half a surrogate pair in the renewer', { renewer: '\ud800' }, 'lone-surrogate'],
    ['half a surrogate pair in the real user', { realUser: '\ud800' }, 'lone-surrogate'],
    ['an owner of 1 MiB', { owner: 'x'.repeat(2 ** 20) }, 'length-out-of-range'],
    ['an issueDate that is no long', { issueDate: 2n ** 63n }, 'int-out-of-range'],
    ['a maxDate that is no long', { maxDate: -(2n ** 63n) - 1n }, 'int-out-of-range'],
    ['a sequence number that is no int', { sequenceNumber: 2 ** 31 }, 'int-out-of-range'],
    ['a key id with a fraction', { masterKeyId: 0.5 }, 'int-out-of-range'],
  ])('does not write %s', (_name, wrong, code) => {
    for (const layout of ['writable', 'protobuf'] as const) {
      expect(codecErrorOf(() => encodeTokenIdentifier({ ...otherFields, ...wrong }, layout)).code).toBe(code);
    }
  });

  it('reads back every identifier it writes', () => {
    fc.assert(
      fc.property(
        anyTokenIdentifier,
        fc.constantFrom(...WRITABLE_KINDS, ...PROTOBUF_KINDS),
        (identifier, kind) => {
          expect(decodeTokenIdentifier(kind, encodeTokenIdentifier(identifier, layoutOf(kind)))).toEqual(
            identifier,
          );
        },
      ),
    );
  });
});
