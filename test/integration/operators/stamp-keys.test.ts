import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parsePrivateKeys } from '../../../src/identity/stamps/read-stamp-keys.ts';
import { kidOfPodStamp } from '../../../src/identity/stamps/pod-stamp.ts';
import { POD_STAMP_ANNOTATION } from '../../../src/identity/stamps/stamp-annotations.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { LeakHunter } from '../../fakes/leak-hunter.ts';
import type { ApiObject } from '../api-caller.ts';
import { ALICE, DecorateWorld, OWN, podBody, podsPath } from '../decorate/decorate-world.ts';
import { DEPLOY } from '../deploy/deploy-copy.ts';
import { kubeconfigFor, loadConfig } from '../kubernetes-objects.ts';
import { until } from '../until.ts';
import { kerbridge, type Run } from './kerbridge-process.ts';

const GROUP = '{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: hadoop-key-keepers }';
const ACCOUNT = '{ kind: ServiceAccount, name: key-keeper, namespace: kerbridge }';
const SECRET_PATH = `/api/v1/namespaces/${OWN}/secrets/kerbridge-stamp-keys`;

interface Listed {
  readonly keys: readonly {
    readonly kid: string;
    readonly role: string;
    readonly published: boolean;
    readonly pods: number | null;
  }[];
}

