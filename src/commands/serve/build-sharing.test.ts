import { describe, expect, it } from '@jest/globals';
import type { SharingRule } from '../../config/delegation-tokens-schema.ts';
import { buildSharing } from './build-sharing.ts';

const rule = (fields: Partial<SharingRule>): SharingRule => ({
  namespaces: ['*'],
  users: ['*'],
  scope: 'namespace',
  cancel: 'when-unused',
  ...fields,
});

it('is by namespace, and ends with the last pod, without rules', () => {
  const sharing = buildSharing([]);
  expect([sharing.scopeOf('a', 'alice'), sharing.cancelPolicyOf('a', 'alice')]).toEqual([
    'namespace',
    'when-unused',
  ]);
});

describe('of several rules', () => {
  const sharing = buildSharing([
    rule({ namespaces: ['ci-*'], scope: 'pod' }),
    rule({ users: ['etl', 'svc-*'], scope: 'user', cancel: 'never' }),
    rule({ users: ['svc-*'], scope: 'pod' }),
  ]);

  it.each([
    ['ci-1', 'etl', 'pod', 'when-unused'],
    ['science', 'etl', 'user', 'never'],
    ['science', 'svc-a', 'user', 'never'],
    ['science', 'alice', 'namespace', 'when-unused'],
    ['ci', 'alice', 'namespace', 'when-unused'],
  ])('the first counts that fits %s in %s', (namespace, user, scope, cancel) => {
    expect([sharing.scopeOf(namespace, user), sharing.cancelPolicyOf(namespace, user)]).toEqual([
      scope,
      cancel,
    ]);
  });

  it('any keeps what all namespaces share', () => {
    expect(['etl', 'alice'].map((user) => sharing.cancelPolicyOf(undefined, user))).toEqual([
      'never',
      'when-unused',
    ]);
  });
});
