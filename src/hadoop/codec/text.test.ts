import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/fixtures/hadoop-codec/arbitraries.ts';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import { fromHex, textVectors as vectors, toHex } from '../../../test/fixtures/hadoop-codec/vectors.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { readText, writeText } from './text.ts';
import { TEXT_LIMIT_BYTES } from './utf8.ts';
import { writeVInt } from './vlong.ts';

function decode(bytes: Uint8Array): string {
  const reader = new ByteReader(bytes);
  const text = readText(reader, 'name');
  reader.expectEnd('name');
  return text;
}

function encode(text: string): Uint8Array {
  const writer = new ByteWriter();
  writeText(writer, text, 'name');
  return writer.toBytes();
}

describe('Text', () => {
  it('has the vectors of Hadoop to compare with', () => {
    expect(vectors).toHaveLength(9);
  });

  it.each(vectors)('$text is $hex', ({ text, hex }) => {
    expect(decode(fromHex(hex))).toBe(text);
    expect(toHex(encode(text))).toBe(hex);
  });

  it.each([
    ['a continuation byte alone', '0180'],
    ['a lead byte alone', '01c3'],
    ['a sequence cut by the length', '0361e697'],
    ['an overlong NUL (Java modified UTF-8)', '02c080'],
    ['an overlong slash', '03e080af'],
    ['half a surrogate pair', '03eda080'],
    ['a surrogate pair in CESU-8', '06eda0bdedb880'],
    ['beyond U+10FFFF', '04f4908080'],
    ['Latin-1', '076ac3fc7267656e'],
  ])('refuses %s', (_name, hex) => {
    expect(codecErrorOf(() => decode(fromHex(hex)))).toMatchObject({ code: 'invalid-utf8', offset: 1 });
    expect(decode(fromHex('0161'))).toBe('a');
  });

  it.each([
    ['no length', '', 'truncated'],
    ['a length that is cut', '8f', 'truncated'],
    ['fewer bytes than its length', '036162', 'truncated'],
    ['a negative length', 'ff', 'length-out-of-range'],
    ['the most negative length', '847fffffff', 'length-out-of-range'],
    ['1 MiB', '8d100000', 'length-out-of-range'],
    ['2 GiB - 1', '8c7fffffff', 'length-out-of-range'],
    ['a length that is no int', '8c80000000', 'int-out-of-range'],
  ])('refuses %s', (_name, hex, code) => {
    expect(codecErrorOf(() => decode(fromHex(hex))).code).toBe(code);
  });

  it.each(['\ud83d', '\ude00', 'a\ude00\ud83d', 'alice\ud800'])(
    'does not write half a surrogate pair: %j',
    (text) => {
      expect(codecErrorOf(() => encode(text)).code).toBe('lone-surrogate');
    },
  );

  it('reads and writes texts up to the limit of Hadoop, counted in bytes', () => {
    const longest = 'x'.repeat(TEXT_LIMIT_BYTES - 1);
    expect(decode(encode(longest))).toBe(longest);
    expect(codecErrorOf(() => encode(`${longest}x`)).code).toBe('length-out-of-range');
    expect(codecErrorOf(() => encode('ü'.repeat(TEXT_LIMIT_BYTES / 2))).code).toBe('length-out-of-range');

    const writer = new ByteWriter();
    writeVInt(writer, TEXT_LIMIT_BYTES, 'name');
    writer.writeBytes(new Uint8Array(TEXT_LIMIT_BYTES).fill(0x78));
    expect(codecErrorOf(() => decode(writer.toBytes())).code).toBe('length-out-of-range');
  });

  it('keeps a byte order mark', () => {
    expect(toHex(encode('\u{feff}a'))).toBe('04efbbbf61');
    expect(decode(fromHex('04efbbbf61'))).toBe('\u{feff}a');
  });

  it('reads back every text it writes', () => {
    fc.assert(fc.property(anyText, (text) => expect(decode(encode(text))).toBe(text)));
  });
});
