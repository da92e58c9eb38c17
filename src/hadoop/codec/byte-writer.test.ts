import { describe, expect, it } from '@jest/globals';
import { ByteWriter } from './byte-writer.ts';

describe('ByteWriter', () => {
  it('keeps what was written as it grows', () => {
    const writer = new ByteWriter();
    const expected: number[] = [];
    for (let round = 0; round < 600; round += 1) {
      writer.writeByte(round);
      writer.writeBytes(Uint8Array.of(round, 7));
      expected.push(round & 0xff, round & 0xff, 7);
      expect(writer.length).toBe(expected.length);
    }
    expect(Array.from(writer.toBytes())).toEqual(expected);
  });

  it('takes more at once than it has doubled to', () => {
    const writer = new ByteWriter();
    const large = new Uint8Array(100_000).fill(3);
    writer.writeBytes(large);
    expect(writer.toBytes()).toEqual(large);
  });

  it('hands out bytes of their own, exactly as long', () => {
    const writer = new ByteWriter();
    writer.writeByte(1);
    const first = writer.toBytes();
    writer.writeByte(2);
    expect(first).toEqual(Uint8Array.of(1));
    expect(first.buffer.byteLength).toBe(1);
    expect(new ByteWriter().toBytes()).toEqual(new Uint8Array(0));
  });
});
