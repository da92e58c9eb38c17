import { CodecError } from './codec-error.ts';

export const INT32_MIN = -(2 ** 31);
export const INT32_MAX = 2 ** 31 - 1;
export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;

/** Refuses what a Java `int` cannot hold. */
export function requireInt32(value: number, what: string, offset: number): number {
  if (!Number.isInteger(value) || value < INT32_MIN || value > INT32_MAX) {
    throw new CodecError('int-out-of-range', `${what}: not a signed 32-bit integer`, offset);
  }
  return value;
}

/** Refuses what a Java `long` cannot hold. */
export function requireInt64(value: bigint, what: string, offset: number): bigint {
  if (value < INT64_MIN || value > INT64_MAX) {
    throw new CodecError('int-out-of-range', `${what}: not a signed 64-bit integer`, offset);
  }
  return value;
}

/** A 64-bit value that was read where only a Java `int` belongs. */
export function narrowToInt32(value: bigint, what: string, offset: number): number {
  return requireInt32(Number(value), what, offset);
}
