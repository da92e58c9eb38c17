import { CodecError } from './codec-error.ts';

/**
 * Base64 as Hadoop's `Token.encodeToUrlString` writes it: the URL-safe alphabet (`-_`, RFC 4648 section 5), no padding,
 * no line breaks.
 */
export function encodeBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

const INVALID = 255;
const PAD = '='.charCodeAt(0);

const sextets = new Uint8Array(128).fill(INVALID);
for (const alphabet of ['-_', '+/']) {
  const digits = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${alphabet}`;
  for (let value = 0; value < digits.length; value += 1) {
    sextets[digits.charCodeAt(value)] = value;
  }
}

/**
 * Tolerant of what tools do to such a string: padding if it is right, the standard alphabet (`+/`), white space before
 * and after. Everything else is refused, also leftover bits that are not zero: no encoder writes them, so the string
 * was cut or changed. (Java's decoder drops what it does not know, anywhere.)
 *
 * Throws CodecError `invalid-base64url`; its offset counts characters.
 */
export function decodeBase64url(text: string, what: string): Uint8Array {
  let start = 0;
  let end = text.length;
  while (start < end && isWhiteSpace(text.charCodeAt(start))) {
    start += 1;
  }
  while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) {
    end -= 1;
  }
  end = withoutPadding(text, start, end, what);

  const digits = end - start;
  const bytes = new Uint8Array(Math.floor((digits * 3) / 4));
  let pending = 0;
  let pendingBits = 0;
  let written = 0;
  for (let index = start; index < end; index += 1) {
    const sextet = sextets[text.charCodeAt(index)] ?? INVALID;
    if (sextet === INVALID) {
      throw new CodecError('invalid-base64url', `${what}: not a base64 digit`, index);
    }
    pending = (pending << 6) | sextet;
    pendingBits += 6;
    if (pendingBits >= 8) {
      pendingBits -= 8;
      bytes[written] = pending >> pendingBits;
      written += 1;
      pending &= (1 << pendingBits) - 1;
    }
  }
  if (digits % 4 === 1) {
    throw new CodecError('invalid-base64url', `${what}: a single base64 digit at the end`, end - 1);
  }
  if (pending !== 0) {
    throw new CodecError(
      'invalid-base64url',
      `${what}: the last digit has bits of a byte that is missing`,
      end - 1,
    );
  }
  return bytes;
}

function withoutPadding(text: string, start: number, end: number, what: string): number {
  let unpadded = end;
  while (unpadded > start && text.charCodeAt(unpadded - 1) === PAD) {
    unpadded -= 1;
  }
  const padding = end - unpadded;
  if (padding > 0 && (padding > 2 || (end - start) % 4 !== 0)) {
    throw new CodecError('invalid-base64url', `${what}: ${padding} padding characters do not fit`, unpadded);
  }
  return unpadded;
}

function isWhiteSpace(charCode: number): boolean {
  return charCode === 0x20 || charCode === 0x09 || charCode === 0x0a || charCode === 0x0d;
}
