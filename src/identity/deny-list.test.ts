import { describe, expect, it } from '@jest/globals';
import { createDenyList, DEFAULT_DENIED_USERS } from './deny-list.ts';

const denies = (entry: string, user: string): boolean =>
  createDenyList({ ownShortNames: [], users: [entry] })(user) !== undefined;

describe('createDenyList', () => {
  it.each(DEFAULT_DENIED_USERS)('denies %s out of the box, in any case', (user) => {
    const denyUsers = createDenyList({ ownShortNames: [] });
    expect(denyUsers(user)).toBe(user);
    expect(denyUsers(user.toUpperCase())).toBe(user);
    expect(denyUsers(user.toLowerCase())).toBe(user);
  });

  it('names the superusers and proxy users of a usual cluster', () => {
    expect(DEFAULT_DENIED_USERS).toEqual(
      expect.arrayContaining(['hdfs', 'yarn', 'mapred', 'hive', 'hbase', 'HTTP', 'kms', 'root']),
    );
  });

  it('denies our own names', () => {
    const denyUsers = createDenyList({ ownShortNames: ['kerbridge', 'bridge2'] });
    expect([denyUsers('Kerbridge'), denyUsers('bridge2'), denyUsers('alice')]).toEqual([
      'kerbridge',
      'bridge2',
      undefined,
    ]);
  });

  it('keeps the defaults when users are configured', () => {
    expect(createDenyList({ ownShortNames: [], users: ['svc-*'] })('hdfs')).toBe('hdfs');
  });

  it.each([
    ['svc-*', 'svc-backup'],
    ['svc-*', 'svc-'],
    ['svc-*', 'SVC-Backup'],
    ['SVC-*', 'svc-backup'],
    ['*-admin', 'hr-admin'],
    ['*-admin', '-admin'],
    ['a*b*c', 'abc'],
    ['a*b*c', 'aXbYc'],
    ['a*bb*b', 'abbb'],
    ['*x*', 'x'],
    ['*', 'anybody'],
    ['a**b', 'ab'],
    ['host$', 'host$'],
    ['a.b', 'a.b'],
    [' alice ', 'alice'],
  ])('%s denies %s', (entry, user) => {
    expect(denies(entry, user)).toBe(true);
  });

  it.each([
    ['svc-*', 'svc'],
    ['svc-*', 'xsvc-backup'],
    ['*-admin', 'hr-admin2'],
    ['a*b*c', 'acb'],
    ['a*b*c', 'abcd'],
    ['ab*ba', 'aba'],
    ['a*bb*b', 'abb'],
    ['a.b', 'axb'],
    ['.*', 'alice'],
    ['[a-z]+', 'alice'],
    ['alice|bob', 'bob'],
    ['alic?', 'alice'],
    ['alice', 'alice2'],
    ['alice', 'malice'],
    ['(', 'alice'],
    ['\\w*', 'alice'],
  ])('%s does not deny %s', (entry, user) => {
    expect(denies(entry, user)).toBe(false);
  });

  it('does not backtrack on a hostile name', () => {
    expect(denies(`${'a*'.repeat(50)}b`, 'a'.repeat(255))).toBe(false);
  });

  it.each(['', '  '])('refuses the empty entry %j', (entry) => {
    expect(() => createDenyList({ ownShortNames: [], users: [entry] })).toThrow(/deny list/);
    expect(() => createDenyList({ ownShortNames: [entry] })).toThrow(/deny list/);
  });
});
