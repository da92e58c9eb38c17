import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import {
  lengthDelimitedTag,
  readInt32Field,
  readInt64Field,
  readStringField,
  readTag,
  refuseRepeated,
  skipUnknownField,
  varintTag,
  writeInt32Field,
  writeInt64Field,
  writeStringField,
} from './protobuf-wire.ts';
import type { TokenIdentifier } from '../../delegation-tokens/token-service.ts';
import { readText, writeText } from './text.ts';
import { readVInt, readVLong, writeVInt, writeVLong } from './vlong.ts';

export type { TokenIdentifier };

/**
 * - `writable`: `AbstractDelegationTokenIdentifier`: `byte version = 0, Text owner, Text renewer, Text realUser,
 *   vlong issueDate, vlong maxDate, vint sequenceNumber, vint masterKeyId`
 * - `protobuf`: `YARNDelegationTokenIdentifierProto`: the same fields, in the same order, numbered 1 to 7; one that
 *   has its default (empty, 0) is left out
 */
export type IdentifierLayout = 'writable' | 'protobuf';

const LAYOUT_OF_KIND: ReadonlyMap<string, IdentifierLayout> = new Map([
  ['HDFS_DELEGATION_TOKEN', 'writable'],
  // WebHDFS, and HttpFS, which issues its own under the same kinds.
  ['WEBHDFS delegation', 'writable'],
  ['SWEBHDFS delegation', 'writable'],
  ['kms-dt', 'writable'],
  ['MR_DELEGATION_TOKEN', 'writable'],
  ['HIVE_DELEGATION_TOKEN', 'writable'],
  ['RM_DELEGATION_TOKEN', 'protobuf'],
  ['TIMELINE_DELEGATION_TOKEN', 'protobuf'],
]);

const WRITABLE_VERSION = 0;

/**
 * The identifier of a token of that kind. An RM or Timeline identifier that begins with 0 is in the Writable layout of
 * early Hadoop 2 (no protobuf message begins with 0). Throws CodecError; `unknown-identifier-format` for other kinds.
 */
export function decodeTokenIdentifier(kind: string, bytes: Uint8Array): TokenIdentifier {
  const layout = LAYOUT_OF_KIND.get(kind);
  if (layout === undefined) {
    throw new CodecError(
      'unknown-identifier-format',
      'token identifier: not a kind whose layout is known; its owner and dates cannot be read',
      0,
    );
  }
  const reader = new ByteReader(bytes);
  if (layout === 'protobuf' && bytes[0] !== WRITABLE_VERSION) {
    return readProtobuf(reader);
  }
  const identifier = readWritable(reader);
  reader.expectEnd('token identifier');
  return identifier;
}

/** Byte for byte what Java writes. Throws CodecError for a value that does not fit. */
export function encodeTokenIdentifier(identifier: TokenIdentifier, layout: IdentifierLayout): Uint8Array {
  const writer = new ByteWriter();
  if (layout === 'writable') {
    writeWritable(writer, identifier);
  } else {
    writeProtobuf(writer, identifier);
  }
  return writer.toBytes();
}

function readWritable(reader: ByteReader): TokenIdentifier {
  const version = reader.readByte('token identifier version');
  if (version !== WRITABLE_VERSION) {
    throw new CodecError('unsupported-version', `token identifier: version ${version}, known is 0`, 0);
  }
  return {
    owner: readText(reader, 'owner'),
    renewer: readText(reader, 'renewer'),
    realUser: readText(reader, 'realUser'),
    issueDate: readVLong(reader, 'issueDate'),
    maxDate: readVLong(reader, 'maxDate'),
    sequenceNumber: readVInt(reader, 'sequenceNumber'),
    masterKeyId: readVInt(reader, 'masterKeyId'),
  };
}

