import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createDenyList } from './deny-list.ts';
import { createUserIdentifier, DEFAULT_ANNOTATION } from './identify-user.ts';
import type { StampedPod } from './identity-result.ts';

const denyUsers = createDenyList({ ownShortNames: ['kerbridge'], users: ['svc-*'] });
const identify = createUserIdentifier({ denyUsers });

const podOf = (annotations: Record<string, string>): StampedPod => ({
  namespace: 'team-a',
  name: 'job-1',
  annotations,
});
const stamped = (user: string): StampedPod => podOf({ [DEFAULT_ANNOTATION]: user });
const inherited: Record<string, string> = {};
Object.setPrototypeOf(inherited, { [DEFAULT_ANNOTATION]: 'alice' });

const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;

describe('createUserIdentifier', () => {
  it.each([
    ['no annotation', podOf({})],
    ['an empty annotation', stamped('')],
    ['only other annotations', podOf({ 'iddecorator.username2': 'alice', username: 'alice' })],
    ['the annotation in another case', podOf({ 'iddecorator.Username': 'alice' })],
    ['an inherited annotation', podOf(inherited)],
  ])('refuses a pod with %s: no stamp', (_, pod) => {
    expect(identify(pod, undefined)).toEqual(refused('no-stamp'));
  });

  it.each([
    ' ',
    'alice ',
    'alice\n',
    'alice@EXAMPLE.COM',
    'hdfs/nn@X',
    '\u0430',
    '..',
    'alice,hdfs',
    'a'.repeat(256),
  ])('refuses the name %j', (user) => {
    expect(identify(stamped(user), undefined)).toEqual(refused('user-name-invalid'));
  });

  it.each(['hdfs', 'HDFS', 'Hive', 'http', 'root', 'kerbridge', 'KERBRIDGE', 'svc-backup', 'SVC-x'])(
    'denies %s',
    (user) => {
      expect(identify(stamped(user), undefined)).toEqual(refused('user-denied'));
      expect(identify(stamped(user), user)).toEqual(refused('user-denied'));
    },
  );

  it.each(['bob', 'hdfs', 'Alice', 'alice ', ''])('does not let alice be %j', (doAs) => {
    expect(identify(stamped('alice'), doAs)).toEqual(refused('do-as-not-allowed'));
  });

  it.each([undefined, 'alice'])('identifies alice (doAs %j)', (doAs) => {
    expect(identify(stamped('alice'), doAs)).toEqual({ outcome: 'identified', user: 'alice' });
  });

  it('takes another annotation and pattern', () => {
    const custom = createUserIdentifier({
      annotation: 'example.com/user',
      userPattern: 'u[0-9]+',
      denyUsers,
    });
    expect(custom(podOf({ 'example.com/user': 'u4711' }), undefined)).toEqual({
      outcome: 'identified',
      user: 'u4711',
    });
    expect(custom(podOf({ 'example.com/user': 'alice' }), undefined)).toEqual(refused('user-name-invalid'));
    expect(custom(stamped('u4711'), undefined)).toEqual(refused('no-stamp'));
  });

  it('says in the log when the pattern took too long', () => {
    // Slow only for a name that no probe can guess.
    const slow = createUserIdentifier({ userPattern: '[a-z]+|(?=Q[z]K)(?:[A-Za-z]+[^a]?)+x', denyUsers });
    const user = `QzK${'b'.repeat(60)}-`;
    expect(slow(stamped(user), undefined)).toEqual({
      outcome: 'refused',
      reason: 'user-name-invalid',
      detail: expect.stringContaining('identity.userPattern took too long'),
    });
    expect(slow(stamped('alice'), undefined)).toEqual({ outcome: 'identified', user: 'alice' });
  });

  it('does not accept an empty annotation key in its configuration', () => {
    expect(() => createUserIdentifier({ annotation: '', denyUsers })).toThrow(/annotation/);
  });

  it('identifies only a valid, undenied name, and only the stamped one', () => {
    const names = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('alice', 'hdfs', 'HdFs', 'svc-1', 'a b'),
    );
    fc.assert(
      fc.property(names, fc.option(names, { nil: undefined }), (user, doAs) => {
        const result = identify(stamped(user), doAs);
        if (result.outcome === 'refused') return;
        expect(result.user).toBe(user);
        expect(doAs ?? user).toBe(user);
        expect(result.user).toMatch(/^[A-Za-z_][\w.-]*\$?$/);
        expect(denyUsers(result.user)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});
