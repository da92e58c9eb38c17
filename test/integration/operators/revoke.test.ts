import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CoreV1Api, type V1PolicyRule } from '@kubernetes/client-node';
import { parseRevocations } from '../../../src/config/revocations-document.ts';
import { parseRevocationsText } from '../../../src/commands/revocations-text.ts';
import { RevocationList } from '../../../src/identity/revocation-list.ts';
import { loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { createRevocationsConfigMap } from '../../../src/kubernetes/revocations-config-map.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { readStack } from '../../stack/stack.ts';
import {
  createServiceAccountLogin,
  kubeconfigFor,
  LEAST_RULES,
  loadConfig,
  type ServiceAccountLogin,
  TestNamespace,
} from '../kubernetes-objects.ts';
import { kerbridge, type Run } from './kerbridge-process.ts';

const CONFIG_MAPS = { apiGroups: [''], resources: ['configmaps'] };
const NAME = 'kerbridge-revocations';
/** What docs/operations.md gives to operators. */
const OPERATOR_RULES: readonly V1PolicyRule[] = [
  { ...CONFIG_MAPS, resourceNames: [NAME], verbs: ['get', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
];
const READER_RULES: readonly V1PolicyRule[] = [{ ...CONFIG_MAPS, resourceNames: [NAME], verbs: ['get'] }];
const CREATOR_RULES: readonly V1PolicyRule[] = [
  { ...CONFIG_MAPS, verbs: ['get', 'create', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
];

describe('kerbridge revoke on the real API server', () => {
  let admin: string;
  let core: CoreV1Api;
  let operator: ServiceAccountLogin;
  let reader: ServiceAccountLogin;
  let creator: ServiceAccountLogin;
  let nobody: ServiceAccountLogin;
  const namespaces: TestNamespace[] = [];

  beforeAll(async () => {
    admin = (await readStack()).kubernetes.kubeconfig.admin;
    core = loadConfig(admin).makeApiClient(CoreV1Api);
    [operator, reader, creator, nobody] = await Promise.all([
      createServiceAccountLogin(admin, OPERATOR_RULES),
      createServiceAccountLogin(admin, READER_RULES),
      createServiceAccountLogin(admin, CREATOR_RULES),
      createServiceAccountLogin(admin, []),
    ]);
  }, 120_000);
  afterAll(async () => {
    for (const namespace of namespaces) {
      await core.deleteCollectionNamespacedConfigMap({ namespace: namespace.name });
      await namespace.dispose();
    }
    for (const login of [operator, reader, creator, nobody]) await login.dispose();
  }, 120_000);

  async function newNamespace(configMap?: { readonly text: string }): Promise<TestNamespace> {
    const namespace = await TestNamespace.create(admin, 'kerbridge');
    namespaces.push(namespace);
    if (configMap !== undefined) {
      await core.createNamespacedConfigMap({
        namespace: namespace.name,
        body: {
          metadata: { name: NAME, labels: { team: 'ops' } },
          data: configMap.text === '' ? {} : { 'revocations.yaml': configMap.text },
        },
      });
    }
    return namespace;
  }

  const revoke = (login: ServiceAccountLogin, namespace: TestNamespace, ...args: string[]): Promise<Run> =>
    kerbridge('revoke', '--kubeconfig', login.kubeconfig, '--namespace', namespace.name, ...args);
  const read = async (namespace: TestNamespace) => {
    const { data } = await core.readNamespacedConfigMap({ namespace: namespace.name, name: NAME });
    const text = data?.['revocations.yaml'] ?? '';
    return text === '' ? [] : parseRevocations(text);
  };

  it('is refused without the right to read, and to write, and names it', async () => {
    const namespace = await newNamespace({ text: '' });
    for (const [login, verb] of [
      [nobody, 'get'],
      [reader, 'patch'],
    ] as const) {
      const { exitCode, out, error } = await revoke(login, namespace, '--user', 'alice');
      expect([exitCode, out]).toEqual([3, '']);
      expect(error).toBe(
        `kerbridge revoke: ${verb.toUpperCase()} ConfigMap ${namespace.name}/${NAME}: the Kubernetes API answered 403; ` +
          `grant \`${verb}\` on \`configmaps\` (name \`${NAME}\`) in namespace \`${namespace.name}\` with a Role\n`,
      );
    }
    expect(await read(namespace)).toEqual([]);
  }, 60_000);

  it('is refused without the right to create, where there is no ConfigMap', async () => {
    const namespace = await newNamespace();
    const { exitCode, error } = await revoke(operator, namespace, '--user', 'alice');
    expect([exitCode, error]).toEqual([3, expect.stringContaining('`create` on `configmaps` in namespace')]);
  }, 60_000);

  it('is refused without the right to look the pod up, but not with its UID', async () => {
    const namespace = await newNamespace({ text: '' });
    const pod = await namespace.createPod();
    const target = ['--pod', `${namespace.name}/${pod.name}`];
    const refused = await revoke(reader, namespace, ...target);
    expect([refused.exitCode, refused.error]).toEqual([3, expect.stringContaining('`get` on `pods` in')]);
  }, 60_000);

  it('ends with 4 when the API server is not reached', async () => {
    const kubeconfig = join(await mkdtemp(join(tmpdir(), 'kerbridge-revoke-')), 'kubeconfig');
    const nowhere = { server: 'https://127.0.0.1:1' };
    await writeFile(kubeconfig, await kubeconfigFor(loadConfig(admin), new Secret('x'), nowhere));
    const { exitCode, out, error } = await kerbridge('revoke', '--kubeconfig', kubeconfig, '--user', 'alice');
    await rm(dirname(kubeconfig), { recursive: true });
    expect([exitCode, out]).toEqual([4, '']);
    expect(error).toMatch(/no connection to the Kubernetes API: ECONNREFUSED/);
  }, 60_000);

  it('ends with 1 in a namespace that is not there', async () => {
    const { exitCode, error } = await kerbridge(
      ...['revoke', '--kubeconfig', admin, '--namespace', 'no-such-namespace', '--user', 'alice'],
    );
    expect([exitCode, error]).toEqual([1, expect.stringMatching(/is there a namespace no-such-namespace\?/)]);
  }, 60_000);

  it('leaves a list alone that it does not understand', async () => {
    const namespace = await newNamespace({ text: 'revocations: [' });
    const { exitCode, error } = await revoke(operator, namespace, '--user', 'alice');
    expect([exitCode, error]).toEqual([1, expect.stringMatching(/no valid list, and was left as it is/)]);
    await expect(read(namespace)).rejects.toThrow();
  }, 60_000);

  it('revokes a user, with who did it, and takes it back; labels stay', async () => {
    const namespace = await newNamespace({ text: '' });
    const done = await revoke(
      operator,
      namespace,
      '--user',
      'alice',
      '--for',
      '8h',
      '--reason',
      'lost laptop',
    );
    expect([done.exitCode, done.error]).toEqual([0, '']);
    const [revocation] = await read(namespace);
    expect(revocation).toMatchObject({ user: 'alice', reason: 'lost laptop', by: operator.username });
    expect((revocation?.until ?? 0) - (revocation?.revokedAt ?? 0)).toBe(8 * 3_600_000);

    const undone = await revoke(operator, namespace, '--user', 'alice', '--undo');
    expect([undone.exitCode, undone.out]).toEqual([0, expect.stringMatching(/^taken back: user alice\n/)]);
    expect(await read(namespace)).toEqual([]);
    const { metadata } = await core.readNamespacedConfigMap({ namespace: namespace.name, name: NAME });
    expect(metadata?.labels).toEqual({ team: 'ops' });
  }, 60_000);

  it('revokes a pod by its UID, and asks for the UID when it is gone', async () => {
    const namespace = await newNamespace({ text: '' });
    const pod = await namespace.createPod();
    const target = ['--pod', `${namespace.name}/${pod.name}`];
    expect(await revoke(operator, namespace, ...target)).toMatchObject({ exitCode: 0 });
    await namespace.deletePod(pod, 0);
    const gone = await revoke(operator, namespace, ...target);
    expect([gone.exitCode, gone.error]).toEqual([1, expect.stringMatching(/--uid/)]);
    expect(await revoke(operator, namespace, ...target, '--uid', 'another-uid')).toMatchObject({
      exitCode: 0,
    });
    expect(await read(namespace)).toMatchObject([{ pod: { uid: pod.uid } }, { pod: { uid: 'another-uid' } }]);
  }, 60_000);

  it.each([
    ['there is none yet', undefined],
    ['it is there', { text: '' }],
  ])(
    'loses none of those that are made at once, when %s',
    async (_name, configMap) => {
      const namespace = await newNamespace(configMap);
      const users = ['alice', 'bob', 'carol', 'dave'];
      const runs = await Promise.all(users.map((user) => revoke(creator, namespace, '--user', user)));
      expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
      const listed = (await read(namespace)).map((each) => ('user' in each ? each.user : ''));
      expect(listed.toSorted()).toEqual(users);
      expect(runs.filter(({ error }) => error.includes('was not there'))).toHaveLength(
        configMap === undefined ? 1 : 0,
      );
      const { out } = await revoke(reader, namespace, '--list');
      for (const user of users) expect(out).toContain(`user ${user} `);
    },
    120_000,
  );

  it('gets to a replica that may read the ConfigMap and nothing else of it', async () => {
    const namespace = await newNamespace();
    const login = await createServiceAccountLogin(admin, LEAST_RULES);
    const api = loadKubernetesApi({ kubeconfig: login.kubeconfig });
    const configMap = createRevocationsConfigMap(api, { namespace: namespace.name, name: NAME });
    const seen = Promise.withResolvers<undefined>();
    const list = new RevocationList({
      read: (options) => configMap.read(options),
      parse: parseRevocationsText,
      clock: systemClock,
      onEvent: (event) => {
        if (event.type === 'read' && event.revocations === 1) seen.resolve(undefined);
      },
    });
    await list.start();
    expect(list.now()).toEqual({ known: true, revocations: [] });
    expect(await revoke(creator, namespace, '--user', 'alice')).toMatchObject({ exitCode: 0 });
    await seen.promise;
    expect(list.now()).toMatchObject({ known: true, revocations: [{ user: 'alice' }] });
    list.stop();
    api.close();
    await login.dispose();
  }, 60_000);
});
