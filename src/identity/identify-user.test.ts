import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { signingKey } from '../../test/fixtures/stamps/keys.ts';
import { createDenyList } from './deny-list.ts';
import { createUserIdentifier, DEFAULT_ANNOTATION, type UserIdentifierOptions } from './identify-user.ts';
import type { StampedPod } from './identity-result.ts';
import { compileIdentityRules, type IdentityRulesDocument, NO_IDENTITY_RULES } from './identity-rules.ts';
import type { Revocation, RevocationsNow } from './revocations.ts';
import { signPodStamp } from './stamps/pod-stamp.ts';
import { POD_STAMP_ANNOTATION } from './stamps/stamp-annotations.ts';
import { createPublicKeys } from './stamps/stamp-keys.ts';

// A title ends with the checks without which the test fails.

const clock = new FakeClock();
const denyUsers = createDenyList({ ownShortNames: ['kerbridge'], users: ['svc-*'] });
const identifierWith = (options: Partial<UserIdentifierOptions> = {}) =>
  createUserIdentifier({
    denyUsers,
    rules: () => NO_IDENTITY_RULES,
    requireSignature: false,
    stampKeys: () => undefined,
    revocations: () => ({ known: true, revocations: [] }),
    clock,
    ...options,
  });
const identify = identifierWith();

const rulesWith = (document: Partial<IdentityRulesDocument>) => {
  const rules = compileIdentityRules({
    groups: new Map(),
    namespaces: [],
    otherNamespaces: 'any',
    doAs: [],
    denyUsers: [],
    ...document,
  });
  return () => rules;
};
/** Alice may be any account whose name starts with etl, hdfs included by mistake, but only in team-a. */
const headless = rulesWith({
  doAs: [{ users: ['etl*', 'h*'], by: ['alice', 'svc-1'], namespaces: ['team-a'] }],
});

const terms = { revokedAt: clock.now(), until: undefined, reason: 'left the company' };
const revoking =
  (...revocations: Revocation[]) =>
  (): RevocationsNow => ({ known: true, revocations });

const podOf = (annotations: Record<string, string>, namespace = 'team-a'): StampedPod => ({
  namespace,
  name: 'job-1',
  uid: 'uid-1',
  createdAt: clock.now(),
  annotations,
});
const stamped = (user: string, namespace?: string): StampedPod =>
  podOf({ [DEFAULT_ANNOTATION]: user }, namespace);
const inherited: Record<string, string> = {};
Object.setPrototypeOf(inherited, { [DEFAULT_ANNOTATION]: 'alice' });

const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;
const identified = (user: string, stampedUser = user) => ({ outcome: 'identified', stampedUser, user });

/** For a stamp or a `doAs`; with `etl` before them they are still none. */
const ODD_NAMES = [
  ' ',
  '@EXAMPLE.COM',
  '/nn',
  '/nn@EXAMPLE.COM',
  '\n',
  '\0',
  '\u001b[2K',
  '\u0430',
  '\uff41',
  '\u200b',
  '\u212a',
  ',hdfs',
  '&doas=hdfs',
  'x'.repeat(300),
];

