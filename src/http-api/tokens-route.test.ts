import { describe, expect, it } from '@jest/globals';
import type { OperatorResult } from '../authentication/authenticate-operator.ts';
import type { ListedToken } from '../delegation-tokens/listed-token.ts';
import {
  createTokensRoute,
  MAX_OPERATOR_AUTHENTICATIONS,
  type TokensRefusal,
  type TokensRouteOptions,
  tokensProblem,
} from './tokens-route.ts';

const OPERATOR = 'system:serviceaccount:kerbridge:operator';

const tokenOf = (change: Partial<ListedToken> = {}): ListedToken => ({
  cluster: 'prod',
  source: 'ns1',
  kind: 'HDFS_DELEGATION_TOKEN',
  services: ['ha-hdfs:ns1', '10.0.0.1:8020'],
  owner: 'alice',
  stampedUser: 'alice',
  namespace: 'team-a',
  scope: 'namespace',
  podUid: undefined,
  renewer: 'kerbridge',
  sequenceNumber: 12,
  issuedAt: 1_767_225_600_000n,
  maxDate: 9_223_372_036_854_775_807n,
  expiresAt: 1_767_312_000_000n,
  state: 'current',
  handedOutUntil: 1_767_264_480_000.5,
  retiredAt: undefined,
  tombstonedAt: undefined,
  provenAt: undefined,
  holders: 2,
  failures: 0,
  ...change,
});

function setUp({
  caller = { outcome: 'authorized', operator: OPERATOR },
  tokens = [tokenOf()],
  ...options
}: { caller?: OperatorResult; tokens?: readonly ListedToken[] } & Partial<TokensRouteOptions> = {}) {
  const seen: (readonly string[])[] = [];
  let listed = 0;
  const route = createTokensRoute({
    authenticateOperator: async (authorization) => {
      seen.push(authorization);
      return await Promise.resolve(caller);
    },
    listTokens: () => {
      listed += 1;
      return tokens;
    },
    replica: 'kerbridge-0',
    ...options,
  });
  const ask = (query = '') =>
    route({ authorization: ['Bearer x'], query, signal: new AbortController().signal });
  return { ask, seen, listed: () => listed };
}

const shown = async (answer: ReturnType<ReturnType<typeof setUp>['ask']>) => {
  const result = await answer;
  return result.outcome === 'listed'
    ? result.document.tokens.map(({ owner, namespace }) => `${owner} ${namespace}`)
    : [];
};

