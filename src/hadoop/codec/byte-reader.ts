import { CodecError } from './codec-error.ts';

/**
 * Reads bytes in order, never past its end. Nothing is allocated before its length has been compared with what is left.
 * `what` names the field in errors.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #position: number;

  /** Reads `bytes` from `start` to `end`; offsets stay those of `bytes`. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    // Not a Buffer, whose slice() shares memory.
    this.#bytes = Buffer.isBuffer(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
      : bytes;
    this.#position = start;
    this.#end = end;
  }

  /** Of the next byte, in the input as a whole. */
  get offset(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  readByte(what: string): number {
    const byte = this.#position < this.#end ? this.#bytes[this.#position] : undefined;
    if (byte === undefined) {
      throw new CodecError('truncated', `${what}: the input ends`, this.#position);
    }
    this.#position += 1;
    return byte;
  }

  /** A copy, so that the value neither changes with the input nor keeps all of it (other passwords included) alive. */
  readBytes(length: number, what: string): Uint8Array {
    const start = this.#take(length, what);
    return this.#bytes.slice(start, start + length);
  }

  /** A window on the input, for bytes that are turned into something else at once. */
  readView(length: number, what: string): Uint8Array {
    const start = this.#take(length, what);
    return this.#bytes.subarray(start, start + length);
  }

  /** A reader of the next `length` bytes, which this one skips. */
  readSection(length: number, what: string): ByteReader {
    const start = this.#take(length, what);
    return new ByteReader(this.#bytes, start, start + length);
  }

  skip(length: number, what: string): void {
    this.#take(length, what);
  }

  /** Refuses bytes after the end of a value: Java ignores them, so they could hide anything. */
  expectEnd(what: string): void {
    if (this.remaining > 0) {
      throw new CodecError(
        'trailing-bytes',
        `${what}: ${this.remaining} bytes follow its end`,
        this.#position,
      );
    }
  }

  #take(length: number, what: string): number {
    const start = this.#position;
    if (length < 0) {
      throw new CodecError('length-out-of-range', `${what}: negative length ${length}`, start);
    }
    if (length > this.remaining) {
      throw new CodecError('truncated', `${what}: ${length} bytes announced, ${this.remaining} left`, start);
    }
    this.#position = start + length;
    return start;
  }
}
