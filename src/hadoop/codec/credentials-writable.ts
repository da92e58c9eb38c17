import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import { type Credentials, CredentialsBuilder, requireEntriesWithinLimit } from './credentials-entries.ts';
import { readText, writeText } from './text.ts';
import { readLengthAndBytes, readToken, writeLengthAndBytes, writeToken } from './token.ts';
import { readVInt, writeVInt } from './vlong.ts';

/**
 * The body of format 0 (Java: `Credentials.readFields`):
 * `vint count, { Text alias, Token }…, vint count, { Text alias, vint length, bytes }…`
 */
export function readWritableCredentials(reader: ByteReader): Credentials {
  const builder = new CredentialsBuilder();
  const tokenCount = readCount(reader, 'token count', 0);
  for (let read = 0; read < tokenCount; read += 1) {
    builder.setToken(readText(reader, 'token alias'), readToken(reader));
  }
  const secretCount = readCount(reader, 'secret count', tokenCount);
  for (let read = 0; read < secretCount; read += 1) {
    builder.setSecret(readText(reader, 'secret alias'), readLengthAndBytes(reader, 'secret'));
  }
  return builder.build();
}

export function writeWritableCredentials(writer: ByteWriter, credentials: Credentials): void {
  writeVInt(writer, credentials.tokens.length, 'token count');
  for (const { alias, token } of credentials.tokens) {
    writeText(writer, alias, 'token alias');
    writeToken(writer, token);
  }
  writeVInt(writer, credentials.secrets.length, 'secret count');
  for (const { alias, value } of credentials.secrets) {
    writeText(writer, alias, 'secret alias');
    writeLengthAndBytes(writer, value, 'secret');
  }
}

function readCount(reader: ByteReader, what: string, entriesBefore: number): number {
  const offset = reader.offset;
  const count = readVInt(reader, what);
  if (count < 0) {
    throw new CodecError('length-out-of-range', `${what}: negative`, offset);
  }
  requireEntriesWithinLimit(entriesBefore + count, offset);
  return count;
}
