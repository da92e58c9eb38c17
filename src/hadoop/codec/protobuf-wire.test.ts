import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyBytes, anyInt32, anyInt64, anyText } from '../../../test/fixtures/hadoop-codec/arbitraries.ts';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import { fromHex, toHex } from '../../../test/fixtures/hadoop-codec/vectors.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import {
  lengthDelimitedTag,
  readBytesField,
  readInt32Field,
  readInt64Field,
  readLength,
  readMessageField,
  readStringField,
  readTag,
  skipUnknownField,
  varintTag,
  writeBytesField,
  writeInt32Field,
  writeInt64Field,
  writeStringField,
} from './protobuf-wire.ts';

const readerOf = (hex: string) => new ByteReader(fromHex(hex));

function write(body: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  body(writer);
  return writer.toBytes();
}

describe('protobuf wire format', () => {
  it.each([
    ['0', '00', 0n],
    ['one byte', '7f', 127n],
    ['two bytes', '8001', 128n],
    ['Long.MAX_VALUE', 'ffffffffffffffff7f', 2n ** 63n - 1n],
    ['-1', 'ffffffffffffffffff01', -1n],
    ['Long.MIN_VALUE', '80808080808080808001', -(2n ** 63n)],
    ['a longer form than needed', '858000', 5n],
    ['the longest form', '85808080808080808000', 5n],
  ])('reads an int64: %s', (_name, hex, value) => {
    const reader = readerOf(hex);
    expect(readInt64Field(reader, 'date')).toBe(value);
    expect(reader.remaining).toBe(0);
  });

  it.each([
    ['an empty input', '', 'truncated'],
    ['a varint that is cut', 'ff80', 'truncated'],
    ['bits beyond the 64th', 'ffffffffffffffffff02', 'invalid-protobuf'],
    ['an eleventh byte', '8080808080808080808000', 'invalid-protobuf'],
  ])('refuses as an int64 %s', (_name, hex, code) => {
    expect(codecErrorOf(() => readInt64Field(readerOf(hex), 'date')).code).toBe(code);
  });

  it.each([
    ['2^31', '8080808008'],
    ['-1 in 32 bits', 'ffffffff0f'],
    ['-2^31 - 1', 'fffffffff7ffffffff01'],
    ['2^32', '8080808010'],
  ])('refuses as an int32 %s', (_name, hex) => {
    expect(codecErrorOf(() => readInt32Field(readerOf(hex), 'number')).code).toBe('int-out-of-range');
  });

  it('writes a negative int32 in ten bytes, as Java does', () => {
    expect(toHex(write((writer) => writeInt32Field(writer, 6, -1, 'number')))).toBe('30ffffffffffffffffff01');
    expect(readInt32Field(readerOf('ffffffffffffffffff01'), 'number')).toBe(-1);
  });

  it.each([
    ['field number 0', '00'],
    ['field number 0, length-delimited', '0200'],
    ['a field number beyond 29 bits', '8280808010'],
    ['a huge tag', 'ffffffffffffffffff01'],
  ])('refuses the tag of %s', (_name, hex) => {
    expect(codecErrorOf(() => readTag(readerOf(hex), 'message'))).toMatchObject({
      code: 'invalid-protobuf',
      offset: 0,
    });
  });

  it('reads the largest tag', () => {
    expect(readTag(readerOf('faffffff0f'), 'message')).toBe(lengthDelimitedTag(2 ** 29 - 1));
  });

  it.each([
    ['a varint', '40 8001'],
    ['64 bits', '41 0102030405060708'],
    ['length-delimited', '42 03 010203'],
    ['length-delimited, empty', '42 00'],
    ['32 bits', '45 01020304'],
    ['a field of the highest number', 'f8ffffff0f 01'],
  ])('skips an unknown field: %s', (_name, hex) => {
    const reader = readerOf(hex);
    skipUnknownField(reader, readTag(reader, 'message'), 7, 'message');
    expect(reader.remaining).toBe(0);
  });

  it.each([
    ['a varint that is cut', '4080', 'truncated'],
    ['a varint without end', `40${'80'.repeat(20)}`, 'invalid-protobuf'],
    ['64 bits that are cut', '4101020304050607', 'truncated'],
    ['a length that is cut', '4280', 'truncated'],
    ['fewer bytes than the length', '42030102', 'truncated'],
    ['a length of 2 GiB', '428080808008', 'length-out-of-range'],
    ['a negative length', '42ffffffffffffffffff01', 'length-out-of-range'],
    ['32 bits that are cut', '45010203', 'truncated'],
    ['the start of a group', '43', 'invalid-protobuf'],
    ['the end of a group', '44', 'invalid-protobuf'],
    ['wire type 6', '46', 'invalid-protobuf'],
    ['wire type 7', '47', 'invalid-protobuf'],
    ['a known field of another wire type', '3801', 'invalid-protobuf'],
  ])('refuses to skip %s', (_name, hex, code) => {
    const reader = readerOf(hex);
    const tag = readTag(reader, 'message');
    expect(codecErrorOf(() => skipUnknownField(reader, tag, 7, 'message')).code).toBe(code);
  });

  it.each<[string, (reader: ByteReader) => unknown]>([
    ['bytes', (reader) => readBytesField(reader, 'field')],
    ['a string', (reader) => readStringField(reader, 'field')],
    ['a message', (reader) => readMessageField(reader, 'field')],
  ])('refuses %s longer than what is left', (_name, read) => {
    expect(codecErrorOf(() => read(readerOf('0361')))).toMatchObject({ code: 'truncated', offset: 1 });
  });

  it.each([
    ['bytes that are not UTF-8', '01ff', 'invalid-utf8'],
    ['a length of 1 MiB', '808040', 'length-out-of-range'],
  ])('refuses as a string %s', (_name, hex, code) => {
    expect(codecErrorOf(() => readStringField(readerOf(hex), 'field')).code).toBe(code);
  });

  it.each<[string, (writer: ByteWriter) => void, string]>([
    ['half a surrogate pair', (writer) => writeStringField(writer, 1, '\ud800', 'owner'), 'lone-surrogate'],
    [
      'a text of 1 MiB',
      (writer) => writeStringField(writer, 1, 'x'.repeat(2 ** 20), 'owner'),
      'length-out-of-range',
    ],
    ['an int64 too large', (writer) => writeInt64Field(writer, 1, 2n ** 63n, 'date'), 'int-out-of-range'],
    ['an int32 too large', (writer) => writeInt32Field(writer, 1, 2 ** 31, 'number'), 'int-out-of-range'],
    ['an int32 with a fraction', (writer) => writeInt32Field(writer, 1, 1.5, 'number'), 'int-out-of-range'],
  ])('does not write %s', (_name, body, code) => {
    expect(codecErrorOf(() => write(body)).code).toBe(code);
  });

  it('accepts the longest length that Java has', () => {
    expect(readLength(readerOf('ffffffff07'), 'field')).toBe(2 ** 31 - 1);
  });

  it('reads back every field it writes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 15 }),
        anyInt64,
        anyInt32,
        anyText,
        anyBytes,
        (number, long, int, text, bytes) => {
          const reader = new ByteReader(
            write((writer) => {
              writeInt64Field(writer, number, long, 'date');
              writeInt32Field(writer, number, int, 'number');
              writeStringField(writer, number, text, 'owner');
              writeBytesField(writer, number, bytes);
            }),
          );
          expect(readTag(reader, 'message')).toBe(varintTag(number));
          expect(readInt64Field(reader, 'date')).toBe(long);
          expect(readTag(reader, 'message')).toBe(varintTag(number));
          expect(readInt32Field(reader, 'number')).toBe(int);
          expect(readTag(reader, 'message')).toBe(lengthDelimitedTag(number));
          expect(readStringField(reader, 'owner')).toBe(text);
          expect(readTag(reader, 'message')).toBe(lengthDelimitedTag(number));
          expect(readBytesField(reader, 'field')).toEqual(bytes);
          reader.expectEnd('message');
        },
      ),
    );
  });
});
