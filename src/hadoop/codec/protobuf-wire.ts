import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import { INT32_MAX, narrowToInt32, requireInt32, requireInt64 } from './integer-range.ts';
import { decodeUtf8, encodeUtf8, requireTextLength } from './utf8.ts';

/**
 * As much of the protobuf wire format as Hadoop's token messages use: a message is a run of fields, each a tag
 * (`field number << 3 | wire type`, a varint) and a value. A varint has seven bits a byte, lowest first, the top bit
 * saying that more follow; a negative number is its 64-bit two's complement, always ten bytes.
 *
 * Unknown fields are skipped, as the format asks. Stricter than Java, which nothing that Hadoop writes will notice: a
 * field given twice (Java takes the last), a known field of another wire type (Java skips it), numbers that do not
 * fit (Java cuts them) and groups are refused.
 */

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_LENGTH_DELIMITED = 2;
const WIRE_FIXED32 = 5;

const VARINT_MAX_BYTES = 10;
const TAG_MAX = 2 ** 32 - 1;

export const varintTag = (fieldNumber: number): number => fieldNumber * 8 + WIRE_VARINT;
export const lengthDelimitedTag = (fieldNumber: number): number => fieldNumber * 8 + WIRE_LENGTH_DELIMITED;

/** The next field's tag. Throws CodecError `truncated` or `invalid-protobuf`. */
export function readTag(reader: ByteReader, what: string): number {
  const offset = reader.offset;
  const tag = readVarintNumber(reader, what);
  if (tag > TAG_MAX || tag < varintTag(1)) {
    throw new CodecError('invalid-protobuf', `${what}: no such protobuf field number`, offset);
  }
  return tag;
}

/**
 * Skips the value after a tag that is none of the message's. `knownFields` is the message's highest field number: one
 * of those here has the wrong wire type. Keeps nothing, whatever the number of fields.
 */
export function skipUnknownField(reader: ByteReader, tag: number, knownFields: number, what: string): void {
  if (tag >>> 3 <= knownFields) {
    throw new CodecError(
      'invalid-protobuf',
      `${what}: field ${tag >>> 3} has wire type ${tag & 7}`,
      reader.offset,
    );
  }
  switch (tag & 7) {
    case WIRE_VARINT:
      readVarintNumber(reader, what);
      return;
    case WIRE_FIXED64:
      reader.skip(8, what);
      return;
    case WIRE_LENGTH_DELIMITED:
      reader.skip(readLength(reader, what), what);
      return;
    case WIRE_FIXED32:
      reader.skip(4, what);
      return;
    default:
      throw new CodecError('invalid-protobuf', `${what}: wire type ${tag & 7}`, reader.offset);
  }
}

/** To be called with what a singular field already holds. */
export function refuseRepeated(previous: unknown, reader: ByteReader, what: string): void {
  if (previous !== undefined) {
    throw new CodecError('invalid-protobuf', `${what}: given twice`, reader.offset);
  }
}

/** The value of a `required` field. */
export function requireField<T>(value: T | undefined, reader: ByteReader, what: string): T {
  if (value === undefined) {
    throw new CodecError('invalid-protobuf', `${what}: missing`, reader.offset);
  }
  return value;
}

/** The length before a string, bytes, a message, or a delimited message. */
export function readLength(reader: ByteReader, what: string): number {
  const offset = reader.offset;
  const length = readVarintNumber(reader, what);
  if (length > INT32_MAX) {
    throw new CodecError('length-out-of-range', `${what}: length of 2 GiB or more`, offset);
  }
  return length;
}

export function readBytesField(reader: ByteReader, what: string): Uint8Array {
  return reader.readBytes(readLength(reader, what), what);
}

export function readStringField(reader: ByteReader, what: string): string {
  const lengthOffset = reader.offset;
  const length = requireTextLength(readLength(reader, what), what, lengthOffset);
  const offset = reader.offset;
  return decodeUtf8(reader.readView(length, what), what, offset);
}

export function readMessageField(reader: ByteReader, what: string): ByteReader {
  return reader.readSection(readLength(reader, what), what);
}

export function readInt64Field(reader: ByteReader, what: string): bigint {
  let value = 0n;
  for (let read = 0; read < VARINT_MAX_BYTES; read += 1) {
    const offset = reader.offset;
    const byte = reader.readByte(what);
    refuseOverflow(byte, read, what, offset);
    value |= BigInt(byte & 0x7f) << BigInt(7 * read);
    if (byte < 0x80) {
      break;
    }
  }
  return BigInt.asIntN(64, value);
}

export function readInt32Field(reader: ByteReader, what: string): number {
  const offset = reader.offset;
  return narrowToInt32(readInt64Field(reader, what), what, offset);
}

export function writeBytesField(writer: ByteWriter, fieldNumber: number, value: Uint8Array): void {
  writeVarint(writer, BigInt(lengthDelimitedTag(fieldNumber)));
  writeDelimited(writer, value);
}

export function writeStringField(writer: ByteWriter, fieldNumber: number, value: string, what: string): void {
  writeBytesField(writer, fieldNumber, encodeUtf8(value, what, writer.length));
}

export function writeInt64Field(writer: ByteWriter, fieldNumber: number, value: bigint, what: string): void {
  requireInt64(value, what, writer.length);
  writeVarint(writer, BigInt(varintTag(fieldNumber)));
  writeVarint(writer, BigInt.asUintN(64, value));
}

export function writeInt32Field(writer: ByteWriter, fieldNumber: number, value: number, what: string): void {
  writeInt64Field(writer, fieldNumber, BigInt(requireInt32(value, what, writer.length)), what);
}

/** The length of `message` as a varint, then `message`: Java's `writeDelimitedTo`. */
export function writeDelimited(writer: ByteWriter, message: Uint8Array): void {
  writeVarint(writer, BigInt(message.length));
  writer.writeBytes(message);
}

/** Exact up to 2^53; larger values stay larger, which is all that a range check needs. */
function readVarintNumber(reader: ByteReader, what: string): number {
  let value = 0;
  let scale = 1;
  for (let read = 0; read < VARINT_MAX_BYTES; read += 1) {
    const offset = reader.offset;
    const byte = reader.readByte(what);
    refuseOverflow(byte, read, what, offset);
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte < 0x80) {
      break;
    }
  }
  return value;
}

/** The tenth byte has room for the 64th bit only, and nothing may follow it. */
function refuseOverflow(byte: number, index: number, what: string, offset: number): void {
  if (index === VARINT_MAX_BYTES - 1 && byte > 1) {
    throw new CodecError('invalid-protobuf', `${what}: varint of more than 64 bits`, offset);
  }
}

function writeVarint(writer: ByteWriter, value: bigint): void {
  let left = value;
  while (left > 0x7fn) {
    writer.writeByte(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  writer.writeByte(Number(left));
}
