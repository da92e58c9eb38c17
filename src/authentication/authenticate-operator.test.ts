import { describe, expect, it } from '@jest/globals';
import {
  createOperatorAuthenticator,
  type OperatorAuthenticatorOptions,
  type ResourceAccess,
} from './authenticate-operator.ts';
import { KubernetesQueueError, type ServiceAccountTokenReview } from './kubernetes-access.ts';

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

function setUp(
  review: ServiceAccountTokenReview = YES,
  overrides: Partial<OperatorAuthenticatorOptions> = {},
) {
  const asked: unknown[] = [];
  const authenticate = createOperatorAuthenticator({
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
  return { asked, ask: () => authenticate([`Bearer ${BEARER}`]), authenticate };
}

describe('createOperatorAuthenticator', () => {
  it('asks nobody about a request without a bearer token [operator-bearer-token]', async () => {
    const { asked, authenticate } = setUp();
    expect(await authenticate([])).toMatchObject({ outcome: 'not-authenticated' });
    expect(asked).toEqual([]);
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
