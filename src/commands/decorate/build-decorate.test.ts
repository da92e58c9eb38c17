import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { podRequest, reviewText } from '../../../test/fakes/admission-reviews.ts';
import { applyJsonPatch } from '../../../test/fakes/apply-json-patch.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeConfigMaps } from '../../../test/fakes/fake-config-maps.ts';
import { FakeKubernetesApi } from '../../../test/fakes/fake-kubernetes-api.ts';
import { FakeSecretRecords, lostReply } from '../../../test/fakes/fake-secret-records.ts';
import { HttpServers } from '../../../test/fakes/http-servers.ts';
import { observedRefusals } from '../../../test/fakes/observed-refusals.ts';
import { NO_REQUESTER_RULES } from '../../admission/requester/requester-rules.ts';
import { buildTemplateTable } from '../../admission/templates/template-table.ts';
import { parseDecorateConfig } from '../../config/decorate-config.ts';
import { createDenyList } from '../../identity/deny-list.ts';
import { NO_IDENTITY_RULES } from '../../identity/identity-rules.ts';
import { compileUserPattern } from '../../identity/user-name.ts';
import { buildDecorate } from './build-decorate.ts';
import type { DecorateKubernetes } from './build-parts.ts';

const NAMES = { namespace: 'kerbridge', name: 'kerbridge-stamp-keys' };
const servers = new HttpServers();
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  servers.close();
  for (const end of ends.splice(0).toReversed()) await end();
});

/** A cluster in memory, in which replicas can be built. */
async function cluster() {
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-build-'));
  ends.push(() => rm(folder, { recursive: true }));
  const clock = new FakeClock();
  const secrets = new FakeSecretRecords(clock);
  const configMaps = new FakeConfigMaps();
  const api = new FakeKubernetesApi(clock);
  const objects = new Map<string, Record<string, unknown>>();
  const asked: unknown[] = [];
  const bundles = new Map<string, string>();
  const kubernetes: DecorateKubernetes = {
    getPod: api.getPod,
    createOptedInNamespaces: () => () => Promise.resolve('uid-of-lab'),
    createStoredSchemas: () => () => Promise.resolve([]),
    createObjectReader:
      () =>
      ({ kind, name }) => {
        const object = objects.get(`${kind} ${name}`);
        const resource = { group: '', resource: `${kind.toLowerCase()}s` };
        return Promise.resolve(object === undefined ? undefined : { resource, object });
      },
    reviewAccess: (user, access) => {
      asked.push({ user, access });
      if (user.username.endsWith(':all')) return Promise.resolve({ allowed: true });
      return Promise.resolve(
        user.username.endsWith('keeper') && access.verb === 'keep-identity'
          ? { allowed: true }
          : { allowed: false, reason: 'no role' },
      );
    },
    createSecretRecords: () => secrets.open(),
    getConfigMap: configMaps.getConfigMap,
    createConfigMap: configMaps.createConfigMap,
    patchConfigMap: configMaps.patchConfigMap,
    putCaBundle: ({ kind }, caBundle) => {
      const isSame = bundles.get(kind) === caBundle;
      bundles.set(kind, caBundle);
      return Promise.resolve(isSame ? 'unchanged' : 'written');
    },
    close: () => undefined,
  };
  let replicas = 0;
  const replica = async (changes: Readonly<Record<string, unknown>> = {}) => {
    replicas += 1;
    const auditFile = join(folder, `audit-${replicas}.log`);
    const parsed = parseDecorateConfig({
      tls: { ownCa: { secret: { namespace: 'kerbridge', name: 'tls' }, dnsNames: ['localhost'] } },
      signing: { secret: NAMES },
      audit: { file: auditFile },
      ...changes,
    });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const table = buildTemplateTable({ resources: [] });
    if (!table.ok) throw new Error('no table');
    const { logger, log } = observedRefusals(clock);
    const app = buildDecorate({
      plan: {
        config: parsed.config,
        kubernetes,
        files: {
          rules: undefined,
          requesters: undefined,
          signingKeys: undefined,
          tls: undefined,
          follow: () => undefined,
          stop: () => undefined,
        },
        identityRules: () => NO_IDENTITY_RULES,
        requesterRules: () => NO_REQUESTER_RULES,
        denyUsers: createDenyList({ ownShortNames: [] }),
        judgeUserName: compileUserPattern(parsed.config.identity.userPattern),
        templates: table.table,
        clientCa: undefined,
        warnings: [],
      },
      logger,
      clock,
      version: '0',
    });
    ends.push(() => app.close());
    const [webhook, admin] = [await servers.http(app.webhook), await servers.http(app.admin)];
    return {
      app,
      log,
      audit: () => readFile(auditFile, 'utf8'),
      ready: async () => {
        await app.readiness.refresh();
        return (await fetch(new URL('/readyz', admin))).status;
      },
      metric: async (name: string) =>
        (await app.metrics.registry.metrics())
          .split('\n')
          .filter((line) => line.startsWith(`kerbridge_${name}`)),
      review: async (path: '/mutate' | '/validate', request: Record<string, unknown> = {}) => {
        const body = reviewText(podRequest(request));
        const headers = { 'Content-Type': 'application/json' };
        const reply = await fetch(new URL(path, webhook), { method: 'POST', headers, body });
        const { response } = (await reply.json()) as {
          readonly response: {
            readonly allowed: boolean;
            readonly patch?: string;
            readonly warnings?: readonly string[];
            readonly status?: { readonly code: number; readonly message: string };
          };
        };
        return response;
      },
    };
  };
  return { clock, secrets, configMaps, api, objects, asked, bundles, replica };
}

