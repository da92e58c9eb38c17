import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyInt32, anyInt64 } from '../../../test/fixtures/hadoop-codec/arbitraries.ts';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import { fromHex, toHex, vlongVectors as vectors } from '../../../test/fixtures/hadoop-codec/vectors.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN } from './integer-range.ts';
import { readVInt, readVLong, writeVInt, writeVLong } from './vlong.ts';

const inIntRange = ({ value }: { value: string }) => Number(value) >= INT32_MIN && Number(value) <= INT32_MAX;

function readAll<Value>(read: (reader: ByteReader, what: string) => Value, bytes: Uint8Array): Value {
  const reader = new ByteReader(bytes);
  const value = read(reader, 'number');
  reader.expectEnd('number');
  return value;
}

function write(body: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  body(writer);
  return writer.toBytes();
}

describe('vlong and vint', () => {
  it('has the vectors of Hadoop to compare with', () => {
    expect(vectors).toHaveLength(31);
    expect(vectors.filter(inIntRange)).toHaveLength(18);
  });

  it.each(vectors)('vlong $value is $hex', ({ value, hex }) => {
    expect(readAll(readVLong, fromHex(hex))).toBe(BigInt(value));
    expect(toHex(write((writer) => writeVLong(writer, BigInt(value), 'number')))).toBe(hex);
  });

  it.each(vectors.filter(inIntRange))('vint $value is $hex', ({ value, hex }) => {
    expect(readAll(readVInt, fromHex(hex))).toBe(Number(value));
    expect(toHex(write((writer) => writeVInt(writer, Number(value), 'number')))).toBe(hex);
  });

  it.each(vectors.filter((vector) => !inIntRange(vector)))(
    '$value is refused as a vint',
    ({ value, hex }) => {
      expect(codecErrorOf(() => readAll(readVInt, fromHex(hex)))).toMatchObject({
        code: 'int-out-of-range',
        offset: 0,
      });
      expect(codecErrorOf(() => write((writer) => writeVInt(writer, Number(value), 'number'))).code).toBe(
        'int-out-of-range',
      );
    },
  );

  it.each([
    ['positive with the sign bit', '88ffffffffffffffff'],
    ['positive 2^63', '888000000000000000'],
    ['negative beyond -2^63', '808000000000000000'],
  ])('refuses a vlong that overflows: %s', (_name, hex) => {
    expect(codecErrorOf(() => readAll(readVLong, fromHex(hex)))).toMatchObject({
      code: 'int-out-of-range',
      offset: 0,
    });
  });

  it.each([INT64_MAX + 1n, INT64_MIN - 1n, 2n ** 200n])('does not write the vlong %s', (value) => {
    expect(codecErrorOf(() => write((writer) => writeVLong(writer, value, 'number'))).code).toBe(
      'int-out-of-range',
    );
  });

  it.each([INT32_MAX + 1, INT32_MIN - 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'does not write the vint %s',
    (value) => {
      expect(codecErrorOf(() => write((writer) => writeVInt(writer, value, 'number'))).code).toBe(
        'int-out-of-range',
      );
    },
  );

  it.each(vectors)('refuses every shorter piece of $hex', ({ hex }) => {
    const bytes = fromHex(hex);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(codecErrorOf(() => readAll(readVLong, bytes.subarray(0, length)))).toMatchObject({
        code: 'truncated',
        offset: length,
      });
    }
  });

  it.each([
    ['8f05', 5n],
    ['8d000005', 5n],
    ['880000000000000005', 5n],
    ['8700', -1n],
    ['800000000000000000', -1n],
  ])('reads the longer form %s, as Java does', (hex, value) => {
    expect(readAll(readVLong, fromHex(hex))).toBe(value);
  });

  it('reads back every value it writes', () => {
    fc.assert(
      fc.property(anyInt64, (value) => {
        expect(
          readAll(
            readVLong,
            write((writer) => writeVLong(writer, value, 'number')),
          ),
        ).toBe(value);
      }),
    );
    fc.assert(
      fc.property(anyInt32, (value) => {
        expect(
          readAll(
            readVInt,
            write((writer) => writeVInt(writer, value, 'number')),
          ),
        ).toBe(value);
      }),
    );
  });
});