describe('GET /v1/tokens', () => {
  it.each<OperatorResult>([
    { outcome: 'not-authenticated', reason: 'service-account-token-invalid' },
    { outcome: 'not-authorized', operator: OPERATOR, detail: 'no' },
    { outcome: 'could-not-check', dependency: 'kubernetes-api', cause: 'down' },
  ])('lists nothing for %j [operator-authorized]', async (caller) => {
    const { ask, listed } = setUp({ caller });
    expect(await ask()).toEqual(caller);
    expect(listed()).toBe(0);
  });

  it.each([
    ['users=alice', /^unknown query parameter; known are user, namespace$/],
    ['user', /^user must be 1 to 256/],
    ['user=', /^user must be 1 to 256/],
    ['namespace=%00', /^namespace must be/],
    ['user=%C3%A4', /^user must be/],
    [`user=${'x'.repeat(257)}`, /^user must be/],
    ['user=alice&user=bob', /^user can be given only once$/],
    ['user=%zz', /percent-encoded/],
    ['%75ser=alice', /unknown/],
    ['&', /unknown/],
  ])('refuses ?%s before anybody is asked', async (query, detail) => {
    const { ask, seen } = setUp();
    expect(await ask(query)).toEqual({
      outcome: 'invalid-request',
      detail: expect.stringMatching(detail),
    });
    expect(seen).toEqual([]);
  });

  it('lets so many callers be checked at once and no more, and goes on after them [operator-authorized]', async () => {
    const gate = Promise.withResolvers<undefined>();
    const { ask } = setUp({
      authenticateOperator: async (_authorization, { admitCheck } = {}) => {
        if (admitCheck?.() === false) return { outcome: 'overloaded' };
        await gate.promise;
        throw new Error('gone');
      },
    });
    const waiting = Array.from({ length: MAX_OPERATOR_AUTHENTICATIONS }, () => ask());
    const ended = Promise.allSettled(waiting);
    expect(await ask()).toEqual({ outcome: 'overloaded' });
    gate.resolve(undefined);
    await ended;
    await expect(ask()).rejects.toThrow('gone');
  });

  it('lets a caller whose token need not be checked be refused at any time [operator-authorized]', async () => {
    const { ask } = setUp({
      authenticateOperator: () =>
        Promise.resolve({ outcome: 'not-authenticated', reason: 'jwt-audience-differs' }),
    });
    const answers = Array.from({ length: 3 * MAX_OPERATOR_AUTHENTICATIONS }, () => ask());
    expect(new Set((await Promise.all(answers)).map(({ outcome }) => outcome))).toEqual(
      new Set(['not-authenticated']),
    );
  });

  it('tells of each token what it is, readable', async () => {
    const { ask, seen } = setUp();
    expect(await ask()).toEqual({
      outcome: 'listed',
      operator: OPERATOR,
      document: {
        replica: 'kerbridge-0',
        tokens: [
          {
            cluster: 'prod',
            source: 'ns1',
            kind: 'HDFS_DELEGATION_TOKEN',
            owner: 'alice',
            stampedUser: 'alice',
            namespace: 'team-a',
            scope: 'namespace',
            podUid: null,
            renewer: 'kerbridge',
            services: ['ha-hdfs:ns1', '10.0.0.1:8020'],
            sequenceNumber: 12,
            issuedAt: '2026-01-01T00:00:00.000Z',
            expiresAt: '2026-01-02T00:00:00.000Z',
            maxDate: '9999-12-31T23:59:59.999Z',
            state: 'current',
            handedOutUntil: '2026-01-01T10:48:00.000Z',
            retiredAt: null,
            tombstonedAt: null,
            provenAt: null,
            holders: 2,
            failures: 0,
          },
        ],
        truncated: false,
      },
    });
    expect(seen).toEqual([['Bearer x']]);
  });

  it('says null for what is not known of a token', async () => {
    const { ask } = setUp({ tokens: [tokenOf({ expiresAt: undefined, handedOutUntil: undefined })] });
    expect(await ask()).toMatchObject({ document: { tokens: [{ expiresAt: null, handedOutUntil: null }] } });
  });

  it('passes nothing on that it does not know', async () => {
    const { ask } = setUp({ tokens: [Object.assign(tokenOf(), { password: 'hunter2' })] });
    expect(JSON.stringify(await ask())).not.toMatch(/hunter2|password/);
  });

  it.each([
    ['', ['alice team-a', 'alice team-b', 'bob team-a']],
    ['user=alice', ['alice team-a', 'alice team-b']],
    ['namespace=team-a', ['alice team-a', 'bob team-a']],
    ['namespace=team-b&user=alice', ['alice team-b']],
    ['user=ALICE', []],
    ['user=carol', []],
  ])('?%s lists %j', async (query, expected) => {
    const tokens = [
      tokenOf({ owner: 'bob' }),
      tokenOf({ namespace: 'team-b' }),
      tokenOf({ namespace: 'team-a' }),
    ];
    expect(await shown(setUp({ tokens }).ask(query))).toEqual(expected);
  });

  it('says so when there are more than it lists', async () => {
    const tokens = [tokenOf({ owner: 'bob' }), tokenOf({ owner: 'alice' }), tokenOf({ owner: 'carol' })];
    const { ask } = setUp({ tokens, maxTokens: 2 });
    expect(await ask()).toMatchObject({
      document: { tokens: [{ owner: 'alice' }, { owner: 'bob' }], truncated: true },
    });
    expect(await ask('user=carol')).toMatchObject({
      document: { tokens: [{ owner: 'carol' }], truncated: false },
    });
  });

  it.each<[TokensRefusal, number, string]>([
    [{ outcome: 'invalid-request', detail: 'user is odd' }, 400, 'invalid-request'],
    [{ outcome: 'overloaded' }, 503, 'overloaded'],
    [{ outcome: 'not-authenticated', reason: 'audience-not-returned' }, 401, 'not-authenticated'],
    [{ outcome: 'not-authorized', operator: OPERATOR, detail: 'RBAC' }, 403, 'not-allowed'],
    [
      { outcome: 'could-not-check', dependency: 'kubernetes-api', cause: 'x' },
      503,
      'authentication-unavailable',
    ],
    [{ outcome: 'could-not-check', dependency: 'unknown-signing-keys' }, 503, 'overloaded'],
  ])('%j is a %d %s that tells no reason', (refusal, status, code) => {
    const problem = tokensProblem(refusal, () => 0);
    expect(problem).toMatchObject({ status, code });
    expect(problem.title).not.toMatch(/audience|RBAC|system:/);
    expect(problem.headers?.['Retry-After'] !== undefined).toBe(status === 503);
  });
});
