import { describe, expect, it } from '@jest/globals';
import {
  account,
  accountInPod,
  person,
  requesterWorld,
  stampedPod,
} from '../../../test/fakes/requester-world.ts';
import { compileIdentityRules } from '../../identity/identity-rules.ts';
import { compileUserPattern } from '../../identity/user-name.ts';
import type { Requester } from './requester.ts';

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id';
const controller = (name: string): string => `kube-system:${name}-controller`;
const impersonated = (name: string): Requester => ({ username: `system:serviceaccount:${name}`, groups: [] });

const map = requesterWorld({
  requesters: {
    groups: new Map([['analysts', ['carol', 'dave']]]),
    trustedControllers: [
      'builtin',
      'system:serviceaccount:spark:operator',
      'system:kube-controller-manager-x',
    ],
    delegates: [
      {
        account: 'system:serviceaccount:hub:hub',
        users: ['alice', 'svc_*', 'group:analysts', 'hdfs'],
        namespaces: ['team-*'],
        withoutUser: 'refuse',
      },
      {
        account: 'system:serviceaccount:hub:hub',
        users: ['*'],
        namespaces: ['hub-*'],
        withoutUser: 'refuse',
      },
      { account: 'gitops', users: ['etl'], namespaces: ['*'], withoutUser: 'as-others' },
    ],
    rules: [
      {
        usernames: ['*@evil.example.com', 'mallory*'],
        groups: undefined,
        namespaces: undefined,
        result: 'refuse',
      },
      { usernames: undefined, groups: ['contractors'], namespaces: ['team-*'], result: 'refuse' },
      ...[
        { usernames: ['*@example.com'], user: '$1' },
        { usernames: ['*@low.example.com'], user: '$1', lowerCase: true },
        { usernames: ['*@*.two.example.com'], user: '$2_$1' },
        { usernames: ['any-*-*'], user: 'any' },
        { usernames: ['oidc:*'], groups: ['hadoop', 'team-*'], user: '$1' },
        { usernames: ['bob'], namespaces: ['batch'], user: 'svc_batch' },
        { usernames: ['system:serviceaccount:ci:runner'], user: 'ci' },
        { usernames: ['system:node:*', 'system:kube-*'], user: 'nodes' },
        { usernames: ['to-superuser'], user: 'hdfs' },
        { usernames: undefined, groups: ['everybody-here', 'system:serviceaccounts:*'], user: 'guest' },
      ].map(({ user, lowerCase = false, ...rule }) => ({
        groups: undefined,
        namespaces: undefined,
        ...rule,
        result: { user, lowerCase },
      })),
    ],
  },
  pods: [
    stampedPod('driver', 'alice'),
    stampedPod('hdfs-driver', 'hdfs'),
    stampedPod('x-driver', 'x y'),
    stampedPod('other-account', 'alice', { serviceAccount: 'spark' }),
    stampedPod('succeeded', 'alice', { phase: 'Succeeded' }),
    stampedPod('failed', 'alice', { phase: 'Failed' }),
    stampedPod('terminating', 'alice', { deletionTimestamp: 8e15 }),
    stampedPod('unstamped', 'alice', { annotations: { 'iddecorator.username': 'alice' } }),
    stampedPod('runner', 'bob', { namespace: 'ci', serviceAccount: 'runner' }),
    stampedPod('foreign', 'bob', { namespace: 'team-b' }),
  ],
});

/** To be taken as rest parameters: jest would give `done` for the ones that are left out. */
type Row = readonly [
  title: string,
  requester: Requester,
  outcome: string,
  namespace?: string,
  namedUser?: string,
];

