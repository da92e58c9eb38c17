import { describe, expect, it } from '@jest/globals';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import { fromHex } from '../../../test/fixtures/hadoop-codec/vectors.ts';
import { CodecError, type CodecErrorCode } from './codec-error.ts';
import { type Credentials, decodeCredentials, encodeCredentials, ENTRIES_LIMIT } from './credentials.ts';
import { decodeTokenIdentifier, encodeTokenIdentifier } from './token-identifier.ts';
import { decodeTokenUrlString } from './token.ts';

const NO_BYTES = new Uint8Array(0);
const secretsNamed = (...aliases: string[]): Credentials => ({
  tokens: [],
  secrets: aliases.map((alias) => ({ alias, value: NO_BYTES })),
});
const identifier = {
  owner: '',
  renewer: '',
  realUser: '',
  issueDate: 0n,
  maxDate: 0n,
  sequenceNumber: 0,
  masterKeyId: 0,
};

/** How a user of the codec meets each code. The type makes a code without a case an error of the compiler. */
const cases: Record<CodecErrorCode, () => unknown> = {
  truncated: () => decodeTokenUrlString(''),
  'trailing-bytes': () => decodeCredentials(fromHex('4844545300000000')),
  'bad-magic': () => decodeCredentials(fromHex('00000000')),
  'unsupported-version': () => decodeCredentials(fromHex('484454530200')),
  'length-out-of-range': () => decodeCredentials(fromHex('4844545300ff')),
  'int-out-of-range': () => encodeTokenIdentifier({ ...identifier, maxDate: 2n ** 63n }, 'writable'),
  'invalid-utf8': () => decodeTokenIdentifier('kms-dt', fromHex('0001ff')),
  'lone-surrogate': () => encodeCredentials(secretsNamed('\ud800'), 'writable'),
  'invalid-base64url': () => decodeTokenUrlString('!'),
  'invalid-protobuf': () => decodeTokenIdentifier('RM_DELEGATION_TOKEN', fromHex('0801')),
  'unknown-identifier-format': () => decodeTokenIdentifier('OzoneToken', NO_BYTES),
  'too-many-entries': () =>
    encodeCredentials(
      secretsNamed(...Array.from({ length: ENTRIES_LIMIT + 1 }, (_, index) => `${index}`)),
      'writable',
    ),
  'duplicate-alias': () => encodeCredentials(secretsNamed('a', 'a'), 'writable'),
};

describe('CodecError', () => {
  it('has a case for each of its codes', () => {
    expect(Object.keys(cases)).toHaveLength(13);
  });

  it.each(Object.entries(cases))('%s', (code, run) => {
    const error = codecErrorOf(run);
    expect(error).toBeInstanceOf(CodecError);
    expect(error.name).toBe('CodecError');
    expect(error.code).toBe(code);
    expect(Number.isSafeInteger(error.offset)).toBe(true);
    expect(error.message).toMatch(/^[a-zA-Z][^\n]+ \(offset \d+\)$/);
    expect(error.cause).toBeUndefined();
  });
});
