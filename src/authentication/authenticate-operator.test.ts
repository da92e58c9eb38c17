import { describe, expect, it } from '@jest/globals';
import {
  type AuthenticateOperatorOptions,
  createOperatorAuthenticator,
  type OperatorAuthenticatorOptions,
  type ResourceAccess,
} from './authenticate-operator.ts';
import { KubernetesQueueError, type ServiceAccountTokenReview } from './kubernetes-access.ts';
import type { AnyTokenClaims, TokenFilterResult, UnprovenReason } from './token-claims.ts';

const AUDIENCE = 'kerbridge-admin';
const ACCESS: ResourceAccess = { group: 'kerbridge.dev', resource: 'tokens', verb: 'list' };
const BEARER = 'aaa.bbb.ccc';
const YES = {
  authenticated: true,
  audiences: [AUDIENCE],
  username: 'system:serviceaccount:kerbridge:operator',
  uid: 'u-1',
  groups: ['system:serviceaccounts'],
  extra: { 'authentication.kubernetes.io/credential-id': ['JTI=1'] },
} as const;
const CLAIMS: AnyTokenClaims = { issuer: 'i', subject: 's', issuedAt: 0, expiresAt: 1 };

function setUp(
  review: ServiceAccountTokenReview = YES,
  overrides: Partial<OperatorAuthenticatorOptions> = {},
) {
  const asked: unknown[] = [];
  let filtered: TokenFilterResult<AnyTokenClaims> = { outcome: 'verified', claims: CLAIMS };
  const authenticate = createOperatorAuthenticator({
    filterServiceAccountToken: async (serviceAccountToken) => {
      expect(serviceAccountToken.reveal()).toBe(BEARER);
      return await Promise.resolve(filtered);
    },
    unprovenTokens: { take: () => true },
    reviewServiceAccountToken: async (serviceAccountToken, audiences) => {
      asked.push(['review', serviceAccountToken.reveal(), audiences]);
      return await Promise.resolve(review);
    },
    reviewAccess: async (user, access) => {
      asked.push(['access', user, access]);
      return await Promise.resolve({ allowed: true });
    },
    audience: AUDIENCE,
    access: ACCESS,
    ...overrides,
  });
  return {
    asked,
    ask: (options: AuthenticateOperatorOptions = {}) => authenticate([`Bearer ${BEARER}`], options),
    authenticate,
    filterSays: (result: typeof filtered) => {
      filtered = result;
    },
  };
}

describe('createOperatorAuthenticator', () => {
  it('asks nobody about a request without a bearer token [operator-bearer-token]', async () => {
    const { asked, authenticate } = setUp();
    expect(await authenticate([])).toMatchObject({ outcome: 'not-authenticated' });
    expect(asked).toEqual([]);
  });

  it.each([{}, { detail: 'the token names the audience "kerbridge"' }])(
    'asks nobody about a token that the filter refuses, %j [operator-token-filter]',
    async (detail) => {
      const { asked, ask, filterSays } = setUp();
      filterSays({ outcome: 'refused', reason: 'jwt-audience-differs', ...detail });
      expect(await ask({ admitCheck: () => false })).toEqual({
        outcome: 'not-authenticated',
        reason: 'jwt-audience-differs',
        ...detail,
      });
      expect(asked).toEqual([]);
    },
  );

  it.each<UnprovenReason>(['unknown-key', 'keys-unavailable'])(
    'asks nobody about a token that is unproven (%s) when there were too many [operator-unproven-token-limit]',
    async (why) => {
      const { asked, ask, filterSays } = setUp(YES, { unprovenTokens: { take: () => false } });
      expect((await ask()).outcome).toBe('authorized');
      filterSays({ outcome: 'unproven', why, claims: CLAIMS });
      asked.splice(0);
      expect(await ask()).toEqual({ outcome: 'could-not-check', dependency: 'unknown-signing-keys' });
      expect(asked).toEqual([]);
    },
  );

  it('leaves other tokens that are unproven to the API server', async () => {
    const { ask, filterSays } = setUp();
    filterSays({ outcome: 'unproven', why: 'unknown-key', claims: CLAIMS });
    expect(await ask()).toEqual({ outcome: 'authorized', operator: YES.username });
  });

  it('asks nobody when as many are being checked as may [operator-authentications-limit]', async () => {
    const { asked, ask } = setUp();
    expect(await ask({ admitCheck: () => false })).toEqual({ outcome: 'overloaded' });
    expect(asked).toEqual([]);
    expect((await ask({ admitCheck: () => true })).outcome).toBe('authorized');
  });

  it('refuses whom the API server refuses [operator-token-accepted]', async () => {
    const { asked, ask } = setUp({ authenticated: false, error: 'token audiences are invalid' });
    expect(await ask()).toEqual({
      outcome: 'not-authenticated',
      reason: 'service-account-token-invalid',
      detail: 'token audiences are invalid',
    });
    expect(asked).toHaveLength(1);
  });

  it.each([[[]], [['kerbridge']], [['https://kubernetes.default.svc', 'kerbridge-admin2']]])(
    'refuses a token whose audiences came back as %j [operator-audience-returned]',
    async (audiences) => {
      const { asked, ask } = setUp({ ...YES, audiences });
      expect(await ask()).toEqual({
        outcome: 'not-authenticated',
        reason: 'audience-not-returned',
        detail: YES.username,
      });
      expect(asked).toHaveLength(1);
    },
  );

  it('refuses whom the authorizers refuse [operator-may-list-tokens]', async () => {
    const { ask } = setUp(YES, { reviewAccess: () => Promise.resolve({ allowed: false, reason: 'no' }) });
    expect(await ask()).toEqual({ outcome: 'not-authorized', operator: YES.username, detail: 'no' });
  });

  it.each([
    ['the review cannot be had', 'kubernetes-api', new Error('down'), 'reviewServiceAccountToken'],
    ['the decision cannot be had', 'kubernetes-api', new Error('down'), 'reviewAccess'],
    [
      'our own queue is full',
      'kubernetes-api-queue',
      new KubernetesQueueError(),
      'reviewServiceAccountToken',
    ],
  ] as const)('could not check when %s', async (_name, dependency, cause, failing) => {
    const { ask } = setUp(YES, { [failing]: () => Promise.reject(cause) });
    expect(await ask()).toEqual({ outcome: 'could-not-check', dependency, cause });
  });

  it('ends with the reason of the caller’s signal', async () => {
    const gone = new Error('gone');
    const { authenticate } = setUp(YES, { reviewAccess: () => Promise.reject(new Error('aborted')) });
    await expect(authenticate([`Bearer ${BEARER}`], { signal: AbortSignal.abort(gone) })).rejects.toBe(gone);
  });

  it('has no audience by default', () => {
    expect(() => setUp(YES, { audience: '' })).toThrow(RangeError);
  });

  it('lets in whom both allow, asking about the whole user', async () => {
    const { asked, ask } = setUp();
    expect(await ask()).toEqual({ outcome: 'authorized', operator: YES.username });
    const { username, uid, groups, extra } = YES;
    expect(asked).toEqual([
      ['review', BEARER, [AUDIENCE]],
      ['access', { username, uid, groups, extra }, ACCESS],
    ]);
  });
});
