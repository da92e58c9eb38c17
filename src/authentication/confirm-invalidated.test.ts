import { describe, expect, it } from '@jest/globals';

import { Secret } from '../observability/secret.ts';
import { createInvalidationCheck } from './confirm-invalidated.ts';
import type { PodView, ServiceAccountTokenReview } from './kubernetes-access.ts';
import type { TokenClaims } from './token-claims.ts';

const CLAIMS: TokenClaims = {
  issuer: 'https://kubernetes.default.svc',
  issuedAt: 0,
  expiresAt: 3_600_000,
  namespace: 'team-a',
  serviceAccount: { name: 'trainer', uid: 'account-1' },
  pod: { name: 'train-0', uid: 'pod-1' },
};
const LIVE: PodView = {
  namespace: 'team-a',
  name: 'train-0',
  uid: 'pod-1',
  serviceAccount: 'trainer',
  phase: 'Running',
  createdAt: Date.parse('2026-01-01T00:00:00Z'),
  deletionTimestamp: undefined,
  podIps: [],
  annotations: {},
};
const INVALIDATED: ServiceAccountTokenReview = {
  authenticated: false,
  error: '[invalid bearer token, service account token has been invalidated]',
};
const EXPIRED: ServiceAccountTokenReview = {
  authenticated: false,
  error: '[invalid bearer token, service account token has expired]',
};
const YES: ServiceAccountTokenReview = {
  authenticated: true,
  audiences: ['kerbridge'],
  username: 'system:serviceaccount:team-a:trainer',
  uid: 'account-1',
  groups: [],
  extra: {},
};

/** Answers in turn; an Error is thrown. */
function world(reviews: readonly (ServiceAccountTokenReview | Error)[], pod: PodView | Error | undefined) {
  const asked: unknown[] = [];
  const answers = [...reviews];
  const { signal } = new AbortController();
  const review = createInvalidationCheck({
    reviewServiceAccountToken: async (token, audiences, options) => {
      asked.push(['review', token.reveal(), audiences, options?.signal === signal]);
      const answer = answers.shift();
      if (answer === undefined) throw new Error('asked too often');
      if (answer instanceof Error) throw answer;
      return answer;
    },
    getPod: async (namespace, name, options) => {
      asked.push(['pod', namespace, name, options?.signal === signal]);
      if (pod instanceof Error) throw pod;
      return pod;
    },
  });
  return { asked, review: () => review(new Secret('a-token'), ['kerbridge'], { claims: CLAIMS, signal }) };
}

const REVIEW = ['review', 'a-token', ['kerbridge'], true];
const POD = ['pod', 'team-a', 'train-0', true];

describe('a token that is said to be invalidated', () => {
  it('stays refused when its pod is gone', async () => {
    const { asked, review } = world([INVALIDATED], undefined);
    expect(await review()).toBe(INVALIDATED);
    expect(asked).toEqual([REVIEW, POD]);
  });

  it('stays refused when another pod has the name', async () => {
    const { asked, review } = world([INVALIDATED], { ...LIVE, uid: 'pod-2' });
    expect(await review()).toBe(INVALIDATED);
    expect(asked).toEqual([REVIEW, POD]);
  });

  it('could not be checked when the pod cannot be read', async () => {
    const { asked, review } = world([INVALIDATED], new Error('etcd is away'));
    await expect(review()).rejects.toThrow('etcd is away');
    expect(asked).toEqual([REVIEW, POD]);
  });

  it.each([
    ['yes', YES],
    ['the same', { ...INVALIDATED }],
    ['another no', EXPIRED],
  ])('is asked about once more when its pod is there; then counts: %s', async (_, second) => {
    const { asked, review } = world([INVALIDATED, second], LIVE);
    expect(await review()).toBe(second);
    expect(asked).toEqual([REVIEW, POD, REVIEW]);
  });

  it('could not be checked when nobody answers the second time', async () => {
    const { review } = world([INVALIDATED, new Error('gone again')], LIVE);
    await expect(review()).rejects.toThrow('gone again');
  });
});

describe('any other answer is the answer', () => {
  it.each([
    ['another no', EXPIRED],
    ['yes', YES],
  ])('%s', async (_, answer) => {
    const { asked, review } = world([answer], LIVE);
    expect(await review()).toBe(answer);
    expect(asked).toEqual([REVIEW]);
  });

  it('none', async () => {
    const { asked, review } = world([new Error('down')], LIVE);
    await expect(review()).rejects.toThrow('down');
    expect(asked).toEqual([REVIEW]);
  });
});
