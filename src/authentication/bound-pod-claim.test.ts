import { describe, expect, it } from '@jest/globals';
import { POD_NAME_EXTRA, POD_UID_EXTRA, readBoundPodClaim } from './bound-pod-claim.ts';
import type { TokenClaims } from './token-claims.ts';

const AUDIENCE = 'kerbridge';
const CLAIMS: TokenClaims = {
  issuer: 'https://kubernetes.default.svc',
  issuedAt: 0,
  expiresAt: 3_600_000,
  namespace: 'team-a',
  serviceAccount: { name: 'trainer', uid: 'account-1' },
  pod: { name: 'job-1', uid: 'pod-1' },
};
const EXTRA = { [POD_NAME_EXTRA]: ['job-1'], [POD_UID_EXTRA]: ['pod-1'] };
const REVIEW = {
  authenticated: true as const,
  audiences: [AUDIENCE],
  username: 'system:serviceaccount:team-a:trainer',
  uid: 'account-1',
  groups: [],
  extra: EXTRA,
};

const read = (change: Record<string, unknown>) =>
  readBoundPodClaim({ ...REVIEW, ...change }, CLAIMS, AUDIENCE);
const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;

describe('readBoundPodClaim', () => {
  it('refuses a no, and keeps its reason [review-authenticated]', () => {
    expect(readBoundPodClaim({ authenticated: false, error: 'expired' }, CLAIMS, AUDIENCE)).toEqual({
      outcome: 'refused',
      reason: 'service-account-token-invalid',
      detail: 'expired',
    });
  });

  it.each([
    ['none', []],
    ['another one', ['vault']],
    ['one that only begins like ours', ['kerbridge2']],
    ['one in another case', ['Kerbridge']],
  ])('refuses a yes for audience %s [review-audience]', (_, audiences) => {
    expect(read({ audiences })).toEqual(refused('audience-not-returned'));
  });

  it.each([
    ['a person', 'alice'],
    ['the prefix of another type', 'system:node:team-a:trainer'],
    ['another system', 'xsystem:serviceaccount:team-a:trainer'],
    ['three parts', 'system:serviceaccount:team-a'],
    ['five parts', 'system:serviceaccount:team-a:trainer:x'],
    ['an empty namespace', 'system:serviceaccount::trainer'],
    ['an empty name', 'system:serviceaccount:team-a:'],
    ['a path for a namespace', 'system:serviceaccount:../kube-system:trainer'],
    ['a namespace in upper case', 'system:serviceaccount:Team-a:trainer'],
    ['nothing', ''],
  ])('refuses %s [review-service-account]', (_, username) => {
    expect(read({ username })).toEqual(refused('not-a-service-account'));
  });

  it.each([
    ['no extra', {}],
    ['no pod name', { [POD_UID_EXTRA]: ['pod-1'] }],
    ['two pod names', { ...EXTRA, [POD_NAME_EXTRA]: ['job-1', 'job-2'] }],
    ['an empty list of pod names', { ...EXTRA, [POD_NAME_EXTRA]: [] }],
    ['an empty pod name', { ...EXTRA, [POD_NAME_EXTRA]: [''] }],
    ['a path for a pod name', { ...EXTRA, [POD_NAME_EXTRA]: ['../job-1'] }],
    ['inherited extra', { __proto__: EXTRA }],
  ])('refuses a token with %s [review-pod-name]', (_, extra) => {
    expect(read({ extra })).toEqual({
      outcome: 'refused',
      reason: 'not-bound-to-a-pod',
      detail: POD_NAME_EXTRA,
    });
  });

  it.each([
    ['no pod UID', { [POD_NAME_EXTRA]: ['job-1'] }],
    ['two pod UIDs', { ...EXTRA, [POD_UID_EXTRA]: ['pod-1', 'pod-2'] }],
    ['an empty list of pod UIDs', { ...EXTRA, [POD_UID_EXTRA]: [] }],
    ['an empty pod UID', { ...EXTRA, [POD_UID_EXTRA]: [''] }],
  ])('refuses a token with %s [review-pod-uid]', (_, extra) => {
    expect(read({ extra })).toEqual({
      outcome: 'refused',
      reason: 'not-bound-to-a-pod',
      detail: POD_UID_EXTRA,
    });
  });

  it.each([
    ['account', 'system:serviceaccount:team-a:other'],
    ['namespace', 'system:serviceaccount:team-b:trainer'],
  ])('refuses a yes about another %s than the token names [review-same-account]', (_, username) => {
    expect(read({ username })).toEqual(refused('review-differs-from-token'));
  });

  it.each(['account-2', ''])('refuses a yes about account UID "%s" [review-same-account-uid]', (uid) => {
    expect(read({ uid })).toEqual(refused('review-differs-from-token'));
  });

  it.each([
    ['pod', { ...EXTRA, [POD_NAME_EXTRA]: ['job-2'] }],
    ['pod UID', { ...EXTRA, [POD_UID_EXTRA]: ['pod-2'] }],
  ])('refuses a yes about another %s than the token names [review-same-pod]', (_, extra) => {
    expect(read({ extra })).toEqual(refused('review-differs-from-token'));
  });

  it('takes namespace, account and pod from the API server', () => {
    expect(read({})).toEqual({
      outcome: 'claimed',
      claim: { namespace: 'team-a', serviceAccount: 'trainer', podName: 'job-1', podUid: 'pod-1' },
    });
  });
});
