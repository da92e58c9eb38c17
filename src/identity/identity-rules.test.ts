import { describe, expect, it } from '@jest/globals';
import { compileIdentityRules, type IdentityRulesDocument, NO_IDENTITY_RULES } from './identity-rules.ts';

const rulesWith = (document: Partial<IdentityRulesDocument>) =>
  compileIdentityRules({
    groups: new Map([
      ['operators', ['alice', 'bob']],
      ['constructor', ['carol']],
    ]),
    namespaces: [],
    otherNamespaces: 'any',
    doAs: [],
    denyUsers: [],
    ...document,
  });

describe('the rules of namespaces', () => {
  const { allowsUser } = rulesWith({
    namespaces: [
      { namespaces: ['team-a-secret'], users: ['alice'] },
      { namespaces: ['team-a', 'team-a-*'], users: ['carol', 'svc_a_*', 'group:operators'] },
      { namespaces: ['team-a-late', 'team-b'], users: ['dave'] },
      { namespaces: ['closed'], users: [] },
      { namespaces: ['open'], users: ['*'] },
    ],
    otherNamespaces: 'none',
  });

  it.each([
    ['bob', 'team-a-secret', 'a later rule would allow it'],
    ['dave', 'team-a', 'another namespace is his'],
    ['dave', 'team-a-late', 'an earlier rule decides'],
    ['Carol', 'team-a', 'what allows is exact'],
    ['ALICE', 'team-a', 'groups are exact too'],
    ['svc_b_1', 'team-a', 'the glob is another'],
    ['carol', 'TEAM-A', 'the namespace is another'],
    ['carol', 'team-ab', 'the glob of the namespace is another'],
    ['carol', 'elsewhere', 'no rule names it'],
    ['carol', '__proto__', 'no rule names it'],
    ['carol', 'constructor', 'no rule names it'],
    ['operators', 'team-a', 'a group is no user'],
    ['group:operators', 'team-a', 'a group is no user'],
    ['alice', 'closed', 'nobody may'],
  ])('do not allow %s in %s: %s', (user, namespace) => {
    expect(allowsUser(namespace, user)).toBe(false);
  });

  it.each([
    ['alice', 'team-a-secret'],
    ['alice', 'team-a'],
    ['bob', 'team-a-x'],
    ['carol', 'team-a-'],
    ['svc_a_', 'team-a'],
    ['dave', 'team-b'],
    ['anybody', 'open'],
  ])('allow %s in %s', (user, namespace) => {
    expect(allowsUser(namespace, user)).toBe(true);
  });

  it('leave other namespaces open with any, and only those', () => {
    const open = rulesWith({ namespaces: [{ namespaces: ['a'], users: ['alice'] }] });
    expect([open.allowsUser('b', 'bob'), open.allowsUser('a', 'bob')]).toEqual([true, false]);
  });
});

describe('the rules of doAs', () => {
  const { allowsDoAs } = rulesWith({
    doAs: [
      { users: ['etl_prod', 'etl_test'], by: ['alice', 'group:constructor'], namespaces: ['etl-*', 'etl'] },
      { users: ['report_*'], by: ['*'], namespaces: undefined },
      { users: ['group:operators'], by: ['carol'], namespaces: ['ops'] },
    ],
  });

  it.each([
    ['alice', 'etl_prod', 'team-a'],
    ['bob', 'etl_prod', 'etl-1'],
    ['Alice', 'etl_prod', 'etl-1'],
    ['alice', 'ETL_PROD', 'etl-1'],
    ['alice', 'etl_prod2', 'etl-1'],
    ['etl_prod', 'alice', 'etl-1'],
    ['alice', '', 'etl-1'],
    ['carol', 'carol', 'ops'],
    ['alice', 'bob', 'ops'],
    ['carol', 'toString', 'ops'],
  ])('do not let %s be %j in %s', (user, doAs, namespace) => {
    expect(allowsDoAs({ user, doAs, namespace })).toBe(false);
  });

  it.each([
    ['alice', 'etl_prod', 'etl-1'],
    ['carol', 'etl_test', 'etl'],
    ['anybody', 'report_daily', 'anywhere'],
    ['carol', 'bob', 'ops'],
  ])('let %s be %s in %s', (user, doAs, namespace) => {
    expect(allowsDoAs({ user, doAs, namespace })).toBe(true);
  });
});

describe('compileIdentityRules', () => {
  it('denies without regard to case', () => {
    const { denyUsers } = rulesWith({ denyUsers: ['svc-root-*', 'Mallory'] });
    expect(['SVC-ROOT-1', 'mallory', 'svc-1'].map(denyUsers)).toEqual(['svc-root-*', 'Mallory', undefined]);
  });

  it.each(['unknown', '__proto__', 'toString'])('knows no members of the group %s', (group) => {
    const { allowsUser } = rulesWith({ namespaces: [{ namespaces: ['*'], users: [`group:${group}`] }] });
    expect(allowsUser('a', 'alice')).toBe(false);
  });

  it('asks another source of groups if there is one', () => {
    const asked: [string, string][] = [];
    const { allowsUser } = compileIdentityRules(
      {
        groups: new Map([['operators', ['mallory']]]),
        namespaces: [{ namespaces: ['a'], users: ['group:operators'] }],
        otherNamespaces: 'none',
        doAs: [],
        denyUsers: [],
      },
      (user, group) => {
        asked.push([user, group]);
        return user === 'erin';
      },
    );
    expect([allowsUser('a', 'erin'), allowsUser('a', 'mallory')]).toEqual([true, false]);
    expect(asked).toContainEqual(['erin', 'operators']);
  });

  it('allows any user everywhere, and no doAs, without rules', () => {
    expect(NO_IDENTITY_RULES.allowsUser('any', 'alice')).toBe(true);
    expect(NO_IDENTITY_RULES.allowsDoAs({ namespace: 'any', user: 'alice', doAs: 'bob' })).toBe(false);
    expect(NO_IDENTITY_RULES.denyUsers('alice')).toBeUndefined();
  });
});
