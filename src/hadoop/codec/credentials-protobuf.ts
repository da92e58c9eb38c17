import type { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { type Credentials, CredentialsBuilder, requireEntriesWithinLimit } from './credentials-entries.ts';
import {
  lengthDelimitedTag,
  readBytesField,
  readMessageField,
  readStringField,
  readTag,
  refuseRepeated,
  requireField,
  skipUnknownField,
  writeBytesField,
  writeDelimited,
  writeStringField,
} from './protobuf-wire.ts';
import type { Token } from './token.ts';

/**
 * The body of format 1 (Hadoop's `Security.proto`), a message with its length before it:
 *
 * ```
 * CredentialsProto   { repeated CredentialsKVProto tokens = 1; repeated CredentialsKVProto secrets = 2; }
 * CredentialsKVProto { required string alias = 1; optional TokenProto token = 2; optional bytes secret = 3; }
 * TokenProto         { required bytes identifier = 1; required bytes password = 2;
 *                      required string kind = 3; required string service = 4; }
 * ```
 *
 * A tokens entry without a token is refused (Java makes it a token without a kind); a secrets entry without a secret
 * is an empty secret, as in Java, since some protobuf libraries do not write empty bytes. A file that ends between two
 * entries is refused as truncated; Java's parser takes the end of the file for the end of the message.
 */
const TOKENS = 1;
const SECRETS = 2;

const ALIAS = 1;
const TOKEN = 2;
const SECRET = 3;

const IDENTIFIER = 1;
const PASSWORD = 2;
const KIND = 3;
const SERVICE = 4;

interface KeyValue {
  readonly alias: string;
  readonly token: Token | undefined;
  readonly secret: Uint8Array | undefined;
}

export function readProtobufCredentials(outer: ByteReader): Credentials {
  const reader = readMessageField(outer, 'credentials');
  const builder = new CredentialsBuilder();
  let entries = 0;
  while (reader.remaining > 0) {
    const offset = reader.offset;
    const tag = readTag(reader, 'credentials');
    if (tag === lengthDelimitedTag(TOKENS)) {
      requireEntriesWithinLimit((entries += 1), offset);
      const entry = readMessageField(reader, 'token entry');
      const { alias, token } = readKeyValue(entry);
      builder.setToken(alias, requireField(token, entry, 'token'));
    } else if (tag === lengthDelimitedTag(SECRETS)) {
      requireEntriesWithinLimit((entries += 1), offset);
      const { alias, secret } = readKeyValue(readMessageField(reader, 'secret entry'));
      builder.setSecret(alias, secret ?? new Uint8Array(0));
    } else {
      skipUnknownField(reader, tag, SECRETS, 'credentials');
    }
  }
  return builder.build();
}

export function writeProtobufCredentials(writer: ByteWriter, credentials: Credentials): void {
  const body = new ByteWriter();
  for (const { alias, token } of credentials.tokens) {
    const entry = new ByteWriter();
    writeStringField(entry, ALIAS, alias, 'token alias');
    writeBytesField(entry, TOKEN, encodeTokenMessage(token));
    writeBytesField(body, TOKENS, entry.toBytes());
  }
  for (const { alias, value } of credentials.secrets) {
    const entry = new ByteWriter();
    writeStringField(entry, ALIAS, alias, 'secret alias');
    writeBytesField(entry, SECRET, value);
    writeBytesField(body, SECRETS, entry.toBytes());
  }
  writeDelimited(writer, body.toBytes());
}

function readKeyValue(reader: ByteReader): KeyValue {
  let alias: string | undefined;
  let token: Token | undefined;
  let secret: Uint8Array | undefined;
  while (reader.remaining > 0) {
    const tag = readTag(reader, 'credentials entry');
    switch (tag) {
      case lengthDelimitedTag(ALIAS):
        refuseRepeated(alias, reader, 'alias');
        alias = readStringField(reader, 'alias');
        break;
      case lengthDelimitedTag(TOKEN):
        refuseRepeated(token, reader, 'token');
        token = readTokenMessage(readMessageField(reader, 'token'));
        break;
      case lengthDelimitedTag(SECRET):
        refuseRepeated(secret, reader, 'secret');
        secret = readBytesField(reader, 'secret');
        break;
      default:
        skipUnknownField(reader, tag, SECRET, 'credentials entry');
    }
  }
  return { alias: requireField(alias, reader, 'alias'), token, secret };
}

function readTokenMessage(reader: ByteReader): Token {
  let identifier: Uint8Array | undefined;
  let password: Uint8Array | undefined;
  let kind: string | undefined;
  let service: string | undefined;
  while (reader.remaining > 0) {
    const tag = readTag(reader, 'token');
    switch (tag) {
      case lengthDelimitedTag(IDENTIFIER):
        refuseRepeated(identifier, reader, 'token identifier');
        identifier = readBytesField(reader, 'token identifier');
        break;
      case lengthDelimitedTag(PASSWORD):
        refuseRepeated(password, reader, 'token password');
        password = readBytesField(reader, 'token password');
        break;
      case lengthDelimitedTag(KIND):
        refuseRepeated(kind, reader, 'token kind');
        kind = readStringField(reader, 'token kind');
        break;
      case lengthDelimitedTag(SERVICE):
        refuseRepeated(service, reader, 'token service');
        service = readStringField(reader, 'token service');
        break;
      default:
        skipUnknownField(reader, tag, SERVICE, 'token');
    }
  }
  return {
    identifier: requireField(identifier, reader, 'token identifier'),
    password: requireField(password, reader, 'token password'),
    kind: requireField(kind, reader, 'token kind'),
    service: requireField(service, reader, 'token service'),
  };
}

function encodeTokenMessage(token: Token): Uint8Array {
  const writer = new ByteWriter();
  writeBytesField(writer, IDENTIFIER, token.identifier);
  writeBytesField(writer, PASSWORD, token.password);
  writeStringField(writer, KIND, token.kind, 'token kind');
  writeStringField(writer, SERVICE, token.service, 'token service');
  return writer.toBytes();
}