type Replica = Awaited<ReturnType<Awaited<ReturnType<typeof cluster>>['replica']>>;

const patched = (object: unknown, patch = ''): Record<string, unknown> =>
  applyJsonPatch(object, JSON.parse(Buffer.from(patch, 'base64').toString())) as Record<string, unknown>;

async function stamped({ review }: Replica, request: Record<string, unknown> = {}) {
  const { patch } = await review('/mutate', request);
  return patched(podRequest(request)['object'], patch);
}

/** The review of another image in a Deployment of alice's, by whoever it is. */
async function changeOfDeployment({
  review,
}: Replica): Promise<(userInfo: object) => Record<string, unknown>> {
  const deployment = (image: string) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'lab' },
    spec: { template: { metadata: {}, spec: { containers: [{ name: 'main', image }] } } },
  });
  const of = { group: 'apps', version: 'v1' };
  const request = {
    kind: { ...of, kind: 'Deployment' },
    resource: { ...of, resource: 'deployments' },
    name: 'web',
  };
  const { patch } = await review('/mutate', { ...request, object: deployment('a:1') });
  const oldObject = patched(deployment('a:1'), patch);
  const object = deployment('b:2');
  return (userInfo) => ({ ...request, operation: 'UPDATE', oldObject, object, userInfo });
}