describe('a requester', () => {
  it.each<Row>([
    ['without a name [requester-name]', person(''), 'requester-malformed'],
    [
      'with an endless name [requester-name]',
      person(`oidc:${'a'.repeat(1_020)}`, 'hadoop'),
      'requester-malformed',
    ],

    [
      'that is an impersonated account [requester-account-proven]',
      impersonated('team-a:default'),
      'service-account-unproven',
    ],
    [
      'that is an impersonated controller [requester-account-proven]',
      impersonated(controller('job')),
      'service-account-unproven',
    ],
    [
      'that is an impersonated delegate [requester-account-proven]',
      impersonated('hub:hub'),
      'service-account-unproven',
      'team-a',
      'alice',
    ],
    [
      'that is an impersonated account with a rule [requester-account-proven]',
      impersonated('ci:runner'),
      'service-account-unproven',
    ],
    [
      'that is an account without UID [requester-account-uid] [requester-account-proven]',
      { ...account('ci:runner'), uid: '' },
      'service-account-unproven',
    ],
    [
      'that is an account with forged extras alone [requester-account-uid] [requester-account-proven]',
      { ...accountInPod('team-a:default', 'driver'), uid: undefined },
      'service-account-unproven',
    ],
    [
      'that is a controller of a legacy Secret [requester-account-credential] [requester-account-proven]',
      { ...account(controller('job')), extra: {} },
      'service-account-unproven',
    ],
    [
      'that is a delegate of a legacy Secret [requester-account-credential] [requester-account-proven]',
      { ...account('hub:hub'), extra: undefined },
      'service-account-unproven',
      'team-a',
      'alice',
    ],
    [
      'whose credential-id is of a certificate [requester-account-credential] [requester-account-proven]',
      account('ci:runner', { [CREDENTIAL_ID]: ['X509SHA256=00'] }),
      'service-account-unproven',
    ],
    [
      'with two credential-ids [requester-account-credential] [requester-account-proven]',
      account('ci:runner', { [CREDENTIAL_ID]: ['JTI=1', 'JTI=2'] }),
      'service-account-unproven',
    ],
    [
      'with an account name of too many parts [requester-account-name] [requester-account-proven]',
      account('ci:runner:x'),
      'service-account-unproven',
    ],
    [
      'with an account name in capitals [requester-account-name] [requester-account-proven]',
      account('ci:Runner'),
      'service-account-unproven',
    ],

    [
      'that is the controller manager as a whole [requester-system-name]',
      person('system:kube-controller-manager'),
      'system-requester',
    ],
    [
      'that is a node, though a rule names it [requester-system-name]',
      person('system:node:n1', 'system:nodes'),
      'system-requester',
    ],
    [
      'that is anonymous [requester-system-name]',
      person('system:anonymous', 'everybody-here'),
      'system-requester',
    ],
    [
      'that is the API server [requester-system-name]',
      person('system:apiserver', 'system:masters'),
      'system-requester',
    ],
    [
      'that is nearly a service account [requester-system-name]',
      person('system:serviceaccounts:ci:runner'),
      'system-requester',
    ],
    [
      'that is another account of kube-system [requester-no-account]',
      account('kube-system:generic-garbage-collector'),
      'service-account-not-mapped',
    ],
    [
      'that is a controller of its name in another namespace [requester-no-account]',
      account('team-a:job-controller'),
      'service-account-not-mapped',
    ],
    ['named like the controllers together', person('builtin'), 'user builtin'],

    [
      'that is a delegate naming somebody else [delegate-user]',
      account('hub:hub'),
      'delegate-may-not-name-user',
      'team-a',
      'bob',
    ],
    [
      'that is a delegate naming with other case [delegate-user]',
      account('hub:hub'),
      'delegate-may-not-name-user',
      'team-a',
      'Alice',
    ],
    [
      'that is a delegate naming a group [delegate-user]',
      account('hub:hub'),
      'delegate-may-not-name-user',
      'team-a',
      'group:analysts',
    ],
    [
      'that is a delegate whose other entry allows it [delegate-user]',
      account('hub:hub'),
      'delegate-may-not-name-user',
      'team-a',
      'erin',
    ],
    [
      'that is a delegate naming nobody [delegate-names-somebody]',
      account('hub:hub'),
      'delegate-names-nobody',
    ],
    [
      'that is a delegate elsewhere [delegate-namespace]',
      account('hub:hub'),
      'delegate-not-in-namespace',
      'other',
      'alice',
    ],
    [
      'that is a delegate naming a superuser [requester-deny-list]',
      account('hub:hub'),
      'user-denied',
      'team-a',
      'hdfs',
    ],
    [
      'that is a delegate naming the empty user [requester-user-grammar]',
      account('hub:hub'),
      'user-name-invalid',
      'hub-1',
      '',
    ],
    [
      'that is a delegate naming a principal [requester-user-grammar]',
      account('hub:hub'),
      'user-name-invalid',
      'hub-1',
      'alice@REALM',
    ],
    [
      'that is a delegate naming a controller [requester-user-grammar]',
      account('hub:hub'),
      'user-name-invalid',
      'hub-1',
      `system:serviceaccount:${controller('job')}`,
    ],
    ['that is no delegate naming a user', person('bob'), 'user bob', 'team-a', 'alice'],
    [
      'that is a person named like a delegate [requester-plain-name]',
      person('hub:hub'),
      'requester-not-mapped',
      'team-a',
      'alice',
    ],

    [
      'in a pod, of another namespace [creator-pod-namespace] [requester-no-account]',
      accountInPod('team-b:default', 'foreign'),
      'service-account-not-mapped',
    ],
    [
      'in a pod that is gone [creator-pod-found]',
      accountInPod('team-a:default', 'gone'),
      'creator-pod-not-found',
    ],
    [
      'in a pod that was replaced [creator-pod-uid]',
      accountInPod('team-a:default', 'driver', 'uid-of-the-one-before'),
      'creator-pod-uid-differs',
    ],
    [
      'in a pod of another account [creator-pod-account]',
      accountInPod('team-a:default', 'other-account'),
      'creator-pod-service-account-differs',
    ],
    [
      'in a pod that succeeded [creator-pod-finished]',
      accountInPod('team-a:default', 'succeeded'),
      'creator-pod-finished',
    ],
    [
      'in a pod that failed [creator-pod-finished]',
      accountInPod('team-a:default', 'failed'),
      'creator-pod-finished',
    ],
    [
      'in a pod that terminates [creator-pod-terminating]',
      accountInPod('team-a:default', 'terminating'),
      'creator-pod-terminating',
    ],
    [
      'in a pod that only has the annotation [creator-pod-stamp]',
      accountInPod('team-a:default', 'unstamped'),
      'creator-pod-not-stamped',
    ],
    [
      'in a pod of a superuser [requester-deny-list]',
      accountInPod('team-a:default', 'hdfs-driver'),
      'user-denied',
    ],
    [
      'in a pod of no user name [requester-user-grammar]',
      accountInPod('team-a:default', 'x-driver'),
      'user-name-invalid',
    ],
    [
      'in an unstamped pod, also if a rule would fit [creator-pod-found]',
      accountInPod('ci:runner', 'gone'),
      'creator-pod-not-found',
      'ci',
    ],
    [
      'in a pod without a name [creator-pod-claim] [creator-pod-name]',
      account('team-a:default', { [POD_UID]: ['uid-of-driver'] }),
      'creator-pod-malformed',
    ],
    [
      'in a pod of two names [creator-pod-claim] [creator-pod-name]',
      account('team-a:default', { [POD_NAME]: ['driver', 'gone'], [POD_UID]: ['uid-of-driver'] }),
      'creator-pod-malformed',
    ],
    [
      'in a pod with a path for a name [creator-pod-claim] [creator-pod-name]',
      accountInPod('team-a:default', '../../team-b/pods/foreign'),
      'creator-pod-malformed',
    ],
    [
      'in a pod without UID [creator-pod-claim] [creator-pod-uid-known]',
      account('team-a:default', { [POD_NAME]: ['driver'] }),
      'creator-pod-malformed',
    ],
    [
      'in a pod of two UIDs [creator-pod-claim] [creator-pod-uid-known]',
      account('team-a:default', { [POD_NAME]: ['driver'], [POD_UID]: ['uid-of-driver', 'x'] }),
      'creator-pod-malformed',
    ],
    [
      'in a pod, of no account [creator-pod-claim] [creator-pod-has-account]',
      { ...person('alice'), extra: accountInPod('team-a:default', 'driver').extra },
      'creator-pod-malformed',
    ],

    ['that a rule refuses [requester-rule-refuses]', person('mallory2'), 'rule-refuses'],
    ['that a rule refuses in other case [requester-rule-refuses]', person('MALLORY2'), 'rule-refuses'],
    [
      'that a later rule would map [requester-rule-refuses]',
      person('oidc:alice', 'hadoop', 'contractors'),
      'rule-refuses',
    ],
    [
      'that is refused by its domain [requester-rule-refuses]',
      person('Alice@Evil.Example.com'),
      'rule-refuses',
    ],
    [
      'that a rule fits in two ways [requester-rule-unambiguous]',
      person('hdfs@a.two.example.com@b.two.example.com'),
      'rule-ambiguous',
    ],
    [
      'with a longer domain [requester-plain-name]',
      person('alice@example.com.evil.org'),
      'requester-not-mapped',
    ],
    [
      'with a domain in other case [requester-plain-name]',
      person('alice@EXAMPLE.COM'),
      'requester-not-mapped',
    ],
    [
      'with a rule for a group it lacks [requester-plain-name]',
      person('oidc:alice', 'hadoop-x', 'system:masters'),
      'requester-not-mapped',
    ],
    [
      'with an address that no rule fits [requester-plain-name]',
      person('alice@elsewhere.org'),
      'requester-not-mapped',
    ],
    ['with a colon [requester-plain-name]', person('ldap:alice'), 'requester-not-mapped'],
    ['with a look-alike [requester-plain-name]', person('аlice'), 'requester-not-mapped'],
    [
      'with a name of full-width letters [requester-plain-name]',
      person('ａｌｉｃｅ'),
      'requester-not-mapped',
    ],
    ['with a line break [requester-plain-name]', person('alice\n'), 'requester-not-mapped'],
    ['with a null character [requester-plain-name]', person('alice\0'), 'requester-not-mapped'],
    ['mapped to a path [requester-user-grammar]', person('../x@example.com'), 'user-name-invalid'],
    ['mapped to a principal [requester-user-grammar]', person('alice@X@example.com'), 'user-name-invalid'],
    ['mapped to a look-alike [requester-user-grammar]', person('аlice@example.com'), 'user-name-invalid'],
    [
      'mapped to a Kelvin sign in lower case [requester-user-grammar]',
      person('mi\u212Ae@low.example.com'),
      'user-name-invalid',
    ],
    [
      'mapped to a dotted I in lower case [requester-user-grammar]',
      person('\u0130van@low.example.com'),
      'user-name-invalid',
    ],
    [
      'mapped to a name too long [requester-user-grammar]',
      person(`${'a'.repeat(256)}@example.com`),
      'user-name-invalid',
    ],
    ['mapped to a superuser [requester-deny-list]', person('hdfs@example.com'), 'user-denied'],
    ['mapped to a superuser in other case [requester-deny-list]', person('HDFS@example.com'), 'user-denied'],
    [
      'mapped to a superuser by lower case [requester-deny-list]',
      person('HDFS@low.example.com'),
      'user-denied',
    ],
    ['mapped to a superuser by name [requester-deny-list]', person('to-superuser'), 'user-denied'],
    ['named like a superuser [requester-deny-list]', person('Yarn'), 'user-denied'],
    ['named like Kerbridge [requester-deny-list]', person('kerbridge'), 'user-denied'],
    [
      'that is an account of which a group alone is in a rule [requester-no-account]',
      account('ops:robot'),
      'service-account-not-mapped',
    ],
    [
      'that is another account of the same namespace [requester-no-account]',
      account('ci:runner2'),
      'service-account-not-mapped',
    ],
  ])('%s', async (...[, requester, expected, namespace, namedUser]: Row) => {
    const result = await map(requester, namespace, namedUser);
    if (expected.startsWith('user ')) {
      expect(result).toMatchObject({ outcome: 'user', user: expected.slice('user '.length) });
    } else {
      expect(result).toMatchObject({ outcome: 'refused', reason: expected });
    }
  });

  it.each<Row>([
    ['a built-in controller', account(controller('replicaset')), 'trusted-controller'],
    ['the controller of daemon sets', account(controller('daemon-set')), 'trusted-controller'],
    [
      'a controller that is named',
      accountInPod('spark:operator', 'operator-0'),
      'trusted-controller',
      'other',
    ],
    ['a controller that is no account', person('system:kube-controller-manager-x'), 'trusted-controller'],
    ['a delegate naming a user', account('hub:hub'), 'delegate alice', 'team-a', 'alice'],
    ['a delegate naming a user by a glob', account('hub:hub'), 'delegate svc_1', 'team-a', 'svc_1'],
    [
      'a delegate naming a member of a group',
      accountInPod('hub:hub', 'hub-0'),
      'delegate dave',
      'team-b',
      'dave',
    ],
    ['a delegate by its other entry', account('hub:hub'), 'delegate erin', 'hub-1', 'erin'],
    ['a person who is a delegate', person('gitops'), 'delegate etl', 'batch', 'etl'],
    ['a delegate as one of the others', person('gitops'), 'itself gitops', 'batch'],
    ['a pod that makes another', accountInPod('team-a:default', 'driver'), 'creator-pod alice'],
    [
      'a pod that claims another user',
      accountInPod('team-a:default', 'driver'),
      'creator-pod alice',
      'team-a',
      'bob',
    ],
    [
      'a pod of an account that a rule names, at home',
      accountInPod('ci:runner', 'runner'),
      'creator-pod bob',
      'ci',
    ],
    // Without the check the pod would be asked for, and that it is bob's would count.
    ['that account elsewhere [creator-pod-namespace]', accountInPod('ci:runner', 'runner'), 'rule ci'],
    ['an address', person('alice@example.com'), 'rule alice'],
    ['an address of mixed case', person('Alice@example.com'), 'rule Alice'],
    ['an address whose rule says lower case', person('ALICE@low.example.com'), 'rule alice'],
    ['a name with two captures', person('alice@a.two.example.com'), 'rule a_alice'],
    ['an ambiguous name whose parts do not count', person('any-1-2-3'), 'rule any'],
    ['a name and a group', person('oidc:alice', 'hadoop'), 'rule alice'],
    ['a name and a group by a glob', person('oidc:alice', 'team-x'), 'rule alice'],
    ['a group alone', person('x y', 'everybody-here'), 'rule guest'],
    ['a contractor elsewhere', person('oidc:alice', 'hadoop', 'contractors'), 'rule alice', 'batch'],
    ['somebody whose rule is for this namespace', person('bob'), 'rule svc_batch', 'batch'],
    ['somebody whose rule is for another', person('bob'), 'itself bob'],
    ['somebody who names another', person('bob'), 'itself bob', 'team-a', 'alice'],
    ['an account with a rule', account('ci:runner'), 'rule ci'],
    ['somebody plain', person('Alice_1.b-c$'), 'itself Alice_1.b-c$'],
  ])('maps %s', async (...[, requester, expected, namespace, namedUser]: Row) => {
    const [via, user] = expected.split(' ');
    const { username } = requester;
    expect(await map(requester, namespace, namedUser)).toEqual(
      user === undefined
        ? { outcome: 'trusted-controller', name: username }
        : { outcome: 'user', via, user, requester: username },
    );
  });
});