describe('createUserIdentifier', () => {
  it.each([
    ['no annotation', podOf({})],
    ['an empty annotation', stamped('')],
    ['only other annotations', podOf({ 'iddecorator.username2': 'alice', username: 'alice' })],
    ['the annotation in another case', podOf({ 'iddecorator.Username': 'alice' })],
    ['an inherited annotation', podOf(inherited)],
  ])('refuses a pod with %s: no stamp [stamp-present]', (_, pod) => {
    expect(identify(pod, undefined)).toEqual(refused('no-stamp'));
  });

  it.each(['__proto__', 'constructor', 'toString'])(
    'finds no stamp in what every object has: %s [stamp-present]',
    (annotation) => {
      expect(identifierWith({ annotation })(podOf({}), undefined)).toEqual(refused('no-stamp'));
    },
  );

  const signing = { requireSignature: true, stampKeys: () => createPublicKeys([signingKey]) };
  const signedFor = (user: string, named = user): StampedPod => {
    const stamp = signPodStamp(
      {
        namespace: 'team-a',
        podName: 'job-1',
        user,
        requester: 'system:serviceaccount:hub:hub',
        issuedAtSeconds: Math.floor(clock.now() / 1000),
      },
      signingKey,
    );
    return podOf({ [DEFAULT_ANNOTATION]: named, [POD_STAMP_ANNOTATION]: stamp });
  };

  it('refuses a pod that nobody has signed for [stamp-signed] [stamp-believed]', () => {
    expect(identifierWith(signing)(stamped('alice'), undefined)).toEqual(refused('stamp-unsigned'));
  });

  it('refuses a pod whose annotation is not that of its stamp, before it looks at the name [stamp-user] [stamp-believed]', () => {
    expect(identifierWith(signing)(signedFor('alice', 'bob'), undefined)).toEqual(
      refused('stamp-user-differs'),
    );
    expect(identifierWith(signing)(signedFor('alice', 'a@b'), 'alice')).toEqual(
      refused('stamp-user-differs'),
    );
    // Also where an annotation alone would do.
    expect(
      identifierWith({ ...signing, requireSignature: false })(signedFor('alice', 'bob'), undefined),
    ).toEqual(refused('stamp-user-differs'));
  });

  it('refuses a signed pod without the annotation: the stamp alone names nobody [stamp-present]', () => {
    expect(identifierWith(signing)(signedFor('alice', ''), undefined)).toEqual(refused('no-stamp'));
  });

  it('says neither yes nor no without the keys of stamps [stamp-keys-known] [stamp-believed]', () => {
    const identifier = identifierWith({ ...signing, stampKeys: () => undefined });
    expect(identifier(signedFor('alice'), undefined)).toMatchObject({
      outcome: 'could-not-check',
      dependency: 'stamp-keys',
    });
  });

  it('judges whom a stamp names like everybody [user-grammar] [deny-list] [do-as-rule]', () => {
    const identifier = identifierWith(signing);
    expect(identifier(signedFor('a@b'), undefined)).toEqual(refused('user-name-invalid'));
    expect(identifier(signedFor('hdfs'), undefined)).toEqual(refused('user-denied'));
    expect(identifier(signedFor('alice'), 'bob')).toEqual(refused('do-as-not-allowed'));
  });

  it('identifies whom a stamp names, and who asked for the pod', () => {
    expect(identifierWith(signing)(signedFor('alice'), undefined)).toEqual({
      ...identified('alice'),
      requester: 'system:serviceaccount:hub:hub',
    });
  });

  it.each([' ', '..', '-', '1', '\u0430lice', ...ODD_NAMES.map((odd) => `alice${odd}`)])(
    'refuses the name %j [user-grammar]',
    (user) => {
      expect(identify(stamped(user), undefined)).toEqual(refused('user-name-invalid'));
    },
  );

  it('shows no more than the start of an odd name, escaped [user-grammar]', () => {
    const result = identify(stamped(`a\n${'x'.repeat(10_000)}`), undefined);
    expect(result).toEqual(expect.objectContaining({ detail: `"a\\n${'x'.repeat(62)}"` }));
  });

  // Slow only for a name that no probe can guess.
  const userPattern = '[a-z_]+|(?=Q[z]K)(?:[A-Za-z]+[^a]?)+x';
  const slowName = `QzK${'b'.repeat(60)}-`;
  const undecided = {
    outcome: 'could-not-check',
    dependency: 'user-pattern',
    detail: expect.stringContaining('identity.userPattern took too long') as unknown,
  };

  it('says neither yes nor no when the pattern took too long [user-grammar]', () => {
    expect(identifierWith({ userPattern })(stamped(slowName), undefined)).toEqual(undecided);
  });

  it('says neither yes nor no when the pattern took too long for doAs [do-as-grammar]', () => {
    const rules = rulesWith({ doAs: [{ users: ['Q*'], by: ['alice'], namespaces: undefined }] });
    expect(identifierWith({ userPattern, rules })(stamped('alice'), slowName)).toEqual(undecided);
  });

  const teamA = rulesWith({
    namespaces: [{ namespaces: ['team-a'], users: ['alice'] }],
    otherNamespaces: 'none',
    doAs: [{ users: ['etl_prod'], by: ['*'], namespaces: undefined }],
  });
  it.each([
    ['bob', 'team-a', undefined],
    ['Alice', 'team-a', undefined],
    ['alice', 'team-b', undefined],
    ['alice', 'constructor', undefined],
    ['alice', '__proto__', undefined],
    ['__proto__', 'team-a', undefined],
    // The rule is about who is stamped: what may be asked for doesn't widen it.
    ['bob', 'team-a', 'alice'],
    ['bob', 'team-a', 'etl_prod'],
  ])(
    'refuses %s in %s (doAs %j): outside the rule of the namespace [namespace-rule]',
    (user, namespace, doAs) => {
      expect(identifierWith({ rules: teamA })(stamped(user, namespace), doAs)).toEqual({
        outcome: 'refused',
        reason: 'user-outside-namespace-rule',
        detail: `${user} in ${namespace}`,
      });
    },
  );

  it('lets doAs go where the rule of the namespace lets nobody be stamped', () => {
    expect(identifierWith({ rules: teamA })(stamped('alice'), 'etl_prod')).toEqual(
      identified('etl_prod', 'alice'),
    );
  });

  it('takes new rules at once [namespace-rule]', () => {
    let rules = rulesWith({ otherNamespaces: 'none' });
    const following = identifierWith({ rules: () => rules() });
    expect(following(stamped('alice'), undefined)).toEqual(refused('user-outside-namespace-rule'));
    rules = rulesWith({});
    expect(following(stamped('alice'), undefined)).toEqual(identified('alice'));
  });

  it.each(['bob', 'hdfs', 'Alice', '', '__proto__', 'constructor', ...ODD_NAMES.map((odd) => `alice${odd}`)])(
    'does not let alice be %j without a rule [do-as-rule]',
    (doAs) => {
      expect(identify(stamped('alice'), doAs)).toEqual(refused('do-as-not-allowed'));
    },
  );

  it.each([
    ['bob', 'team-a', 'etl_prod'],
    ['alice', 'team-b', 'etl_prod'],
    ['alice', 'team-a', 'bob'],
    ['alice', 'team-a', 'ETL_prod'],
    ['ALICE', 'team-a', 'etl_prod'],
    ['etl_prod', 'team-a', 'alice'],
    ['__proto__', 'team-a', 'etl_prod'],
  ])('does not let %s in %s be %s with a rule for others [do-as-rule]', (user, namespace, doAs) => {
    expect(identifierWith({ rules: headless })(stamped(user, namespace), doAs)).toEqual({
      outcome: 'refused',
      reason: 'do-as-not-allowed',
      detail: `"${doAs}" by ${user} in ${namespace}`,
    });
  });

  it.each(ODD_NAMES.map((odd) => `etl${odd}`))(
    'does not let alice be %j, whatever a rule allows [do-as-grammar]',
    (doAs) => {
      expect(identifierWith({ rules: headless })(stamped('alice'), doAs)).toEqual(
        refused('user-name-invalid'),
      );
    },
  );

  it.each(['hdfs', 'HDFS', 'Hive', 'http', 'root', 'kerbridge', 'KERBRIDGE', 'svc-backup', 'SVC-x'])(
    'denies %s [deny-list]',
    (user) => {
      expect(identify(stamped(user), undefined)).toEqual(refused('user-denied'));
      expect(identify(stamped(user), user)).toEqual(refused('user-denied'));
    },
  );

  it.each(['hdfs', 'hDFS', 'hive'])('denies %s to alice, who may be it by a rule [deny-list]', (doAs) => {
    expect(identifierWith({ rules: headless })(stamped('alice'), doAs)).toEqual(refused('user-denied'));
  });

  it('lets nobody who is denied escape by doAs [deny-list]', () => {
    expect(identifierWith({ rules: headless })(stamped('svc-1'), 'etl_prod')).toEqual({
      outcome: 'refused',
      reason: 'user-denied',
      detail: 'svc-1 (svc-*)',
    });
  });

  it.each(['bob', 'BOB', 'bob2'])('denies %s by the rules [deny-list]', (user) => {
    const rules = rulesWith({ denyUsers: ['Bob*'] });
    expect(identifierWith({ rules })(stamped(user), undefined)).toEqual({
      outcome: 'refused',
      reason: 'user-denied',
      detail: `${user} (Bob*)`,
    });
  });

  it.each(['alice', 'ALICE', 'Alice'])('refuses alice, revoked as %s [user-revoked]', (user) => {
    const identifier = identifierWith({ revocations: revoking({ user, ...terms }), rules: headless });
    expect(identifier(stamped('alice'), undefined)).toEqual({
      outcome: 'refused',
      reason: 'user-revoked',
      detail: 'alice',
    });
    // Nor does she escape by asking to be another.
    expect(identifier(stamped('alice'), 'etl_prod')).toEqual(refused('user-revoked'));
  });

  it('lets nobody be a revoked user by doAs [user-revoked]', () => {
    const revocations = revoking({ user: 'etl_prod', ...terms });
    expect(identifierWith({ revocations, rules: headless })(stamped('alice'), 'etl_prod')).toEqual({
      outcome: 'refused',
      reason: 'user-revoked',
      detail: 'etl_prod',
    });
  });

  it('takes new revocations at once, and ends them in time [user-revoked]', async () => {
    const ownClock = new FakeClock();
    let revocations: RevocationsNow = { known: true, revocations: [] };
    const following = identifierWith({ revocations: () => revocations, clock: ownClock });
    expect(following(stamped('alice'), undefined)).toEqual(identified('alice'));
    const until = ownClock.now() + 1_000;
    revocations = { known: true, revocations: [{ user: 'alice', ...terms, until }] };
    expect(following(stamped('alice'), undefined)).toEqual(refused('user-revoked'));
    await ownClock.advance(999);
    expect(following(stamped('alice'), undefined)).toEqual(refused('user-revoked'));
    await ownClock.advance(1);
    expect(following(stamped('alice'), undefined)).toEqual(identified('alice'));
  });

  const revokedPod = { namespace: 'team-a', name: 'job-1', uid: 'uid-1' };
  it.each([undefined, 'etl_prod'])('refuses a revoked pod (doAs %j) [pod-revoked]', (doAs) => {
    const revocations = revoking({ pod: revokedPod, ...terms });
    expect(identifierWith({ revocations, rules: headless })(stamped('alice'), doAs)).toEqual({
      outcome: 'refused',
      reason: 'pod-revoked',
      detail: 'team-a/job-1 uid-1',
    });
  });

  it.each([
    ['another user', { user: 'alice2', ...terms }],
    ['another namespace', { pod: { ...revokedPod, namespace: 'team-b' }, ...terms }],
    ['another pod', { pod: { ...revokedPod, name: 'job-2' }, ...terms }],
    ['the pod that had the name before', { pod: { ...revokedPod, uid: 'uid-0' }, ...terms }],
    ['the user, until now', { user: 'alice', ...terms, until: clock.now() }],
    ['the pod, until now', { pod: revokedPod, ...terms, until: clock.now() }],
  ])('is not concerned with a revocation of %s', (_, revocation) => {
    expect(identifierWith({ revocations: revoking(revocation) })(stamped('alice'), undefined)).toEqual(
      identified('alice'),
    );
  });

  it.each([undefined, 'alice'])(
    'says neither yes nor no while revocations are unknown (doAs %j) [revocations-known]',
    (doAs) => {
      const identifier = identifierWith({ revocations: () => ({ known: false, why: 'not reached' }) });
      expect(identifier(stamped('alice'), doAs)).toEqual({
        outcome: 'could-not-check',
        dependency: 'revocations',
        detail: 'not reached',
      });
    },
  );

  it.each<[string, StampedPod, string | undefined, string]>([
    ['stamp-present', podOf({}), undefined, 'no-stamp'],
    ['user-grammar', stamped('a@b'), undefined, 'user-name-invalid'],
    ['namespace-rule', stamped('alice', 'team-c'), undefined, 'user-outside-namespace-rule'],
    ['do-as-rule', stamped('alice'), 'bob', 'do-as-not-allowed'],
    ['do-as-grammar', stamped('alice'), 'etl@b', 'user-name-invalid'],
    ['deny-list', stamped('svc-1'), undefined, 'user-denied'],
    ['user-revoked', stamped('carol'), undefined, 'user-revoked'],
    ['pod-revoked', { ...stamped('alice'), uid: 'uid-9' }, undefined, 'pod-revoked'],
  ])('refuses what is refused anyway while revocations are unknown [%s]', (_, pod, doAs, reason) => {
    const identifier = identifierWith({
      rules: rulesWith({
        namespaces: [{ namespaces: ['team-c'], users: [] }],
        doAs: [{ users: ['etl*'], by: ['alice'], namespaces: undefined }],
      }),
      revocations: () => ({
        known: false,
        revocations: [
          { user: 'carol', ...terms },
          { pod: { ...revokedPod, uid: 'uid-9' }, ...terms },
        ],
      }),
    });
    expect(identifier(pod, doAs)).toEqual(refused(reason));
  });

  it.each([
    [undefined, 'alice'],
    ['alice', 'alice'],
    ['etl_prod', 'etl_prod'],
  ])('identifies alice (doAs %j) as %s', (doAs, user) => {
    expect(identifierWith({ rules: headless })(stamped('alice'), doAs)).toEqual(identified(user, 'alice'));
  });

  it.each(['__proto__', 'constructor', 'hasOwnProperty'])('has nothing against the name %s', (user) => {
    const identifier = identifierWith({
      rules: rulesWith({ namespaces: [{ namespaces: [user], users: [user] }], otherNamespaces: 'none' }),
    });
    expect(identifier(stamped(user, user), undefined)).toEqual(identified(user));
  });

  it('takes another annotation and pattern [stamp-present] [user-grammar]', () => {
    const custom = identifierWith({ annotation: 'example.com/user', userPattern: 'u[0-9]+' });
    expect(custom(podOf({ 'example.com/user': 'u4711' }), undefined)).toEqual(identified('u4711'));
    expect(custom(podOf({ 'example.com/user': 'alice' }), undefined)).toEqual(refused('user-name-invalid'));
    expect(custom(stamped('u4711'), undefined)).toEqual(refused('no-stamp'));
  });

  it('does not accept an empty annotation key in its configuration', () => {
    expect(() => identifierWith({ annotation: '' })).toThrow(/annotation/);
  });

  it('identifies only a valid, undenied name, and only the stamped one [user-grammar] [do-as-rule] [deny-list]', () => {
    const names = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('alice', 'bob', 'carol', 'hdfs', 'HdFs', 'svc-1', 'a b'),
    );
    fc.assert(
      fc.property(names, fc.option(names, { nil: undefined }), (user, doAs) => {
        const result = identify(stamped(user), doAs);
        if (result.outcome !== 'identified') return;
        expect(result.user).toBe(user);
        expect(doAs ?? user).toBe(user);
        expect(result.user).toMatch(/^[A-Za-z_][\w.-]*\$?$/);
        expect(denyUsers(result.user)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});
