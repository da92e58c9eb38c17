import { decodeBase64url, encodeBase64url } from './base64url.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { readText, writeText } from './text.ts';
import { readVInt, writeVInt } from './vlong.ts';

/**
 * `org.apache.hadoop.security.token.Token`. The identifier and the password (an HMAC over it) authenticate; kind and
 * service are labels by which a client picks the token. Whoever has the bytes is the user: wrap a password in `Secret`
 * (see `toDelegationToken`) as soon as it is to be kept.
 */
export interface Token {
  readonly identifier: Uint8Array;
  readonly password: Uint8Array;
  readonly kind: string;
  readonly service: string;
}

/** `vint length, identifier, vint length, password, Text kind, Text service` (Java: `Token.readFields`). */
export function readToken(reader: ByteReader): Token {
  return {
    identifier: readLengthAndBytes(reader, 'token identifier'),
    password: readLengthAndBytes(reader, 'token password'),
    kind: readText(reader, 'token kind'),
    service: readText(reader, 'token service'),
  };
}

export function writeToken(writer: ByteWriter, token: Token): void {
  writeLengthAndBytes(writer, token.identifier, 'token identifier');
  writeLengthAndBytes(writer, token.password, 'token password');
  writeText(writer, token.kind, 'token kind');
  writeText(writer, token.service, 'token service');
}

export function readLengthAndBytes(reader: ByteReader, what: string): Uint8Array {
  return reader.readBytes(readVInt(reader, what), what);
}

export function writeLengthAndBytes(writer: ByteWriter, bytes: Uint8Array, what: string): void {
  writeVInt(writer, bytes.length, what);
  writer.writeBytes(bytes);
}

/** The Writable form of one token. Throws CodecError, also for bytes after its end. */
export function decodeToken(bytes: Uint8Array): Token {
  const reader = new ByteReader(bytes);
  const token = readToken(reader);
  reader.expectEnd('token');
  return token;
}

/** Throws CodecError `lone-surrogate` or `length-out-of-range`. */
export function encodeToken(token: Token): Uint8Array {
  const writer = new ByteWriter();
  writeToken(writer, token);
  return writer.toBytes();
}

/**
 * The Writable form in base64url, as WebHDFS, KMS and the ResourceManager return a token (`Token.encodeToUrlString`):
 * no padding, no line breaks.
 */
export function encodeTokenUrlString(token: Token): string {
  return encodeBase64url(encodeToken(token));
}

/**
 * Takes also padding, the standard base64 alphabet and white space around it, as Java does; not bytes after the token,
 * which Java ignores. Throws CodecError.
 */
export function decodeTokenUrlString(urlString: string): Token {
  return decodeToken(decodeBase64url(urlString, 'token URL string'));
}
