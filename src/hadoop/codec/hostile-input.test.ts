import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyCredentials } from '../../../test/fixtures/hadoop-codec/arbitraries.ts';
import { codecErrorOf, unlessCodecError } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import { readHexVector } from '../../../test/fixtures/hadoop-codec/vectors.ts';
import { decodeCredentials, encodeCredentials } from './credentials.ts';
import { decodeTokenIdentifier, encodeTokenIdentifier } from './token-identifier.ts';
import { decodeToken, decodeTokenUrlString, encodeToken, encodeTokenUrlString } from './token.ts';

const KINDS = ['HDFS_DELEGATION_TOKEN', 'RM_DELEGATION_TOKEN'];
const FORMATS = ['writable', 'protobuf'] as const;

const concat = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const header = (version: number): Uint8Array => Uint8Array.of(0x48, 0x44, 0x54, 0x53, version);

/** Bytes that are no value at all, or begin like one. */
const hostileBytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }).map((rest) => concat(header(0), rest)),
  fc.uint8Array({ maxLength: 127 }).map((rest) => concat(header(1), Uint8Array.of(rest.length), rest)),
  // Mostly small numbers: lengths and counts that come true more often.
  fc
    .array(fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 255 })), { maxLength: 60 })
    .map((rest) => concat(header(0), Uint8Array.from(rest))),
);

/** A valid file after a few bytes were overwritten, cut out or put in. */
const damagedFile = fc
  .tuple(
    anyCredentials,
    fc.constantFrom(...FORMATS),
    fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        cut: fc.nat({ max: 3 }),
        put: fc.uint8Array({ maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  )
  .map(([credentials, format, changes]) => {
    let bytes = encodeCredentials(credentials, format);
    for (const { at, cut, put } of changes) {
      const offset = Math.floor(at * bytes.length);
      bytes = concat(bytes.subarray(0, offset), put, bytes.subarray(offset + cut));
    }
    return bytes;
  });

/** Throws whatever is not a CodecError; what can be read must be the same after it was written. */
function tryAll(bytes: Uint8Array): void {
  const file = unlessCodecError(() => decodeCredentials(bytes));
  if (file !== undefined) {
    expect(decodeCredentials(encodeCredentials(file.credentials, file.format))).toEqual(file);
  }
  const token = unlessCodecError(() => decodeToken(bytes));
  if (token !== undefined) {
    expect(decodeToken(encodeToken(token))).toEqual(token);
  }
  for (const kind of KINDS) {
    const identifier = unlessCodecError(() => decodeTokenIdentifier(kind, bytes));
    if (identifier !== undefined) {
      const layout = kind === 'RM_DELEGATION_TOKEN' ? 'protobuf' : 'writable';
      expect(decodeTokenIdentifier(kind, encodeTokenIdentifier(identifier, layout))).toEqual(identifier);
    }
  }
  unlessCodecError(() => decodeTokenUrlString(Buffer.from(bytes).toString('latin1')));
  unlessCodecError(() => decodeTokenUrlString(Buffer.from(bytes).toString('base64url')));
}

describe('hostile input', () => {
  it('throws nothing but CodecError for arbitrary bytes', () => {
    fc.assert(fc.property(hostileBytes, tryAll), { numRuns: 1000 });
  });

  it('throws nothing but CodecError for damaged files', () => {
    fc.assert(fc.property(damagedFile, tryAll), { numRuns: 500 });
  });

  it('throws nothing but CodecError for arbitrary URL strings', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.base64String(), fc.stringMatching(/^[\w+/=\n-]*$/)),
        (text) => {
          const token = unlessCodecError(() => decodeTokenUrlString(text));
          if (token !== undefined) {
            expect(decodeTokenUrlString(encodeTokenUrlString(token))).toEqual(token);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each(['credentials-v0.hex', 'credentials-v1.hex'])(
    'survives every value of every byte of %s',
    (file) => {
      const original = readHexVector(file);
      let decodes = 0;
      for (let offset = 0; offset < original.length; offset += 1) {
        for (let change = 1; change < 256; change += 1) {
          const bytes = original.slice();
          bytes[offset] = (bytes[offset] ?? 0) ^ change;
          unlessCodecError(() => decodeCredentials(bytes));
          decodes += 1;
        }
      }
      expect(decodes).toBe(original.length * 255);
    },
  );

  it('never puts what it read into an error', () => {
    // Every field but the lengths says hunter2, so that any text of the input in a message would show.
    const say = 'hunter2hunter2';
    const bytes = new TextEncoder().encode(say);
    const credentials = {
      tokens: [{ alias: say, token: { identifier: bytes, password: bytes, kind: say, service: say } }],
      secrets: [{ alias: say, value: bytes }],
    };
    let refused = 0;
    for (const format of FORMATS) {
      const file = encodeCredentials(credentials, format);
      for (let offset = 0; offset < file.length; offset += 1) {
        const damaged = concat(
          file.subarray(0, offset),
          Uint8Array.of(0xff, 0x80),
          file.subarray(offset + 1),
        );
        const error = codecErrorOf(() => decodeCredentials(damaged));
        expect(`${error.stack}${JSON.stringify(error)}`).not.toMatch(/hunter|unter2|104, ?117|68756e/);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(200);
    const text = codecErrorOf(() => decodeTokenUrlString(`${say}!`));
    expect(text.stack).not.toContain('hunter');
  });
});
