import { describe, expect, it } from '@jest/globals';
import {
  addRevocation,
  combineRevocations,
  indexRevocations,
  pruneRevocations,
  removeRevocation,
  type Revocation,
  type RevocationsNow,
} from './revocations.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const POD = { namespace: 'team-a', name: 'job-1', uid: 'uid-1' };

const ofUser = (user: string, until?: number, reason = ''): Revocation => ({
  user,
  revokedAt: NOW,
  until,
  reason,
});
const ofPod = (pod = POD, until?: number): Revocation => ({ pod, revokedAt: NOW, until, reason: '' });

describe('indexRevocations', () => {
  it.each([
    ['for good', undefined, true],
    ['until later', NOW + 1, true],
    ['until now', NOW, false],
    ['until earlier', NOW - 1, false],
  ])('finds what is revoked %s: in force %s', (_, until, inForce) => {
    const index = indexRevocations([ofUser('alice', until), ofPod(POD, until)]);
    expect(index.ofUser('ALICE', NOW) !== undefined).toBe(inForce);
    expect(index.ofPod(POD, NOW) !== undefined).toBe(inForce);
  });

  it('counts a revocation that a clock ahead of ours has dated', () => {
    const index = indexRevocations([{ ...ofUser('alice'), revokedAt: NOW + 60_000 }]);
    expect(index.ofUser('alice', NOW)).toBeDefined();
  });

  it.each([
    [[ofUser('alice'), ofUser('Alice', NOW)]],
    [[ofUser('Alice', NOW), ofUser('alice')]],
    [[ofUser('alice', NOW - 1), ofUser('alice', NOW + 1), ofUser('alice', NOW)]],
  ])('lets the longest of several count: %j', (revocations) => {
    expect(indexRevocations(revocations).ofUser('alice', NOW)).toBeDefined();
  });

  it.each(['bob', 'constructor', '__proto__', 'team-a/job-1/uid-1', ''])('knows nothing of %j', (user) => {
    expect(indexRevocations([ofUser('alice'), ofPod()]).ofUser(user, NOW)).toBeUndefined();
  });

  it.each([
    { ...POD, namespace: 'team-b' },
    { ...POD, name: 'job-2' },
    { ...POD, uid: 'uid-2' },
    { namespace: 'alice', name: '', uid: '' },
  ])('knows nothing of the pod %j', (pod) => {
    expect(indexRevocations([ofUser('alice'), ofPod()]).ofPod(pod, NOW)).toBeUndefined();
  });
});

describe('addRevocation', () => {
  it('has one entry for each, whatever the case, with the newer words', () => {
    const added = addRevocation([ofUser('bob'), ofUser('Alice'), ofPod()], ofUser('alice', undefined, 'new'));
    expect(added).toEqual([ofUser('bob'), ofPod(), ofUser('alice', undefined, 'new')]);
    expect(addRevocation(added, ofPod())).toHaveLength(3);
  });

  it.each([
    [undefined, NOW + 1, undefined],
    [NOW + 2, NOW + 1, NOW + 2],
    [NOW + 1, NOW + 2, NOW + 2],
    [NOW + 1, undefined, undefined],
  ])('of %p and %p the later end counts: %p', (earlier, later, expected) => {
    expect(addRevocation([ofUser('alice', earlier)], ofUser('alice', later))).toEqual([
      ofUser('alice', expected),
    ]);
  });

  it('leaves the list it was given alone', () => {
    const list = Object.freeze([Object.freeze(ofUser('alice'))]);
    addRevocation(list, ofUser('alice', NOW + 1));
    expect(list).toEqual([ofUser('alice')]);
  });
});

describe('removeRevocation', () => {
  const list = [ofUser('alice'), ofUser('bob'), ofPod(), ofPod({ ...POD, uid: 'uid-2' })];

  it.each<[unknown, Parameters<typeof removeRevocation>[1], number[]]>([
    ['a user, whatever the case', { user: 'ALICE' }, [1, 2, 3]],
    ['a pod', { pod: POD }, [0, 1, 3]],
    ['every pod of a name', { pod: { namespace: 'team-a', name: 'job-1' } }, [0, 1]],
    ['nobody', { user: 'carol' }, [0, 1, 2, 3]],
    ['no pod of another namespace', { pod: { namespace: 'team-b', name: 'job-1' } }, [0, 1, 2, 3]],
  ])('takes back %s', (_, subject, left) => {
    expect(removeRevocation(list, subject)).toEqual(left.map((index) => list[index]));
  });
});

describe('pruneRevocations', () => {
  it('drops those whose time has passed, and no others', () => {
    const list = [ofUser('a'), ofUser('b', NOW + 1), ofUser('c', NOW), ofPod(POD, NOW - 1), ofPod()];
    expect(pruneRevocations(list, NOW)).toEqual([list[0], list[1], list[4]]);
  });
});

describe('combineRevocations', () => {
  const known = (...revocations: Revocation[]): RevocationsNow => ({ known: true, revocations });

  it.each<[string, RevocationsNow[], boolean, string[]]>([
    ['of no source', [], true, []],
    ['of two', [known(ofUser('a')), known(ofUser('b'))], true, ['a', 'b']],
    ['of one that is not known', [known(ofUser('a')), { known: false }], false, ['a']],
    [
      'of one that is known no more',
      [{ known: false, revocations: [ofUser('a')] }, known(ofUser('b'))],
      false,
      ['a', 'b'],
    ],
  ])('knows what is known %s', (_, sources, isKnown, users) => {
    const { known: both, revocations = [] } = combineRevocations(sources.map((each) => () => each))();
    expect(both).toBe(isKnown);
    expect(revocations.map((each) => ('user' in each ? each.user : ''))).toEqual(users);
  });

  it('gives the same array until a source changes', () => {
    let first = known(ofUser('a'));
    const second = known(ofUser('b'));
    const combined = combineRevocations([() => first, () => second]);
    const before = combined().revocations;
    expect(combined().revocations).toBe(before);
    first = known();
    expect(combined().revocations).toEqual([ofUser('b')]);
  });
});
