import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CoreV1Api, type V1PolicyRule } from '@kubernetes/client-node';
import { kubernetesChecks } from '../../../src/commands/check/kubernetes-checks.ts';
import type { Finding } from '../../../src/preflight/finding.ts';
import { rightsOfServe } from '../../../src/preflight/kubernetes/rights.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { kubectlProgram } from '../../stack/kubernetes/control-plane-programs.ts';
import { processMarks } from '../../stack/processes.ts';
import { silent } from '../../stack/progress.ts';
import { mustRun, plainEnvironment } from '../../stack/run-command.ts';
import { createServiceAccountLogin, kubeconfigFor, LEAST_RULES, loadConfig } from '../kubernetes-objects.ts';
import { TestNamespace } from '../kubernetes-objects.ts';
import type { ServiceAccountLogin } from '../kubernetes-objects.ts';
import { CheckWorld } from './check-world.ts';
import { runChecks, sectionsOf, withOutcome } from './run-checks.ts';

/** The rules of {@link LEAST_RULES}, a verb and a resource each. */
const SINGLE_RULES = LEAST_RULES.flatMap(({ apiGroups = [], resources = [], verbs, resourceNames }) =>
  apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.map((verb): V1PolicyRule => ({
        apiGroups: [group],
        resources: [resource],
        verbs: [verb],
        ...(resourceNames === undefined ? {} : { resourceNames }),
      })),
    ),
  ),
);
const nameOf = ({ resources, verbs }: V1PolicyRule): string => `${resources?.[0]}/${verbs[0]}`;

