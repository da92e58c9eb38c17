import { describe, expect, it } from '@jest/globals';
import { createDenyList, DEFAULT_DENIED_USERS, denyEntryProblem } from './deny-list.ts';

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
    ['alice', 'alice2'],
    ['alice', 'malice'],
  ])('%s does not deny %s', (entry, user) => {
    expect(denies(entry, user)).toBe(false);
  });

  it('does not backtrack on a hostile name', () => {
    expect(denies(`${'a*'.repeat(50)}b`, 'a'.repeat(255))).toBe(false);
  });

  it('denies the service users of a configuration, literally', () => {
    const denyUsers = createDenyList({ ownShortNames: [], serviceUsers: ['hdpsvc', '*'] });
    expect([denyUsers('HdpSvc'), denyUsers('alice')]).toEqual(['hdpsvc', undefined]);
  });

  it.each(['', '  '])('refuses the empty entry %j', (entry) => {
    expect(() => createDenyList({ ownShortNames: [], users: [entry] })).toThrow(/deny list/);
    expect(() => createDenyList({ ownShortNames: [entry] })).toThrow(/deny list/);
  });

  it.each([
    ['a principal', 'svc@EXAMPLE.COM', /without realm/],
    ['any principal of a name', 'svc@*', /without realm/],
    ['a service principal', 'nn/host.example.com@EXAMPLE.COM', /without realm/],
    ['a slash', 'nn/*', /without realm/],
    ['any characters of a regular expression', 'svc-.*', /globs, not regular expressions/],
    ['a regular expression in slashes', '/^svc/', /globs, not regular expressions/],
    ['anchors', '^svc$', /globs, not regular expressions/],
    ['a class', '[a-z]+', /globs, not regular expressions/],
    ['alternatives', 'alice|bob', /globs, not regular expressions/],
    ['a question mark', 'alic?', /globs, not regular expressions/],
    ['a parenthesis', '(', /globs, not regular expressions/],
    ['an escape', '\\w*', /globs, not regular expressions/],
    ['braces', 'svc{1,2}', /globs, not regular expressions/],
    ['two names', 'alice, bob', /globs, not regular expressions/],
    ['a dollar in the middle', 'a$b', /globs, not regular expressions/],
    ['a leading digit', '1a*', /globs, not regular expressions/],
    ['a Cyrillic look-alike', '\u0430lice', /globs, not regular expressions/],
  ])('refuses %s, which could match nobody, without its text', (_, entry, fix) => {
    expect(denyEntryProblem(entry)).toMatch(fix);
    expect(denyEntryProblem(entry)).not.toContain(entry.length > 1 ? entry : '((');
    expect(() => createDenyList({ ownShortNames: [], users: [entry] })).toThrow(fix);
  });
});
