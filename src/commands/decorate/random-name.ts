import { randomInt } from 'node:crypto';

/** Those of Kubernetes' own generated names (`SafeEncodeString`): no vowels, so no words. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

export function randomName(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
