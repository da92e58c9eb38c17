import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Requester } from '../api-caller.ts';
import { ANNOTATION, DecorateWorld, podBody, podsPath, TEAM } from '../decorate/decorate-world.ts';
import { asAdmin, refusalOf, tokenOf } from './webhook-trials.ts';

const SECOND = 'team-2';
const RUNNER = { namespace: 'ci', name: 'runner' };
const OTHER_RUNNER = { namespace: 'ci', name: 'other' };

let world: DecorateWorld;
let runner: Requester;
let otherRunner: Requester;

beforeAll(async () => {
  world = await DecorateWorld.open();
  await world.createNamespace(SECOND, { iddecorator: 'enabled' });
  await world.createNamespace(RUNNER.namespace);
  for (const { name } of [RUNNER, OTHER_RUNNER])
    await world.api.must(`/api/v1/namespaces/${RUNNER.namespace}/serviceaccounts`, {
      method: 'POST',
      body: { metadata: { name } },
    });
  await world.api.must('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    method: 'POST',
    body: {
      metadata: { name: 'runners-edit' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [RUNNER, OTHER_RUNNER].map((account) => ({ kind: 'ServiceAccount', ...account })),
    },
  });
  runner = await tokenOf(world, RUNNER);
  otherRunner = await tokenOf(world, OTHER_RUNNER);
  await world.startWithRequesters({
    trustedControllers: ['builtin'],
    rules: [
      { groups: ['contractors'], refuse: true },
      { usernames: ['mallory@*'], refuse: true },
      { usernames: ['*@corp.example.com'], namespaces: [TEAM], user: '$1', lowerCase: true },
      { usernames: ['oidc:*'], groups: ['hadoop-*'], user: '$1' },
      { usernames: ['*.*@two.example.com'], user: '$1', lowerCase: true },
      { usernames: ['boss'], user: 'hdfs' },
      { usernames: [`system:serviceaccount:${RUNNER.namespace}:${RUNNER.name}`], user: 'ci' },
    ],
    otherRequesters: 'none',
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const inGroups = (user: string, ...groups: readonly string[]): Requester => ({
  user,
  groups: ['system:masters', ...groups],
});
/** That says it is somebody else's. */
const body = (): object => podBody('ruled', { annotations: { [ANNOTATION]: 'dave' } });

type Login = Requester | (() => Requester);
const asRequester = (login: Login): Requester => (typeof login === 'function' ? login() : login);

describe('a pod of', () => {
  it.each<readonly [string, Login, string]>([
    ['a name at the realm of a rule', asAdmin('alice@corp.example.com'), 'alice'],
    ['the same in capitals, where the rule lowers them', asAdmin('ALICE@corp.example.com'), 'alice'],
    ['a name with what a user name may hold', asAdmin('A.b-c_1@corp.example.com'), 'a.b-c_1'],
    ['one of a group of a rule', inGroups('oidc:bob', 'hadoop-users'), 'bob'],
    ['the same in capitals, where nothing lowers them', inGroups('oidc:Bob', 'hadoop-users'), 'Bob'],
    ['a name of two parts', asAdmin('alice.smith@two.example.com'), 'alice'],
    ['an account that a rule names', () => runner, 'ci'],
  ])('%s speaks for who that is by the rule', async (_, login, user) => {
    const as = asRequester(login);
    const path = `${podsPath()}?dryRun=All`;
    const pod = await world.api.must(path, { method: 'POST', body: body() }, as);
    expect(pod.metadata?.annotations?.[ANNOTATION]).toBe(user);
    expect(await world.stampOf(pod)).toMatchObject({ user, requester: as.user });
  });
});

const CORP = '@corp.example.com';
const REFUSED: readonly (readonly [string, string, Login])[] = [
  ['a name that no rule fits', 'requester-not-mapped', asAdmin('alice')],
  ['one at another realm', 'requester-not-mapped', asAdmin('alice@example.com')],
  ['one at the realm in other letters', 'requester-not-mapped', asAdmin('alice@CORP.example.com')],
  ['one at a realm below it', 'requester-not-mapped', asAdmin('alice@corp.example.com.evil.org')],
  ['one at a realm that ends alike', 'requester-not-mapped', asAdmin('alice@evilcorp.example.com')],
  ['the realm alone', 'requester-not-mapped', asAdmin(CORP)],
  ['one of no group of the rule', 'requester-not-mapped', inGroups('oidc:bob', 'users')],
  ['one of a group that looks alike', 'requester-not-mapped', inGroups('oidc:bob', 'Hadoop-users')],
  [
    'one of a group without what the star stands for',
    'requester-not-mapped',
    inGroups('oidc:bob', 'hadoop-'),
  ],
  ['one of a refused group, who fits a rule', 'rule-refuses', inGroups(`alice${CORP}`, 'contractors')],
  ['one of it in other letters', 'rule-refuses', inGroups(`alice${CORP}`, 'Contractors')],
  ['a refused name, which fits a later rule', 'rule-refuses', asAdmin(`mallory${CORP}`)],
  ['a refused name in other letters', 'rule-refuses', asAdmin(`MALLORY${CORP}`)],
  ['a name that fits in more than one way', 'rule-ambiguous', asAdmin('a.b.c@two.example.com')],
  ['who a rule makes hdfs', 'user-denied', asAdmin('boss')],
  ['a name that becomes hdfs', 'user-denied', asAdmin(`hdfs${CORP}`)],
  ['one that becomes hdfs when it is lowered', 'user-denied', asAdmin(`HdFs${CORP}`)],
  ['one that becomes HDFS, which nothing lowers', 'user-denied', inGroups('oidc:HDFS', 'hadoop-users')],
  ['one that becomes HTTP', 'user-denied', inGroups('oidc:http', 'hadoop-users')],
  ['one that becomes root', 'user-denied', asAdmin(`Root${CORP}`)],
  ['one that becomes a part of a name, which is denied', 'user-denied', asAdmin('yarn.x@two.example.com')],
  ['one with a host', 'user-name-invalid', asAdmin(`alice/admin${CORP}`)],
  ['one with another realm in it', 'user-name-invalid', asAdmin(`alice@evil.org${CORP}`)],
  ['one with that realm twice', 'user-name-invalid', asAdmin(`alice${CORP}${CORP}`)],
  ['one of two', 'user-name-invalid', asAdmin(`alice,bob${CORP}`)],
  ['one with a space', 'user-name-invalid', asAdmin(`alice bob${CORP}`)],
  ['one that begins with a number', 'user-name-invalid', asAdmin(`1alice${CORP}`)],
  ['one of 300 letters', 'user-name-invalid', asAdmin(`${'a'.repeat(300)}${CORP}`)],
  ['one with a Cyrillic letter', 'user-name-invalid', asAdmin(`\u0430lice${CORP}`)],
  ['one with a Greek letter', 'user-name-invalid', asAdmin(`b\u03BFb${CORP}`)],
  // What `toLowerCase` makes an ASCII letter of, and what `toUpperCase` does.
  ['one with the Kelvin sign', 'user-name-invalid', asAdmin(`\u212Aate${CORP}`)],
  ['one with a dotted capital I', 'user-name-invalid', asAdmin(`\u0130van${CORP}`)],
  ['one with a dotless i', 'user-name-invalid', asAdmin(`al\u0131ce${CORP}`)],
  ['one with a long s', 'user-name-invalid', asAdmin(`hdf\u017F${CORP}`)],
  ['one with full-width letters', 'user-name-invalid', asAdmin(`\uFF41lice${CORP}`)],
  ['one with a combining accent', 'user-name-invalid', asAdmin(`alice\u0301${CORP}`)],
  ['one with a zero-width space', 'user-name-invalid', asAdmin(`alice\u200B${CORP}`)],
  ['one with a soft hyphen', 'user-name-invalid', asAdmin(`al\u00ADice${CORP}`)],
  ['one written from right to left', 'user-name-invalid', asAdmin(`\u202Ealice${CORP}`)],
  ['one with an end of a line that is none in ASCII', 'user-name-invalid', asAdmin(`alice\u2028${CORP}`)],
  ['one at a realm with full-width letters', 'requester-not-mapped', asAdmin('alice@ｃorp.example.com')],
  ['an account that no rule names', 'service-account-not-mapped', () => otherRunner],
  ['who impersonates the one that a rule names', 'service-account-unproven', () => asAdmin(runner.user)],
  ['a part of Kubernetes that fits the rule', 'system-requester', asAdmin(`system:node${CORP}`)],
  ['a name that is too long', 'requester-too-long', asAdmin(`${'a'.repeat(600)}${CORP}`)],
];

describe('no pod is made by', () => {
  it.each(REFUSED)('%s: %s', async (_, reason, login) => {
    const write = { method: 'POST', body: body() } as const;
    const refusal = await refusalOf(world, { path: podsPath(), write, as: asRequester(login) });
    expect(refusal).toMatchObject({ status: 403, reason });
    // What to do, not only what is wrong.
    expect(refusal.message).toMatch(/: (ask|create|use|log in|start|check|give)|ask an administrator/);
    expect((await world.api.call(`${podsPath()}/ruled`, { method: 'GET' })).status).toBe(404);
  });

  it('who a rule names for another namespace only', async () => {
    const write = { method: 'POST', body: body() } as const;
    const trial = { path: podsPath(SECOND), write, as: asAdmin(`alice${CORP}`) };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason: 'requester-not-mapped' });
    const pod = await world.api.must(
      `${podsPath(SECOND)}?dryRun=All`,
      write,
      inGroups('oidc:bob', 'hadoop-users'),
    );
    expect(await world.stampOf(pod)).toMatchObject({ namespace: SECOND, user: 'bob' });
  });
});

describe('a pod of one that a rule maps', () => {
  it('is reached into by whoever is the same by a rule, and by nobody else', async () => {
    const made = await world.api.must(
      podsPath(),
      { method: 'POST', body: podBody('of-a-rule') },
      inGroups('oidc:bob', 'hadoop-users'),
    );
    expect(await world.stampOf(made)).toMatchObject({ user: 'bob' });
    const reach = (as: Requester): Parameters<typeof refusalOf>[1] => ({
      path: `${podsPath()}/of-a-rule/exec?command=id&stdout=true`,
      write: { method: 'GET' },
      as,
    });
    for (const as of [inGroups('oidc:bob', 'hadoop-users'), asAdmin(`Bob${CORP}`)])
      expect((await refusalOf(world, reach(as))).message).toMatch(/does not have a host assigned/);
    for (const as of [
      asAdmin('bob'),
      inGroups('oidc:Bob', 'hadoop-users'),
      inGroups('oidc:bob', 'hadoop-users', 'contractors'),
      asAdmin(`b\u03BFb${CORP}`),
    ])
      expect(await refusalOf(world, reach(as))).toMatchObject({ status: 403, reason: 'pod-of-another' });
  });
});
