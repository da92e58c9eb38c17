import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import { type Credentials, requireWritable } from './credentials-entries.ts';
import { readProtobufCredentials, writeProtobufCredentials } from './credentials-protobuf.ts';
import { readWritableCredentials, writeWritableCredentials } from './credentials-writable.ts';

export { type Credentials, ENTRIES_LIMIT } from './credentials-entries.ts';

/**
 * The file that `HADOOP_TOKEN_FILE_LOCATION` names (`org.apache.hadoop.security.Credentials`): `HDTS`, one byte for the
 * format, the body. Every Hadoop 2 and 3 reads `writable` (0), and others read nothing else; `protobuf` (1) is Hadoop
 * 3's, and what `hadoop dtutil` writes unless told otherwise.
 */
export type CredentialsFormat = 'writable' | 'protobuf';

const MAGIC = [0x48, 0x44, 0x54, 0x53];
const WRITABLE_VERSION = 0;
const PROTOBUF_VERSION = 1;

/**
 * Throws nothing but CodecError, whatever the bytes, and allocates no more than four times their length and 1 MiB.
 * Of two tokens (or secrets) with the same alias the last is kept, as in Java. The result shares no memory with `bytes`.
 */
export function decodeCredentials(bytes: Uint8Array): {
  readonly format: CredentialsFormat;
  readonly credentials: Credentials;
} {
  const reader = new ByteReader(bytes);
  for (const expected of MAGIC) {
    const offset = reader.offset;
    if (reader.readByte('credentials header') !== expected) {
      throw new CodecError(
        'bad-magic',
        'credentials: not a Hadoop token file, it does not begin with HDTS',
        offset,
      );
    }
  }
  const format = formatOf(reader.readByte('credentials format'));
  const credentials =
    format === 'writable' ? readWritableCredentials(reader) : readProtobufCredentials(reader);
  reader.expectEnd('credentials');
  return { format, credentials };
}

/**
 * Entries are written in the order given. Throws CodecError `duplicate-alias`, `too-many-entries`, `lone-surrogate` or
 * `length-out-of-range`.
 */
export function encodeCredentials(credentials: Credentials, format: CredentialsFormat): Uint8Array {
  requireWritable(credentials);
  const writer = new ByteWriter();
  writer.writeBytes(Uint8Array.from(MAGIC));
  if (format === 'writable') {
    writer.writeByte(WRITABLE_VERSION);
    writeWritableCredentials(writer, credentials);
  } else {
    writer.writeByte(PROTOBUF_VERSION);
    writeProtobufCredentials(writer, credentials);
  }
  return writer.toBytes();
}

function formatOf(version: number): CredentialsFormat {
  switch (version) {
    case WRITABLE_VERSION:
      return 'writable';
    case PROTOBUF_VERSION:
      return 'protobuf';
    default:
      throw new CodecError(
        'unsupported-version',
        `credentials: format ${version}, known are 0 and 1`,
        MAGIC.length,
      );
  }
}