describe('where nobody is himself', () => {
  const closed = requesterWorld({ requesters: { otherRequesters: 'none' } });

  it('refuses a plain name [requester-others-mapped]', async () => {
    expect(await closed(person('alice'))).toMatchObject({
      outcome: 'refused',
      reason: 'requester-not-mapped',
    });
  });
});

describe('without any rules', () => {
  it('trusts no controller [requester-no-account]', async () => {
    expect(await requesterWorld()(account(controller('job')))).toMatchObject({
      reason: 'service-account-not-mapped',
    });
  });
});

describe('the identity rules', () => {
  const rules = compileIdentityRules({
    groups: new Map(),
    namespaces: [{ namespaces: ['team-a'], users: ['alice', 'eve'] }],
    otherNamespaces: 'none',
    doAs: [],
    denyUsers: ['EV*'],
  });
  const ruled = requesterWorld({ identityRules: () => rules });

  it.each([
    ['who may not be there [requester-namespace-rule]', 'bob', 'team-a', 'user-outside-namespace-rule'],
    ['who may be elsewhere [requester-namespace-rule]', 'alice', 'team-b', 'user-outside-namespace-rule'],
    ['in other case [requester-namespace-rule]', 'Alice', 'team-a', 'user-outside-namespace-rule'],
    ['who is denied there [requester-deny-list]', 'eve', 'team-a', 'user-denied'],
  ])('refuse somebody %s', async (_title, username, namespace, reason) => {
    expect(await ruled(person(username), namespace)).toMatchObject({ outcome: 'refused', reason });
  });

  it('let others pass', async () => {
    expect(await ruled(person('alice'))).toMatchObject({ outcome: 'user', user: 'alice' });
  });
});

