import { Secret } from '../observability/secret.ts';

/** A projected service-account token is about 1 KiB; this leaves room for many audiences and long names. */
export const MAX_BEARER_TOKEN_LENGTH = 16 * 1024;

/** RFC 9110 section 11.1: the scheme is case-insensitive. */
const SCHEME = /^([A-Za-z]+)(?: |$)/;
/** `b64token` of RFC 6750 section 2.1, which is `token68` of RFC 9110 section 11.2. */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

export type BearerTokenResult =
  | { readonly outcome: 'found'; readonly serviceAccountToken: Secret<string> }
  | {
      readonly outcome: 'refused';
      readonly reason: 'no-bearer-token' | 'several-authorization-headers' | 'bearer-token-malformed';
    };

/**
 * Takes the bearer token out of the `Authorization` header lines of a request. Strict: exactly one line, the scheme,
 * exactly one space, the token, nothing else (RFC 9110 has `1*SP`; nobody sends more). Two lines are refused whatever
 * they hold: two readers of such a request could believe two different ones. Never throws.
 */
export function parseBearerToken(authorization: readonly string[]): BearerTokenResult {
  const [line = '', ...others] = authorization;
  // check: bearer-single-line
  if (others.length > 0) return { outcome: 'refused', reason: 'several-authorization-headers' };

  const scheme = SCHEME.exec(line)?.[1] ?? '';
  // check: bearer-scheme
  if (scheme.toLowerCase() !== 'bearer') return { outcome: 'refused', reason: 'no-bearer-token' };

  const value = line.slice(scheme.length + 1);
  // check: bearer-length
  if (value.length > MAX_BEARER_TOKEN_LENGTH) return { outcome: 'refused', reason: 'bearer-token-malformed' };
  // check: bearer-characters
  if (!B64TOKEN.test(value)) return { outcome: 'refused', reason: 'bearer-token-malformed' };
  return { outcome: 'found', serviceAccountToken: new Secret(value) };
}
