import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiObject, Requester, Write } from '../api-caller.ts';
import {
  ALICE,
  ANNOTATION,
  BOB,
  DecorateWorld,
  podBody,
  podsPath,
  TEAM,
} from '../decorate/decorate-world.ts';
import { until } from '../until.ts';
import { asAdmin, refusalOf, tokenOf } from './webhook-trials.ts';

const SECOND = 'team-2';
const HUB = { namespace: 'hub', name: 'hub' };
/** Its name, in a namespace of somebody else. */
const OTHER_HUB = { namespace: TEAM, name: 'hub' };
const SCHEDULER = { namespace: 'hub', name: 'scheduler' };

let world: DecorateWorld;
let hub: Requester;
let otherHub: Requester;
/** May name anybody, and go on without. */
let scheduler: Requester;

beforeAll(async () => {
  world = await DecorateWorld.open();
  await world.createNamespace(HUB.namespace);
  await world.createNamespace(SECOND, { iddecorator: 'enabled' });
  for (const { namespace, name } of [HUB, OTHER_HUB, SCHEDULER]) {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await world.api.must(path, { method: 'POST', body: { metadata: { name } } });
  }
  await world.api.must('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    method: 'POST',
    body: {
      metadata: { name: 'delegates-edit' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [HUB, OTHER_HUB, SCHEDULER].map((account) => ({ kind: 'ServiceAccount', ...account })),
    },
  });
  hub = await tokenOf(world, HUB);
  otherHub = await tokenOf(world, OTHER_HUB);
  scheduler = await tokenOf(world, SCHEDULER);
  await world.startWithRequesters({
    groups: { analysts: ['carol', 'dave'] },
    trustedControllers: ['builtin'],
    delegates: [
      { account: hub.user, users: ['alice', 'group:analysts', 'svc_*'], namespaces: [TEAM] },
      { account: scheduler.user, users: ['*'], namespaces: ['team*'], withoutUser: 'as-others' },
      // GitOps, by a person's kind of login.
      { account: 'gitops', users: ['alice'], namespaces: [TEAM] },
    ],
    rules: [{ usernames: [scheduler.user], user: 'etl' }],
    otherRequesters: 'themselves',
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

type Login = () => Requester;
const named = (user: string | undefined, name = 'named'): object =>
  podBody(name, user === undefined ? {} : { annotations: { [ANNOTATION]: user } });

describe('a pod made by a delegate', () => {
  it.each<readonly [string, Login, string | undefined, string]>([
    ['a user in its list', () => hub, 'alice', 'alice'],
    ['one of a group in its list', () => hub, 'dave', 'dave'],
    ['one of a glob in its list', () => hub, 'svc_1', 'svc_1'],
    ['anybody, where it may', () => scheduler, 'bob', 'bob'],
    ['nobody, where it goes on as others', () => scheduler, undefined, 'etl'],
    ['a user, without being a service account', () => asAdmin('gitops'), 'alice', 'alice'],
  ])('that names %s, speaks for that one', async (_, login, user, expected) => {
    const as = login();
    const path = `${podsPath()}?dryRun=All`;
    const pod = await world.api.must(path, { method: 'POST', body: named(user) }, as);
    expect(pod.metadata?.annotations?.[ANNOTATION]).toBe(expected);
    expect(await world.stampOf(pod)).toMatchObject({ user: expected, requester: as.user });
  });

  it.each<readonly [string, Login, string | undefined, string, RegExp]>([
    ['another', () => hub, 'bob', 'delegate-may-not-name-user', /may not name "bob" in namespace "team"/],
    ['the same in other letters', () => hub, 'Alice', 'delegate-may-not-name-user', /may not name "Alice"/],
    ['one that looks alike', () => hub, 'аlice', 'delegate-may-not-name-user', /may not name/],
    ['a name with a space around it', () => hub, ' alice', 'delegate-may-not-name-user', /may not name/],
    ['two', () => hub, 'alice,bob', 'delegate-may-not-name-user', /may not name/],
    ['the group', () => hub, 'group:analysts', 'delegate-may-not-name-user', /may not name/],
    ['what a glob takes, and is no name', () => hub, 'svc_/x', 'user-name-invalid', /is not the name of/],
    ['nobody', () => hub, undefined, 'delegate-names-nobody', /names nobody: set the annotation/],
    ['an empty name', () => hub, '', 'delegate-may-not-name-user', /may not name ""/],
    [
      'a service user, where it may name all',
      () => scheduler,
      'hdfs',
      'user-denied',
      /service user or denied/,
    ],
    ['the same in capitals', () => scheduler, 'HDFS', 'user-denied', /service user or denied/],
    ['one with a realm', () => scheduler, 'alice@CORP', 'user-name-invalid', /is not the name of/],
    ['one that looks like hdfs', () => scheduler, 'hdf\u017F', 'user-name-invalid', /is not the name of/],
  ])('that names %s, is not made', async (_, login, user, reason, text) => {
    const write: Write = { method: 'POST', body: named(user) };
    const refusal = await refusalOf(world, { path: podsPath(), write, as: login() });
    expect(refusal).toEqual({ status: 403, reason, message: expect.stringMatching(text) });
    expect((await world.api.call(`${podsPath()}/named`, { method: 'GET' })).status).toBe(404);
  });
});

describe('a delegate', () => {
  it('names nobody in a namespace that is not in its entry, but may where that is', async () => {
    const write: Write = { method: 'POST', body: named('alice') };
    expect(await refusalOf(world, { path: podsPath(SECOND), write, as: hub })).toEqual({
      status: 403,
      reason: 'delegate-not-in-namespace',
      message: expect.stringMatching(/may not name users in namespace "team-2"/),
    });
    const pod = await world.api.must(`${podsPath(SECOND)}?dryRun=All`, write, scheduler);
    expect(await world.stampOf(pod)).toMatchObject({ namespace: SECOND, user: 'alice' });
  });

  it('that names nobody there is like other accounts: nobody', async () => {
    const write: Write = { method: 'POST', body: named(undefined) };
    expect(await refusalOf(world, { path: podsPath(SECOND), write, as: hub })).toMatchObject({
      status: 403,
      reason: 'service-account-not-mapped',
    });
  });

  it.each<readonly [string, Login, string]>([
    ['an account of its name elsewhere', () => otherHub, 'service-account-not-mapped'],
    ['who impersonates it', () => asAdmin(hub.user), 'service-account-unproven'],
    [
      'bob, with the role edit, who impersonates an account',
      () => ({ ...otherHub, impersonates: true }),
      'service-account-unproven',
    ],
    ['who has its name in other letters', () => asAdmin('GitOps'), 'itself'],
  ])('is not %s', async (_, login, reason) => {
    const write: Write = { method: 'POST', body: named('alice') };
    const as = login();
    if (reason === 'itself') {
      const pod = await world.api.must(`${podsPath()}?dryRun=All`, write, as);
      expect(await world.stampOf(pod)).toMatchObject({ user: as.user, requester: as.user });
    } else {
      expect(await refusalOf(world, { path: podsPath(), write, as })).toMatchObject({ status: 403, reason });
    }
  });

  it('is not bob, whose annotation is not believed', async () => {
    const write: Write = { method: 'POST', body: named('alice') };
    const pod = await world.api.must(`${podsPath()}?dryRun=All`, write, BOB);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'bob', requester: 'bob' });
  });
});

const DEPLOYMENTS = `/apis/apps/v1/namespaces/${TEAM}/deployments`;
const deployment = (name: string, { top, inTemplate }: { top?: string; inTemplate?: string }): object => ({
  metadata: { name, annotations: top === undefined ? {} : { [ANNOTATION]: top } },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: {
        labels: { app: name },
        annotations: inTemplate === undefined ? {} : { [ANNOTATION]: inTemplate },
      },
      spec: { containers: [{ name: 'main', image: 'trainer:1' }] },
    },
  },
});
const image = (value: string): Write => ({
  method: 'PATCH',
  kind: 'strategic',
  body: { spec: { template: { spec: { containers: [{ name: 'main', image: value }] } } } },
});

