import { describe, expect, it } from '@jest/globals';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import { ByteReader } from './byte-reader.ts';

describe('ByteReader', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5);

  it.each<[string, (reader: ByteReader) => unknown]>([
    ['bytes', (reader) => reader.readBytes(4, 'field')],
    ['a view', (reader) => reader.readView(4, 'field')],
    ['a section', (reader) => reader.readSection(4, 'field')],
    ['a skip', (reader) => reader.skip(4, 'field')],
    ['2 GiB', (reader) => reader.readBytes(2 ** 31, 'field')],
    [
      'single bytes',
      (reader) => {
        for (let read = 0; read < 4; read += 1) {
          reader.readByte('field');
        }
      },
    ],
  ])('refuses %s past its end, though the input goes on', (_name, read) => {
    expect(codecErrorOf(() => read(new ByteReader(bytes, 1, 4)))).toMatchObject({ code: 'truncated' });
  });

  it.each<[string, (reader: ByteReader) => unknown]>([
    ['bytes', (reader) => reader.readBytes(-1, 'field')],
    ['a view', (reader) => reader.readView(-1, 'field')],
    ['a section', (reader) => reader.readSection(-1, 'field')],
    ['a skip', (reader) => reader.skip(-1, 'field')],
  ])('refuses %s of negative length', (_name, read) => {
    const reader = new ByteReader(bytes, 3);
    expect(codecErrorOf(() => read(reader))).toMatchObject({ code: 'length-out-of-range', offset: 3 });
  });

  it('names the field, the lengths and the place when it refuses', () => {
    const error = codecErrorOf(() => new ByteReader(bytes, 2).readBytes(9, 'token password'));
    expect(error.message).toBe('token password: 9 bytes announced, 3 left (offset 2)');
    expect(error.offset).toBe(2);
  });

  it('refuses bytes that are left at the end of a value', () => {
    const reader = new ByteReader(bytes);
    reader.skip(3, 'field');
    expect(codecErrorOf(() => reader.expectEnd('value'))).toMatchObject({
      code: 'trailing-bytes',
      offset: 3,
    });
    reader.skip(2, 'field');
    reader.expectEnd('value');
  });

  it('counts offsets in the whole input, in a section too', () => {
    const reader = new ByteReader(bytes);
    reader.readByte('field');
    const section = reader.readSection(2, 'section');
    expect([section.offset, section.remaining, reader.offset, reader.remaining]).toEqual([1, 2, 3, 2]);
    expect(section.readByte('field')).toBe(2);
    expect(reader.readByte('field')).toBe(4);
  });

  it('copies bytes, so that they do not change with the input', () => {
    const input = Buffer.from([1, 2, 3]);
    const copy = new ByteReader(input).readBytes(3, 'field');
    input.fill(0);
    expect(copy).toEqual(Uint8Array.of(1, 2, 3));
    expect(copy.buffer.byteLength).toBe(3);
  });
});
