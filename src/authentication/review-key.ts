import { hash, randomBytes } from 'node:crypto';

import type { Secret } from '../observability/secret.ts';

/** What stands for a token and its audience in memory. */
export type ReviewKey = (audience: string, serviceAccountToken: Secret<string>) => string;

/**
 * Names tokens without keeping them: SHA-256 over a random key, the length of the audience, the audience, the token, and
 * the key again. Without the key nobody can tell from a name what it stands for, or look for two tokens of one name. The
 * key comes first and has one length, and the audience is told from the token by its length. The key at the end keeps who
 * knows a name from continuing it to that of a longer token; HMAC, which would do the same, hashes twice.
 *
 * Measured with a token of 930 characters on Node 24 (CPU time): 1.8 µs. SHA-512/256, which needs no key at the end, takes
 * 1.5 times as long where the processor has instructions for SHA-256, and `createHmac('sha256')` 13 times with the key
 * as bytes.
 */
export function createReviewKey(): ReviewKey {
  const key = randomBytes(32).toString('hex');
  return (audience, serviceAccountToken) =>
    hash('sha256', `${key}${audience.length}:${audience}${serviceAccountToken.reveal()}${key}`, 'base64');
}
