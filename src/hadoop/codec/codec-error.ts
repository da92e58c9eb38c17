/** Why bytes could not be read, or a value could not be written. Stable: callers may switch on it. */
export type CodecErrorCode =
  /** Read: the input ends inside a field, or a length or count claims more bytes than are left. */
  | 'truncated'
  /** Read: the value is complete and something follows it. */
  | 'trailing-bytes'
  /** Read: a credentials file that does not begin with `HDTS`. */
  | 'bad-magic'
  /** Read: a credentials format other than 0 and 1, or a token identifier version other than 0. */
  | 'unsupported-version'
  /** Both: a negative length or count, or a text of 1 MiB or more. */
  | 'length-out-of-range'
  /** Both: a number that does not fit its field (int32 or int64), or that is no integer. */
  | 'int-out-of-range'
  /** Read: text that is not well-formed UTF-8. */
  | 'invalid-utf8'
  /** Write: text with half of a surrogate pair, which UTF-8 cannot say. */
  | 'lone-surrogate'
  /** Read: a character, padding or final bits that no base64 encoder writes. */
  | 'invalid-base64url'
  /** Read: bytes that are not the protobuf message they should be. */
  | 'invalid-protobuf'
  /** Read: the kind of token is one whose identifier layout is not known here (HBase and Ozone have their own). */
  | 'unknown-identifier-format'
  /** Both: more tokens and secrets than a credentials file may have. */
  | 'too-many-entries'
  /** Write: two tokens, or two secrets, under one alias; a reader would see only the last. */
  | 'duplicate-alias';

/**
 * The only error that functions of `hadoop/codec` throw. The message names the field and holds numbers, never bytes or
 * text of the input, so that it may be logged.
 */
export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly code: CodecErrorCode;
  /**
   * Where the trouble begins. Read: bytes from the start of what the called function was given, or characters for a
   * URL string. Write: bytes already written of the innermost message.
   */
  readonly offset: number;

  constructor(code: CodecErrorCode, message: string, offset: number) {
    super(`${message} (offset ${offset})`);
    this.code = code;
    this.offset = offset;
  }
}
