import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthenticationV1Api, type V1TokenReviewStatus } from '@kubernetes/client-node';
import { decodeProtectedHeader } from 'jose';
import { isPlainRefusal } from '../../../src/kubernetes/token-review-refusal.ts';
import type { Secret } from '../../../src/observability/secret.ts';
import { readStack } from '../../stack/stack.ts';
import { FORGERIES, type ForgeryName, TokenForger } from '../forged-tokens.ts';
import { loadConfig, TestNamespace, type TestPod } from '../kubernetes-objects.ts';

const AUDIENCE = 'kerbridge-test';

let api: AuthenticationV1Api;
let forger: TokenForger;
let namespace: TestNamespace;
let pod: TestPod;
let real: Secret<string>;

beforeAll(async () => {
  const stack = await readStack();
  const { admin } = stack.kubernetes.kubeconfig;
  api = loadConfig(admin).makeApiClient(AuthenticationV1Api);
  forger = await TokenForger.create(stack);
  namespace = await TestNamespace.create(admin);
  pod = await namespace.createPod();
  real = await namespace.requestToken([AUDIENCE], { pod });
});

afterAll(async () => {
  await forger[Symbol.asyncDispose]();
  await namespace.dispose();
});

async function review(token: Secret<string>): Promise<V1TokenReviewStatus | undefined> {
  const spec = { token: token.reveal(), audiences: [AUDIENCE] };
  return (await api.createTokenReview({ body: { spec } })).status;
}

const BAD_SIGNATURE = 'go-jose/go-jose: error in cryptographic primitive';

/** What kube-apiserver 1.36 says; `yes` is what only Kerbridge itself can refuse. */
const ANSWERS: Readonly<Record<ForgeryName, string>> = {
  'alg: none': BAD_SIGNATURE,
  'alg: none with the kid': BAD_SIGNATURE,
  'alg: NoNe': BAD_SIGNATURE,
  'HS256 with the public key in PEM': BAD_SIGNATURE,
  'HS256 with the public key in DER': BAD_SIGNATURE,
  // Any RSA signature by its own key.
  'PS256 with the right key': 'yes',
  'ES256 with another key and the right kid': BAD_SIGNATURE,
  'signature cut off': BAD_SIGNATURE,
  'signature of other claims': BAD_SIGNATURE,
  'another key with the right kid': BAD_SIGNATURE,
  'another key with an unknown kid': 'invalid signature, no keys found',
  'another key without a kid': BAD_SIGNATURE,
  'the right key with an unknown kid': 'invalid signature, no keys found',
  'the right key without a kid': 'yes',
  'embedded jwk': BAD_SIGNATURE,
  jku: BAD_SIGNATURE,
  'jku with an unknown kid': 'invalid signature, no keys found',
  x5u: BAD_SIGNATURE,
  x5c: BAD_SIGNATURE,
  'crit that nobody knows': BAD_SIGNATURE,
  'wrong issuer': 'invalid bearer token',
  'no issuer': 'invalid bearer token',
  'another audience': 'is invalid for the target audiences',
  'no audience': 'is invalid for the target audiences',
  'several audiences': 'yes',
  expired: 'service account token has expired',
  'no expiry': 'yes',
  'not yet valid': 'service account token is not valid yet',
  'issued in the future': 'service account token is issued in the future',
  'valid for 400 days': 'yes',
  'another pod UID': 'does not match service account pod ref claim',
  'another pod name': 'service account token has been invalidated',
  'no pod': 'yes',
  'another account UID': 'does not match claim',
  'another account name': 'serviceaccounts "another" not found',
  'another namespace': 'not found',
  // It goes by the claims under kubernetes.io.
  'another subject': 'yes',
};

describe('the real API server', () => {
  it.each(FORGERIES)('says what is expected to a forged token: %s', async (name) => {
    const status = await review(await forger.forge(name, real));
    const answer = ANSWERS[name];
    if (answer === 'yes') {
      expect(status).toMatchObject({ authenticated: true, audiences: [AUDIENCE] });
      expect(status?.error).toBeUndefined();
    } else {
      expect(status?.authenticated ?? false).toBe(false);
      expect(status?.error).toContain(answer);
      // Kerbridge must take it for a no, not for an API server that could not tell.
      expect(isPlainRefusal(status?.error ?? '')).toBe(true);
    }
  });

  it('never asks for the keys that a token names', () => {
    expect(forger.fetches).toEqual([]);
  });

  it('says yes to a token that was only signed anew, so each forgery fails for its one change', async () => {
    const signedAnew = await forger.resign(real, { claims: { jti: 'another' } });
    expect(signedAnew.reveal()).not.toBe(real.reveal());
    const [expected, status] = [await review(real), await review(signedAnew)];
    expect(status).toMatchObject({
      authenticated: true,
      audiences: [AUDIENCE],
      user: {
        username: `system:serviceaccount:${namespace.name}:${pod.serviceAccount}`,
        uid: expected?.user?.uid,
        extra: { 'authentication.kubernetes.io/pod-uid': [pod.uid] },
      },
    });
  });

  it('names its key as we do', () => {
    expect(decodeProtectedHeader(real.reveal())).toEqual({ alg: 'RS256', kid: forger.kid });
  });
});

describe('the key server', () => {
  it.each([
    ['jwks', '"kid":"other"'],
    ['certificate', '-----BEGIN CERTIFICATE-----'],
  ])('would notice: %s', async (path, content) => {
    const before = forger.fetches.length;
    expect(await (await fetch(`${forger.keyServer}/${path}`)).text()).toContain(content);
    expect(forger.fetches.slice(before)).toEqual([`/${path}`]);
  });
});