function writeWritable(writer: ByteWriter, identifier: TokenIdentifier): void {
  writer.writeByte(WRITABLE_VERSION);
  writeText(writer, identifier.owner, 'owner');
  writeText(writer, identifier.renewer, 'renewer');
  writeText(writer, identifier.realUser, 'realUser');
  writeVLong(writer, identifier.issueDate, 'issueDate');
  writeVLong(writer, identifier.maxDate, 'maxDate');
  writeVInt(writer, identifier.sequenceNumber, 'sequenceNumber');
  writeVInt(writer, identifier.masterKeyId, 'masterKeyId');
}

const OWNER = 1;
const RENEWER = 2;
const REAL_USER = 3;
const ISSUE_DATE = 4;
const MAX_DATE = 5;
const SEQUENCE_NUMBER = 6;
const MASTER_KEY_ID = 7;

type Draft = { -readonly [Field in keyof TokenIdentifier]?: TokenIdentifier[Field] };

function readProtobuf(reader: ByteReader): TokenIdentifier {
  const draft: Draft = {};
  while (reader.remaining > 0) {
    const tag = readTag(reader, 'token identifier');
    switch (tag) {
      case lengthDelimitedTag(OWNER):
        refuseRepeated(draft.owner, reader, 'owner');
        draft.owner = readStringField(reader, 'owner');
        break;
      case lengthDelimitedTag(RENEWER):
        refuseRepeated(draft.renewer, reader, 'renewer');
        draft.renewer = readStringField(reader, 'renewer');
        break;
      case lengthDelimitedTag(REAL_USER):
        refuseRepeated(draft.realUser, reader, 'realUser');
        draft.realUser = readStringField(reader, 'realUser');
        break;
      case varintTag(ISSUE_DATE):
        refuseRepeated(draft.issueDate, reader, 'issueDate');
        draft.issueDate = readInt64Field(reader, 'issueDate');
        break;
      case varintTag(MAX_DATE):
        refuseRepeated(draft.maxDate, reader, 'maxDate');
        draft.maxDate = readInt64Field(reader, 'maxDate');
        break;
      case varintTag(SEQUENCE_NUMBER):
        refuseRepeated(draft.sequenceNumber, reader, 'sequenceNumber');
        draft.sequenceNumber = readInt32Field(reader, 'sequenceNumber');
        break;
      case varintTag(MASTER_KEY_ID):
        refuseRepeated(draft.masterKeyId, reader, 'masterKeyId');
        draft.masterKeyId = readInt32Field(reader, 'masterKeyId');
        break;
      default:
        skipUnknownField(reader, tag, MASTER_KEY_ID, 'token identifier');
    }
  }
  return {
    owner: draft.owner ?? '',
    renewer: draft.renewer ?? '',
    realUser: draft.realUser ?? '',
    issueDate: draft.issueDate ?? 0n,
    maxDate: draft.maxDate ?? 0n,
    sequenceNumber: draft.sequenceNumber ?? 0,
    masterKeyId: draft.masterKeyId ?? 0,
  };
}

function writeProtobuf(writer: ByteWriter, identifier: TokenIdentifier): void {
  const texts = [
    [OWNER, identifier.owner, 'owner'],
    [RENEWER, identifier.renewer, 'renewer'],
    [REAL_USER, identifier.realUser, 'realUser'],
  ] as const;
  for (const [fieldNumber, value, what] of texts) {
    if (value !== '') {
      writeStringField(writer, fieldNumber, value, what);
    }
  }
  const dates = [
    [ISSUE_DATE, identifier.issueDate, 'issueDate'],
    [MAX_DATE, identifier.maxDate, 'maxDate'],
  ] as const;
  for (const [fieldNumber, value, what] of dates) {
    if (value !== 0n) {
      writeInt64Field(writer, fieldNumber, value, what);
    }
  }
  const numbers = [
    [SEQUENCE_NUMBER, identifier.sequenceNumber, 'sequenceNumber'],
    [MASTER_KEY_ID, identifier.masterKeyId, 'masterKeyId'],
  ] as const;
  for (const [fieldNumber, value, what] of numbers) {
    if (value !== 0) {
      writeInt32Field(writer, fieldNumber, value, what);
    }
  }
}
