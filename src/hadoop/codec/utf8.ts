import { CodecError } from './codec-error.ts';

/**
 * Hadoop's `Text.DEFAULT_MAX_LEN`. Java reads the texts of a token identifier only when they are shorter; here that
 * holds for every text, so that none can be too long for a string.
 */
export const TEXT_LIMIT_BYTES = 1024 * 1024;

// ignoreBOM keeps a leading U+FEFF, which would else be lost on the way through.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Refuses a text of `lengthBytes` that is not to be read or written. */
export function requireTextLength(lengthBytes: number, what: string, offset: number): number {
  if (lengthBytes < 0 || lengthBytes >= TEXT_LIMIT_BYTES) {
    throw new CodecError(
      'length-out-of-range',
      `${what}: text of ${lengthBytes} bytes, it must be 0 to ${TEXT_LIMIT_BYTES - 1}`,
      offset,
    );
  }
  return lengthBytes;
}

/** Strict: Java would put U+FFFD for a wrong byte, and two different names could then look like one. */
export function decodeUtf8(bytes: Uint8Array, what: string, offset: number): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new CodecError('invalid-utf8', `${what}: not UTF-8`, offset);
  }
}

/** Throws CodecError `lone-surrogate` or `length-out-of-range`. */
export function encodeUtf8(text: string, what: string, offset: number): Uint8Array {
  if (!text.isWellFormed()) {
    throw new CodecError('lone-surrogate', `${what}: half of a surrogate pair`, offset);
  }
  const bytes = encoder.encode(text);
  requireTextLength(bytes.length, what, offset);
  return bytes;
}