describe('what could not be checked', () => {
  it('is the creator pod, when the API server does not answer', async () => {
    const error = Object.assign(new Error('GET https://…/secret-path failed'), { code: 'ECONNREFUSED' });
    const getPod = async (): Promise<never> => {
      await Promise.resolve();
      throw error;
    };
    expect(await requesterWorld({ getPod })(accountInPod('team-a:default', 'driver'))).toEqual({
      outcome: 'could-not-check',
      dependency: 'kubernetes-api',
      detail: 'pod team-a/driver: ECONNREFUSED',
    });
  });

  it('is its stamp, without keys', async () => {
    const could = { outcome: 'could-not-check', dependency: 'signing-keys', detail: 'no key' } as const;
    const world = requesterWorld({ pods: [stampedPod('driver', 'alice')], verifyPodStamp: () => could });
    expect(await world(accountInPod('team-a:default', 'driver'))).toEqual(could);
  });

  it.each([
    ['of itself', person('alice')],
    ['of a pod', accountInPod('team-a:default', 'driver')],
  ])(
    'is a user name %s that the pattern takes too long for [requester-user-decided]',
    async (_title, requester) => {
      const world = requesterWorld({
        judgeUserName: () => 'undecided',
        pods: [stampedPod('driver', 'alice')],
      });
      expect(await world(requester)).toEqual({
        outcome: 'could-not-check',
        dependency: 'user-pattern',
        detail: '"alice": identity.userPattern took too long for it; simplify the pattern',
      });
    },
  );
});

describe('the user pattern of the configuration', () => {
  it('holds for who is mapped, and for who is not [requester-plain-name]', async () => {
    const world = requesterWorld({ judgeUserName: compileUserPattern('[a-z]{1,8}') });
    const outcomes = [await world(person('alice')), await world(person('Alice'))];
    expect(outcomes).toMatchObject([{ user: 'alice' }, { reason: 'requester-not-mapped' }]);
  });
});

describe('rules that change', () => {
  it('count from the next question on [requester-deny-list]', async () => {
    let denied = false;
    const world = requesterWorld({ denyUsers: (user) => (denied ? user : undefined) });
    const before = await world(person('alice'));
    denied = true;
    expect([before.outcome, (await world(person('alice'))).outcome]).toEqual(['user', 'refused']);
  });
});
