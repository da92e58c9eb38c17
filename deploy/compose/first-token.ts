/**
 * The bytes of the first token in a Hadoop credentials file of version 0: in base64url they are the parameter
 * `delegation` of WebHDFS. The file is "HDTS", a byte 0, the number of tokens, then each an alias and a token, which is
 * an identifier, a password, a kind and a service; each of those a length and bytes (Hadoop's Text and WritableUtils).
 */
export function firstToken(file: Buffer): Buffer {
  if (file.toString('latin1', 0, 5) !== 'HDTS\0') throw new Error('no credentials file of version 0');
  const count = readVInt(file, 5);
  if (count.value < 1) throw new Error('a credentials file without a token');
  const start = skip(file, count.end);
  let end = start;
  for (let field = 0; field < 4; field++) end = skip(file, end);
  return file.subarray(start, end);
}

function skip(file: Buffer, at: number): number {
  const { value, end } = readVInt(file, at);
  if (value < 0 || end + value > file.length) throw new Error('a damaged credentials file');
  return end + value;
}

/** WritableUtils.readVInt, of numbers that are not negative: one byte up to 127, else -112 less the bytes that follow. */
function readVInt(file: Buffer, at: number): { value: number; end: number } {
  const first = file.readInt8(at);
  if (first >= -112) return { value: first, end: at + 1 };
  const bytes = -112 - first;
  if (bytes > 4) throw new Error('a damaged credentials file');
  return { value: file.readUIntBE(at + 1, bytes), end: at + 1 + bytes };
}