/** Each test on the real API server, with a login of its own. */
describe('kerbridge check of Kubernetes', () => {
  let world: CheckWorld;
  let admin: string;
  let namespace: TestNamespace;
  const logins: ServiceAccountLogin[] = [];
  const roles: string[] = [];

  beforeAll(async () => {
    world = await CheckWorld.create();
    admin = world.stack.kubernetes.kubeconfig.admin;
    namespace = await TestNamespace.create(admin, 'revoked');
    await namespace.writeConfigMap('kerbridge-revocations', {});
    // The commands of a fix begin with a plain `kubectl`.
    const [command, ...first] = await kubectlProgram({
      progress: silent,
      marks: processMarks(world.stack.dir, 'kubectl'),
    });
    const script = join(world.folder, 'kubectl');
    await writeFile(script, `#!/bin/sh\nexec '${command}' ${first.join(' ')} "$@"\n`);
    await chmod(script, 0o755);
  });

  afterAll(async () => {
    for (const role of roles)
      await shell(`kubectl delete --ignore-not-found clusterrole/${role} clusterrolebinding/${role}`);
    for (const each of logins) await each.dispose();
    await shell(`kubectl -n ${namespace.name} delete roles,rolebindings --all`);
    await namespace.dispose();
    await world[Symbol.asyncDispose]();
  });

  async function login(rules: readonly V1PolicyRule[]): Promise<ServiceAccountLogin> {
    const created = await createServiceAccountLogin(admin, rules);
    logins.push(created);
    return created;
  }

  async function check(
    kubeconfig: string,
    { kubernetes = {}, ...change }: { readonly kubernetes?: object; readonly identity?: object } = {},
  ): Promise<ReadonlyMap<string, Finding>> {
    const sections = sectionsOf({
      kubernetes: { kubeconfig, ...kubernetes },
      identity: { revocationsConfigMap: { namespace: namespace.name } },
      delegationTokens: { storeNamespace: namespace.name },
      ...change,
    });
    const { limits } = sections;
    if (limits === undefined) throw new Error('no limits');
    const { checks, close } = kubernetesChecks(sections, { limits, clock: systemClock });
    try {
      return await runChecks(checks);
    } finally {
      close();
    }
  }

  /** As an administrator who pastes it. */
  async function shell(commands: string): Promise<void> {
    const env = plainEnvironment({ KUBECONFIG: admin, HOME: world.folder });
    await mustRun('sh', ['-c', commands], { env: { ...env, PATH: `${world.folder}:${env['PATH']}` } });
  }

  const commandsOf = ({ fix = '' }: Finding): string => fix.slice(fix.indexOf(': ') + 2);
  const get = (found: ReadonlyMap<string, Finding>, id: string): Finding => {
    const finding = found.get(id);
    if (finding === undefined) throw new Error(`no ${id} in ${[...found.keys()].join(', ')}`);
    return finding;
  };

  it('looks at every right that serve is tested with, and at no other', () => {
    const looked = rightsOfServe({
      revocations: { namespace: 'kerbridge', name: 'kerbridge-revocations' },
      tokensNamespace: 'kerbridge',
    }).map(({ access }) => ({
      apiGroups: [access.group],
      resources: [access.resource],
      verbs: [access.verb],
      ...(access.name === undefined ? {} : { resourceNames: [access.name] }),
    }));
    expect(looked).toHaveLength(SINGLE_RULES.length);
    expect(looked).toEqual(expect.arrayContaining(SINGLE_RULES));
  });

  it('is content with the least rights, and skips what they do not let it see', async () => {
    const { kubeconfig, username } = await login(LEAST_RULES);
    const found = await check(kubeconfig);
    expect(withOutcome(found, 'failed')).toEqual([]);
    expect(withOutcome(found, 'warning')).toEqual([]);
    expect(withOutcome(found, 'skipped')).toEqual(['pod-security', 'source-address', 'webhooks']);
    expect(get(found, 'api-server').detail).toContain(username);
    expect(get(found, 'signing-keys').detail).toMatch(/^https:.*, 1 key/);
    expect(get(found, 'revocations-config-map').detail).toBe('0 revocation(s)');
  });

  it.each(SINGLE_RULES.map((rule) => ({ missing: nameOf(rule) })))(
    'names the missing right $missing, and the commands that grant it',
    async ({ missing }) => {
      const { kubeconfig, username } = await login(SINGLE_RULES.filter((rule) => nameOf(rule) !== missing));
      const isOptional = missing === 'subjectaccessreviews/create';
      const found = await check(kubeconfig);
      const finding = get(found, `rbac:${missing}`);
      expect(finding.outcome).toBe(isOptional ? 'warning' : 'failed');
      expect(finding.fix).toContain(
        `Grant ${username} \`${missing.split('/')[1]}\` on \`${missing.split('/')[0]}\``,
      );
      expect(withOutcome(found, 'failed')).toEqual(isOptional ? [] : [finding.id]);

      roles.push(`kerbridge-${missing.replace('/', '-')}`);
      await shell(commandsOf(finding));
      expect(get(await check(kubeconfig), finding.id).outcome).toBe('ok');
      await shell(
        `kubectl delete --ignore-not-found clusterrole/${roles.at(-1)} clusterrolebinding/${roles.at(-1)}`,
      );
    },
  );

  it('names the ClusterRole for the signing keys where it is not bound, and the command that binds it', async () => {
    const { alice } = world.stack.kubernetes.kubeconfig;
    const finding = get(await check(alice), 'signing-keys');
    expect(finding).toMatchObject({
      outcome: 'failed',
      fix: expect.stringContaining('Bind alice to the ClusterRole system:service-account-issuer-discovery'),
    });
    roles.push('kerbridge-issuer-discovery');
    await shell(commandsOf(finding));
    expect(get(await check(alice), 'signing-keys').outcome).toBe('ok');
  });

  it('skips all else where the API server is away, and says where it looked', async () => {
    const { kubeconfig } = await login([]);
    const away = join(world.folder, 'away');
    await writeFile(
      away,
      await kubeconfigFor(loadConfig(kubeconfig), new Secret('none'), { server: 'https://127.0.0.1:1' }),
    );
    const found = await check(away);
    expect(get(found, 'api-server')).toMatchObject({
      outcome: 'failed',
      title: expect.stringContaining('https://127.0.0.1:1'),
      detail: expect.stringContaining('ECONNREFUSED'),
      fix: expect.stringContaining('can be reached from here'),
    });
    expect([...found.values()].filter(({ outcome }) => outcome !== 'skipped')).toHaveLength(1);

    const config = await world.writeConfig([world.cluster()], { kubernetes: { kubeconfig: away } });
    const whole = await world.checkFile(config);
    expect(whole.exitCode).toBe(1);
    expect(whole.outcomes.filter((each) => each.endsWith(' failed'))).toEqual(['api-server failed']);
  });

  it('knows credentials that are not accepted', async () => {
    const wrong = join(world.folder, 'wrong');
    await writeFile(wrong, await kubeconfigFor(loadConfig(admin), new Secret('wrong-token-of-nobody')));
    const finding = get(await check(wrong), 'api-server');
    expect(finding).toMatchObject({
      outcome: 'failed',
      fix: expect.stringContaining('credentials are not accepted'),
    });
    expect(JSON.stringify(finding)).not.toContain('wrong-token-of-nobody');
  });

  it('refuses the audience that every ordinary token has', async () => {
    const { kubeconfig } = await login(LEAST_RULES);
    const found = await check(kubeconfig, {
      kubernetes: { audience: world.stack.kubernetes.serviceAccountIssuer },
    });
    expect(withOutcome(found, 'failed')).toEqual(['token-audience']);
    expect(get(found, 'token-audience').fix).toContain('Set kubernetes.audience');
  });

  it.each([
    [
      'with another document in it',
      { 'other.yaml': 'x' },
      'failed',
      'kerbridge-revocations',
      'revocations.yaml',
    ],
    ['that is no list', { 'revocations.yaml': 'version: 1\n' }, 'failed', 'revocations', 'kubectl -n'],
    [
      'with an entry of nobody',
      { 'revocations.yaml': 'version: 1\nrevocations: [{ user: "a b", revokedAt: 2026-01-01T00:00:00Z }]\n' },
      'failed',
      'revocations[0].user',
      'docs/identity-rules.md',
    ],
  ])('says what is wrong with a ConfigMap of revocations %s', async (_name, data, outcome, detail, fix) => {
    const own = await TestNamespace.create(admin, 'revoked');
    try {
      await own.writeConfigMap('kerbridge-revocations', data);
      const found = await check(admin, { identity: { revocationsConfigMap: { namespace: own.name } } });
      const finding = get(found, 'revocations-config-map');
      expect(finding).toMatchObject({ outcome, fix: expect.stringContaining(fix) });
      expect(`${finding.title} ${finding.detail}`).toContain(detail);
    } finally {
      await own.dispose();
    }
  });

  it('warns where there is no ConfigMap of revocations, and the command makes one', async () => {
    const own = await TestNamespace.create(admin, 'revoked');
    try {
      const again = () => check(admin, { identity: { revocationsConfigMap: { namespace: own.name } } });
      const finding = get(await again(), 'revocations-config-map');
      expect(finding.outcome).toBe('warning');
      await shell(commandsOf(finding).split(';')[0] ?? '');
      expect(get(await again(), 'revocations-config-map').outcome).toBe('ok');
    } finally {
      await own.dispose();
    }
  });

  it('lists opted-in namespaces that let pods mount their nodes', async () => {
    const core = loadConfig(admin).makeApiClient(CoreV1Api);
    const enforce = 'pod-security.kubernetes.io/enforce';
    const levels = [undefined, 'privileged', 'baseline', 'restricted'];
    const namespaces = await Promise.all(levels.map(() => TestNamespace.create(admin, 'opted')));
    try {
      for (const [index, { name }] of namespaces.entries()) {
        const level = levels[index];
        await core.replaceNamespace({
          name,
          body: {
            metadata: {
              name,
              labels: { iddecorator: 'enabled', ...(level === undefined ? {} : { [enforce]: level }) },
            },
          },
        });
      }
      const found = await check(admin);
      const [none, privileged, baseline, restricted] = namespaces.map(({ name }) => `pod-security:${name}`);
      expect(get(found, none ?? '')).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining('nothing'),
      });
      expect(get(found, privileged ?? '').fix).toContain(`${enforce}=baseline`);
      expect([...found.keys()]).not.toContain(baseline);
      expect([...found.keys()]).not.toContain(restricted);
    } finally {
      for (const each of namespaces) await each.dispose();
    }
  });
});