describe('buildDecorate', () => {
  it('takes what another replica has stamped, and not what nobody has', async () => {
    const { replica } = await cluster();
    const [one, other] = [await replica(), await replica()];
    await Promise.all([one.app.start(), other.app.start()]);
    const object = await stamped(one);
    expect(await other.review('/validate', { object })).toEqual({ uid: expect.any(String), allowed: true });
    expect(await other.review('/validate')).toMatchObject({ allowed: false, status: { code: 403 } });
    expect(await one.audit()).toContain('"user":"alice"');
  });

  it.each(['hdfs', 'HTTP', 'Root', 'yarn'])(
    'lets nobody be %s, whatever is configured [requester-deny-list]',
    async (username) => {
      const { replica } = await cluster();
      const one = await replica();
      await one.app.start();
      const userInfo = { username, groups: [] };
      expect(await one.review('/mutate', { userInfo })).toMatchObject({
        allowed: false,
        status: { code: 403 },
      });
    },
  );

  it('is ready when it has keys and a certificate, and stays so [signing-keys-known]', async () => {
    const { replica, configMaps, secrets, clock } = await cluster();
    configMaps.failWith('createConfigMap', lostReply());
    const one = await replica();
    await one.app.start();
    expect(await one.ready()).toBe(503);
    expect(await one.review('/mutate')).toMatchObject({ allowed: false, status: { code: 503 } });
    configMaps.failWith('createConfigMap', undefined);
    await clock.advance(30_000);
    expect(await one.ready()).toBe(200);
    expect(await one.review('/mutate')).toMatchObject({ allowed: true });
    secrets.failNext('get', lostReply());
    secrets.failNext('get', lostReply());
    await clock.advance(30_000);
    expect(await one.ready()).toBe(200);
    expect(one.log()).toContainEqual(expect.objectContaining({ level: 'warn' }));
  });

  it('shows how long certificate and authority of its own last, and what became of them', async () => {
    const { replica, bundles } = await cluster();
    const one = await replica();
    const { current } = await one.app.start();
    expect(current.certificates).toContain('BEGIN CERTIFICATE');
    expect([...bundles.keys()]).toEqual(['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']);
    const [shown = ''] = await one.metric('own_ca_not_after');
    expect(Number(shown.split(' ')[1])).toBeGreaterThan(Date.parse('2026-01-02') / 1_000);
    expect(await one.metric('own_ca_events_total')).toEqual(
      expect.arrayContaining([
        expect.stringContaining('type="changed"'),
        expect.stringContaining('type="bundle-written"'),
      ]),
    );
    expect(JSON.stringify(one.log())).not.toContain('PRIVATE KEY');
  });

  it('asks RBAC who may keep the user of a template, with all that is known of who asks [template-of-another]', async () => {
    const { replica, asked } = await cluster();
    const one = await replica();
    await one.app.start();
    const change = await changeOfDeployment(one);
    const by = (username: string) => change({ username, groups: ['g'], extra: { key: ['value'] } });
    expect(await one.review('/mutate', by('keeper'))).toMatchObject({ allowed: true });
    expect(await one.review('/mutate', by('bob'))).toMatchObject({
      allowed: false,
      status: { code: 403 },
    });
    expect(asked).toEqual(
      ['keeper', 'bob'].map((username) => ({
        user: { username, uid: '', groups: ['g'], extra: { key: ['value'] } },
        access: {
          verb: 'keep-identity',
          group: 'apps',
          resource: 'deployments',
          namespace: 'lab',
          name: 'web',
        },
      })),
    );
  });

  it.each([
    [
      'lets an account keep the user of a template by a right that names it',
      'system:serviceaccount:lab:keeper',
      true,
    ],
    [
      'does not let it by a right to everything, as operators have [template-of-another]',
      'system:serviceaccount:lab:all',
      false,
    ],
  ])('%s', async (_, username, allowed) => {
    const { replica } = await cluster();
    const one = await replica();
    await one.app.start();
    const change = await changeOfDeployment(one);
    const userInfo = {
      username,
      uid: 'uid-of-the-account',
      groups: [],
      extra: { 'authentication.kubernetes.io/credential-id': ['JTI=1'] },
    };
    expect(await one.review('/mutate', change(userInfo))).toMatchObject({ allowed });
  });

  describe('for audit only', () => {
    it('changes and refuses nothing, and logs what would be [signing-keys-known]', async () => {
      const { replica, configMaps } = await cluster();
      configMaps.failWith('createConfigMap', lostReply());
      const one = await replica({ auditOnly: true });
      await one.app.start();
      const allowed = { uid: expect.any(String), allowed: true };
      expect(await one.review('/mutate')).toEqual(allowed);
      const userInfo = { username: 'system:nobody', groups: [] };
      const two = await (await cluster()).replica({ auditOnly: true });
      await two.app.start();
      expect(await two.review('/mutate')).toEqual(allowed);
      expect(await two.review('/mutate', { userInfo })).toMatchObject({
        allowed: true,
        warnings: [expect.stringContaining('Kerbridge would refuse this')],
      });
      // Nothing was stamped, so nothing can be missing.
      expect(await two.review('/validate')).toEqual(allowed);
      const supposed = (log: readonly Record<string, unknown>[]) =>
        log.filter(({ message }) => message === 'Audit only: let through').map(({ outcome }) => outcome);
      expect(supposed(one.log())).toEqual(['could-not-check']);
      expect(supposed(two.log())).toEqual(['would-change', 'would-refuse']);
    });
  });
});
