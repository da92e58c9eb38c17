import { hash, randomBytes } from 'node:crypto';

import type { Secret } from '../observability/secret.ts';

/** What stands for a token and its audience in memory. */
export type ReviewKey = (audience: string, serviceAccountToken: Secret<string>) => string;

/**
 * Names tokens without keeping them: SHA-512/256 over a random key, the length of the audience, the audience and the
 * token. Without the key nobody can tell from a name what it stands for, or look for two tokens of one name. The key
 * comes first and has one length, and the audience is told from the token by its length. SHA-512/256 shows half of its
 * state only, so it can't be continued by who knows a name; HMAC, which would do the same for SHA-256, hashes twice.
 *
 * Measured with a token of 930 characters on Node 24 (CPU time, best of five): 2.8 µs. `createHmac('sha256')` takes 1.5
 * times as long with a KeyObject, and 9 times with the key as bytes.
 */
export function createReviewKey(): ReviewKey {
  const key = randomBytes(32).toString('hex');
  return (audience, serviceAccountToken) =>
    hash('sha512-256', `${key}${audience.length}:${audience}${serviceAccountToken.reveal()}`, 'base64');
}
