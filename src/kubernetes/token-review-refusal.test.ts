import { describe, expect, it } from '@jest/globals';
import { isPlainRefusal } from './token-review-refusal.ts';

/** As Kubernetes 1.36 prints them. */
const REFUSALS = [
  'invalid bearer token',
  'invalid signature, no keys found',
  'go-jose/go-jose: error in cryptographic primitive',
  'square/go-jose: error in cryptographic primitive',
  'go-jose/go-jose: unsupported key type/format',
  'token issuer "https://other" is invalid',
  'token audiences ["a" "b, c"] is invalid for the target audiences ["kerbridge"]',
  String.raw`token audiences ["quote \" and ]"] is invalid for the target audiences []`,
  'service account token has expired',
  'service account token is not valid yet',
  'service account token is issued in the future',
  'service account token claims could not be validated: go-jose/go-jose/jwt: validation failed, invalid audience claim (aud)',
  'service account token claims could not be validated due to unexpected validation error',
  'service account token has been invalidated',
  'serviceaccounts "trainer" not found',
  'service account UID (1-2) does not match claim (3-4)',
  'service account team-a/trainer has been deleted',
  'secret UID (1) does not match service account secret ref claim (2)',
  'pod UID (1) does not match service account pod ref claim (2)',
  'node UID () does not match service account node ref claim (2)',
  'token is bound to a Node object but the ServiceAccountTokenNodeBindingValidation feature gate is disabled',
  'secretName claim is missing',
  'sub claim is invalid',
  'Token has been invalidated',
  "Token does not match server's copy",
  'ServiceAccount team-a/trainer has been deleted',
  'ServiceAccount UID (1) does not match claim (2)',
  "the token in secret a/b for service account a/c has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the 'x' label from the secret to temporarily allow use of this token",
];

const COULD_NOT_TELL = [
  'Get "https://127.0.0.1:28369/api/v1/namespaces/t1/serviceaccounts/sa": context deadline exceeded',
  'Get "https://[::1]:6443/api/v1/namespaces/t1/serviceaccounts/sa": dial tcp [::1]:6443: connect: connection refused',
  'etcdserver: request timed out',
  'context canceled',
  'the server is currently unable to handle the request (get serviceaccounts trainer)',
  'serviceaccounts "trainer" is forbidden: not yet ready to handle request',
  'Timeout: request did not complete within requested timeout',
  'oidc: authenticator not initialized',
  'unknown',
];

describe('isPlainRefusal', () => {
  it.each(REFUSALS)('takes for a refusal: %s', (text) => {
    expect(isPlainRefusal(text)).toBe(true);
    expect(isPlainRefusal(`[invalid bearer token, ${text}]`)).toBe(true);
    expect(isPlainRefusal(`[${text}, invalid bearer token]`)).toBe(true);
  });

  it('takes all of them together for one', () => {
    expect(isPlainRefusal(`[${REFUSALS.join(', ')}]`)).toBe(true);
  });

  it.each(COULD_NOT_TELL)('does not take for a refusal: %s', (text) => {
    expect(isPlainRefusal(text)).toBe(false);
    for (const refusal of REFUSALS) {
      expect(isPlainRefusal(`[${refusal}, ${text}]`)).toBe(false);
      expect(isPlainRefusal(`[${text}, ${refusal}]`)).toBe(false);
      expect(isPlainRefusal(`[${refusal}, ${text}, ${refusal}]`)).toBe(false);
    }
  });

  it.each([
    '',
    '[]',
    '[invalid bearer token',
    'invalid bearer token]',
    '[invalid bearer token, ]',
    'invalid bearer token, ',
    'invalid bearer token: context deadline exceeded',
    'invalid bearer tokens',
    'Invalid bearer token',
    ' invalid bearer token',
    'go-jose/go-jose: error in cryptographic primitive, dial tcp: connection refused',
    'serviceaccounts "a" not found: context deadline exceeded',
  ])('does not take for a refusal what only looks like one: %j', (text) => {
    expect(isPlainRefusal(text)).toBe(false);
  });
});