describe('kerbridge stamp-keys on the real API server, beside the real decorate', () => {
  let world: DecorateWorld;
  /** Of an account with what examples/operators.yaml gives, and of one with nothing. */
  const kubeconfigs = { keeper: '', nobody: '' };
  const hunter = new LeakHunter();
  let printed = '';
  /** By decorate, before it was started again. */
  let logged = '';

  beforeAll(async () => {
    world = await DecorateWorld.open();
    const { kubectl, folder, stack } = world;
    for (const [name, account] of [
      ['keeper', 'key-keeper'],
      ['nobody', 'nobody'],
    ] as const) {
      await kubectl.must(['create', 'serviceaccount', account, '--namespace', OWN]);
      const token = await kubectl.must(['create', 'token', account, '--namespace', OWN, '--duration=2h']);
      kubeconfigs[name] = join(folder, `${account}.kubeconfig`);
      const admin = loadConfig(stack.kubernetes.kubeconfig.admin);
      await writeFile(kubeconfigs[name], await kubeconfigFor(admin, new Secret(token.trim())), {
        mode: 0o600,
      });
      hunter.addJwt(`the token of ${account}`, token.trim());
    }
    const roles = await readFile(join(DEPLOY, 'examples/operators.yaml'), 'utf8');
    expect(roles.split(GROUP)).toHaveLength(3);
    await kubectl.must(['apply', '--filename=-'], { input: roles.replaceAll(GROUP, ACCOUNT) });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  async function stampKeys(args: readonly string[], kubeconfig = kubeconfigs.keeper): Promise<Run> {
    const run = await kerbridge('stamp-keys', ...args, '--kubeconfig', kubeconfig);
    printed += run.out + run.error;
    return run;
  }
  async function done(...args: readonly string[]): Promise<{ readonly kid: string }> {
    const run = await stampKeys([...args, '--json']);
    expect(run).toMatchObject({ exitCode: 0, error: '' });
    return JSON.parse(run.out) as { kid: string };
  }
  async function refused(...args: readonly string[]): Promise<string> {
    const { exitCode, out, error } = await stampKeys(args);
    expect([exitCode, out]).toEqual([3, '']);
    return error;
  }
  const list = async (): Promise<Listed['keys']> => {
    const run = await stampKeys(['list', '--json']);
    expect(run).toMatchObject({ exitCode: 0, error: '' });
    return (JSON.parse(run.out) as Listed).keys;
  };
  /** It looks every 30 s, and at its start. */
  const haveDecorateLook = async (): Promise<void> => {
    logged += world.decorate?.output() ?? '';
    await world.stop();
    await world.start();
  };
  const untilPublished = async (kids: readonly string[]): Promise<void> => {
    await haveDecorateLook();
    await until(
      `published: ${kids.length} keys`,
      async () => (await world.publishedKeys()).keys.map(({ kid }) => kid).join() === kids.join(),
    );
  };
  const makePod = (name: string): Promise<ApiObject> =>
    world.api.must(podsPath(), { method: 'POST', body: podBody(name) }, ALICE);
  const kidOf = (pod: ApiObject): string | undefined =>
    kidOfPodStamp(pod.metadata?.annotations?.[POD_STAMP_ANNOTATION] ?? '');
  const secretText = async (): Promise<string> => {
    const { data } = (await world.api.must(SECRET_PATH, { method: 'GET' })) as {
      data?: Record<string, string>;
    };
    return Buffer.from(data?.['stamp-keys.json'] ?? '', 'base64').toString();
  };
  const hunt = async (): Promise<void> => {
    const { keys } = JSON.parse(await secretText()) as { keys: { kid: string; d: string }[] };
    for (const { kid, d } of keys) hunter.add(`the private part of ${kid}`, d);
  };

  it.each([
    [['list'], '`get` on `secrets` (name `kerbridge-stamp-keys`) in namespace `kerbridge`'],
    [['announce'], '`get` on `secrets` (name `kerbridge-stamp-keys`) in namespace `kerbridge`'],
  ])('is refused without the right, and names it: %j', async (args, right) => {
    const { exitCode, out, error } = await stampKeys(args, kubeconfigs.nobody);
    expect([exitCode, out, error]).toEqual([3, '', expect.stringContaining(right)]);
  });

  it('rotates the key under pods that run, and loses none of them', async () => {
    const before = await makePod('before');
    const [{ kid: old } = { kid: '' }] = await list();
    expect(kidOf(before)).toBe(old);
    await hunt();
    await world.api.must(SECRET_PATH, {
      method: 'PATCH',
      kind: 'merge',
      body: { metadata: { labels: { backup: 'daily' } } },
    });

    const { kid } = await done('announce');
    await hunt();
    expect(await refused('announce')).toContain(`${kid} was announced and does not sign yet`);
    expect(await refused('promote', '--now')).toContain(`does not have ${kid}`);
    await untilPublished([old, kid]);
    expect(await list()).toEqual([
      { kid: old, role: 'signs', published: true, pods: 1 },
      { kid, role: 'announced', published: true, pods: 0 },
    ]);

    expect(await refused('promote')).toContain('was written less than five minutes ago');
    expect(kidOf(await makePod('during'))).toBe(old);
    expect(await done('promote', '--now')).toMatchObject({ kid, before: old });
    expect(await refused('retire', '--key', old, '--now')).toContain(`does not say yet that ${kid} signs`);
    await untilPublished([kid, old]);

    const after = await makePod('after');
    expect(kidOf(after)).toBe(kid);
    for (const pod of [before, after]) expect(await world.stampOf(pod)).toMatchObject({ user: 'alice' });

    expect(await refused('retire', '--key', kid, '--stolen')).toContain(`${kid} signs`);
    expect(await refused('retire', '--key', old)).toContain('was written less than five minutes ago');
    expect(await refused('retire', '--key', old, '--now')).toMatch(
      /2 live pod\(s\) carry a stamp of .*: team\/before, team\/during\. /,
    );
    for (const name of ['before', 'during']) {
      await world.kubectl.must(['delete', 'pod', name, '--namespace=team', '--grace-period=0', '--force']);
    }
    expect(await done('retire', '--key', old, '--now')).toMatchObject({ kid: old, pods: 0 });
    await untilPublished([kid]);
    expect(await world.stampOf(before)).toBe('unknown-key');
    expect(await world.stampOf(after)).toMatchObject({ user: 'alice' });
    expect(await list()).toEqual([{ kid, role: 'signs', published: true, pods: 1 }]);
  });

  it('left what else is on the Secret, and one key set of its type', async () => {
    const secret = await world.api.must(SECRET_PATH, { method: 'GET' });
    expect(secret.metadata?.labels).toEqual({ backup: 'daily', 'app.kubernetes.io/managed-by': 'kerbridge' });
    expect(secret.metadata?.annotations).toEqual({ 'kerbridge.dev/purpose': expect.any(String) });
    expect(parsePrivateKeys(await secretText())).toMatchObject({ ok: true, keys: { keys: [{}] } });
  });

  it('loses nothing of what two operators do at once', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => stampKeys(['announce', '--another', '--json'])));
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    await hunt();
    const added = runs.map(({ out }) => (JSON.parse(out) as { kid: string }).kid);
    const announced = (await list()).filter(({ role }) => role === 'announced');
    expect(announced.map(({ kid }) => kid).toSorted()).toEqual(added.toSorted());
  });

  it('could not check without the right to list pods, and changes nothing', async () => {
    const [, { kid } = { kid: '' }] = await list();
    await world.kubectl.must(['delete', 'clusterrolebinding', 'kerbridge-list-pods']);
    const text = await secretText();
    // RBAC is cached by the API server for a moment.
    await until('the right is gone', async () => (await stampKeys(['list'])).exitCode === 3);
    expect(await refused('retire', '--key', kid, '--now')).toMatch(
      /could not check which pods .*; grant `list` on `pods` in all namespaces with a ClusterRole; --stolen does not ask/,
    );
    expect(await secretText()).toBe(text);
    const { exitCode, error } = await stampKeys(['retire', '--key', kid, '--stolen']);
    expect([exitCode, error]).toEqual([0, expect.stringContaining('could not count the pods')]);
  });

  it('has printed nothing of a private key or a token', () => {
    expect(printed).not.toBe('');
    expect(hunter.search(printed + logged + (world.decorate?.output() ?? ''), 'what was printed')).toEqual(
      [],
    );
  });
});
