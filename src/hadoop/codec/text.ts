import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodeUtf8, encodeUtf8, requireTextLength } from './utf8.ts';
import { readVInt, writeVInt } from './vlong.ts';

/**
 * Hadoop's `org.apache.hadoop.io.Text`: the number of bytes as a vint, then that many bytes of true UTF-8 (four for a
 * character outside the basic plane, unlike Java's own `writeUTF`).
 *
 * Throws CodecError `truncated`, `length-out-of-range`, `int-out-of-range` or `invalid-utf8`.
 */
export function readText(reader: ByteReader, what: string): string {
  const lengthOffset = reader.offset;
  const length = requireTextLength(readVInt(reader, what), what, lengthOffset);
  const offset = reader.offset;
  return decodeUtf8(reader.readView(length, what), what, offset);
}

/** Throws CodecError `lone-surrogate` or `length-out-of-range`. */
export function writeText(writer: ByteWriter, text: string, what: string): void {
  const bytes = encodeUtf8(text, what, writer.length);
  writeVInt(writer, bytes.length, what);
  writer.writeBytes(bytes);
}
