import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { requireInt32, requireInt64 } from './integer-range.ts';

/**
 * Hadoop's variable-length integers (`org.apache.hadoop.io.WritableUtils`, `writeVLong` and `writeVInt`):
 *
 * | first byte, signed | value |
 * |---|---|
 * | -112 … 127 | the byte itself |
 * | -113 … -120 | positive; -112 - b bytes follow, big-endian |
 * | -121 … -128 | negative; -120 - b bytes follow: the one's complement, big-endian |
 *
 * Written with as few bytes as possible. Read like Java, which also takes a longer form than needed (`8f 05` is 5): the
 * value is not in doubt. Not so a positive form with the sign bit set, which overflows in Java to a negative number; no
 * writer makes it, and it is refused.
 */

const SINGLE_BYTE_MIN = -112;
const SINGLE_BYTE_MAX = 127;
const POSITIVE_MARKER = -112;
const NEGATIVE_MARKER = -120;

/** A `long`. Throws CodecError `truncated` or `int-out-of-range`. */
export function readVLong(reader: ByteReader, what: string): bigint {
  const offset = reader.offset;
  const first = readSignedByte(reader, what);
  let magnitude = 0n;
  for (let left = bytesAfter(first); left > 0; left -= 1) {
    magnitude = (magnitude << 8n) | BigInt(reader.readByte(what));
  }
  if (first >= SINGLE_BYTE_MIN) {
    return BigInt(first);
  }
  return requireInt64(first < NEGATIVE_MARKER ? ~magnitude : magnitude, what, offset);
}

/** An `int`. Throws CodecError `truncated` or `int-out-of-range`. */
export function readVInt(reader: ByteReader, what: string): number {
  const offset = reader.offset;
  const first = readSignedByte(reader, what);
  // Exact up to 2^53; a larger one stays too large for an int.
  let magnitude = 0;
  for (let left = bytesAfter(first); left > 0; left -= 1) {
    magnitude = magnitude * 256 + reader.readByte(what);
  }
  if (first >= SINGLE_BYTE_MIN) {
    return first;
  }
  return requireInt32(first < NEGATIVE_MARKER ? -1 - magnitude : magnitude, what, offset);
}

/** Throws CodecError `int-out-of-range` for what is not a `long`. */
export function writeVLong(writer: ByteWriter, value: bigint, what: string): void {
  requireInt64(value, what, writer.length);
  if (value >= SINGLE_BYTE_MIN && value <= SINGLE_BYTE_MAX) {
    writer.writeByte(Number(value));
    return;
  }
  const magnitude = value < 0n ? ~value : value;
  let length = 1;
  while (magnitude >> BigInt(8 * length) > 0n) {
    length += 1;
  }
  writer.writeByte((value < 0n ? NEGATIVE_MARKER : POSITIVE_MARKER) - length);
  for (let left = length - 1; left >= 0; left -= 1) {
    writer.writeByte(Number((magnitude >> BigInt(8 * left)) & 0xffn));
  }
}

/** Throws CodecError `int-out-of-range` for what is not an `int`. */
export function writeVInt(writer: ByteWriter, value: number, what: string): void {
  writeVLong(writer, BigInt(requireInt32(value, what, writer.length)), what);
}

function readSignedByte(reader: ByteReader, what: string): number {
  return (reader.readByte(what) << 24) >> 24;
}

/** How many bytes follow that first one. */
function bytesAfter(first: number): number {
  if (first >= SINGLE_BYTE_MIN) {
    return 0;
  }
  return (first < NEGATIVE_MARKER ? NEGATIVE_MARKER : POSITIVE_MARKER) - first;
}