describe('a Deployment of a delegate', () => {
  it.each([
    ['at its top', 'top', { top: 'alice' }],
    ['in its template', 'inner', { inTemplate: 'alice' }],
  ])('names the user %s, and its pods speak for that one', async (_, name, where) => {
    await world.api.must(DEPLOYMENTS, { method: 'POST', body: deployment(name, where) }, hub);
    await until('its pod', async () => (await world.podsOf(`${name}-`)).length === 1);
    const [pod = {}] = await world.podsOf(`${name}-`);
    expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });
  });

  it.each([
    ['another', { top: 'bob' }, 'delegate-may-not-name-user'],
    ['another, in the template', { inTemplate: 'bob' }, 'delegate-may-not-name-user'],
    [
      'another at the top than in the template',
      { top: 'bob', inTemplate: 'alice' },
      'delegate-may-not-name-user',
    ],
    ['nobody', {}, 'delegate-names-nobody'],
  ])('that names %s, is not made', async (_, where, reason) => {
    const write: Write = { method: 'POST', body: deployment('refused', where) };
    const trial = { path: DEPLOYMENTS, write, as: hub };
    expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason });
  });

  it('is not changed by bob, but by alice, and by the delegate in her name', async () => {
    const path = `${DEPLOYMENTS}/top`;
    expect(await refusalOf(world, { path, write: image('evil:1'), as: BOB })).toMatchObject({
      status: 403,
      reason: 'template-of-another',
    });
    for (const [value, as] of [
      ['trainer:2', ALICE],
      ['trainer:3', hub],
    ] as const)
      expect(userOf(await world.api.must(path, image(value), as))).toBe('alice');
  });

  it('of bob’s is not changed by the delegate, whomever it names', async () => {
    const made = await world.api.must(DEPLOYMENTS, { method: 'POST', body: deployment('bobs', {}) }, BOB);
    expect(userOf(made)).toBe('bob');
    const { body } = image('evil:1') as { body: object };
    for (const [user, reason] of [
      ['alice', 'template-of-another'],
      ['bob', 'template-of-another'],
      [undefined, 'template-of-another'],
    ] as const) {
      const metadata = { annotations: { [ANNOTATION]: user ?? null } };
      const write: Write = { method: 'PATCH', kind: 'strategic', body: { ...body, metadata } };
      const trial = { path: `${DEPLOYMENTS}/bobs`, write, as: hub };
      expect(await refusalOf(world, trial)).toMatchObject({ status: 403, reason });
    }
  });
});

const userOf = ({ spec }: ApiObject): unknown =>
  (spec as { template: { metadata: { annotations?: Record<string, string> } } }).template.metadata
    .annotations?.[ANNOTATION];

describe('into pods', () => {
  it('of whom it may name a delegate reaches, and into no others', async () => {
    await world.api.must(podsPath(), { method: 'POST', body: podBody('hers') }, ALICE);
    await world.api.must(podsPath(), { method: 'POST', body: podBody('his') }, BOB);
    const exec = (pod: string, as: Requester): Parameters<typeof refusalOf>[1] => ({
      path: `${podsPath()}/${pod}/exec?command=id&stdout=true`,
      write: { method: 'GET' },
      as,
    });
    expect((await refusalOf(world, exec('hers', hub))).message).toMatch(/does not have a host assigned/);
    expect(await refusalOf(world, exec('his', hub))).toMatchObject({ status: 403, reason: 'pod-of-another' });
    expect((await refusalOf(world, exec('his', BOB))).message).toMatch(/does not have a host assigned/);
  });
});
