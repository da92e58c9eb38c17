import { describe, expect, it } from '@jest/globals';
import { account, NO_REQUESTERS, person } from '../../../test/fakes/requester-world.ts';
import type { Requester } from './requester.ts';
import { compileRequesterRules, NO_REQUESTER_RULES } from './requester-rules.ts';
import { EXEMPTIONS, type Exemption } from './requesters-document.ts';

const { isExempt } = compileRequesterRules({
  ...NO_REQUESTERS,
  exempt: [
    { usernames: undefined, groups: ['admins'], namespaces: undefined, from: ['keep-identity', 'connect'] },
    { usernames: ['carol'], groups: undefined, namespaces: ['team-*'], from: ['images'] },
    { usernames: ['dave'], groups: ['on-call'], namespaces: undefined, from: ['connect'] },
    {
      usernames: ['system:serviceaccount:ops:*'],
      groups: undefined,
      namespaces: undefined,
      from: ['images'],
    },
    { usernames: undefined, groups: ['system:masters'], namespaces: undefined, from: ['keep-identity'] },
  ],
});

type Row = readonly [title: string, requester: Requester, from: Exemption, namespace?: string];

describe('nobody is exempt', () => {
  it.each<Row>([
    ['from what its entry does not name', person('erin', 'admins'), 'images'],
    ['by a group of nearly that name', person('erin', 'admins-x'), 'connect'],
    ['by a group in other case', person('erin', 'Admins'), 'connect'],
    ['without groups', { username: 'erin' }, 'connect'],
    ['in another namespace', person('carol'), 'images', 'other'],
    ['in other case', person('Carol'), 'images'],
    ['by the name without the group', person('dave'), 'connect'],
    ['by the group without the name', person('erin', 'on-call'), 'connect'],
    ['as a system user, unless it is named', person('system:node:n1', 'admins'), 'connect'],
    ['as an account, unless it is named', account('ops:robot', {}), 'connect'],
    ['as an account of another namespace', account('team-a:ops'), 'images'],
    [
      'as an impersonated account [exempt-account-proven]',
      { username: 'system:serviceaccount:ops:robot', groups: [] },
      'images',
    ],
    [
      'as an account without UID [exempt-account-proven] [requester-account-uid]',
      { ...account('ops:robot'), uid: undefined },
      'images',
    ],
    [
      'as an account of a legacy Secret [exempt-account-proven] [requester-account-credential]',
      { ...account('ops:robot'), extra: {} },
      'images',
    ],
    [
      'as what is no account [exempt-account-proven] [requester-account-name]',
      account('ops:robot:x'),
      'images',
    ],
  ])('%s', (...[, requester, from, namespace = 'team-a']: Row) => {
    expect(isExempt(requester, from, namespace)).toBe(false);
  });

  it.each(EXEMPTIONS)('from %s, without rules', (from) => {
    expect(NO_REQUESTER_RULES.isExempt(person('root', 'system:masters'), from, 'team-a')).toBe(false);
  });
});

describe('somebody is exempt', () => {
  it.each<Row>([
    ['by a group', person('erin', 'x', 'admins'), 'connect'],
    ['from each that is named', person('erin', 'admins'), 'keep-identity', 'other'],
    ['by a name', person('carol'), 'images'],
    ['by name and group', person('dave', 'on-call'), 'connect'],
    ['as an account', account('ops:robot'), 'images'],
    ['by a system group that is named', person('kubernetes-admin', 'system:masters'), 'keep-identity'],
  ])('%s', (...[, requester, from, namespace = 'team-a']: Row) => {
    expect(isExempt(requester, from, namespace)).toBe(true);
  });
});
