import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CoreV1Api, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import type { PodView } from '../../../src/authentication/kubernetes-access.ts';
import { buildPodHolders } from '../../../src/commands/serve/build-pod-holders.ts';
import { type KubernetesApi, loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import type {
  PodReflector,
  PodReflectorEvent,
  PodReflectorOptions,
} from '../../../src/kubernetes/pod-reflector/pod-reflector.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { type KubernetesControl, kubernetesControl, readStack, type Stack } from '../../stack/stack.ts';
import {
  createServiceAccountLogin,
  kubeconfigFor,
  loadConfig,
  type ServiceAccountLogin,
  TestNamespace,
} from '../kubernetes-objects.ts';
import { SilentProxy } from './silent-proxy.ts';

const USER = 'iddecorator.username';
/** Longer than a watch must live to count as a success, so that going on is not put off. */
const SHORT_SILENCE_LIMIT_MS = 6_000;

let stack: Stack;
let core: CoreV1Api;
let control: KubernetesControl;
let login: ServiceAccountLogin;
let namespace: TestNamespace;
let api: KubernetesApi;
let reflector: PodReflector;
let goneUids: string[];
let events: PodReflectorEvent[];

beforeAll(async () => {
  stack = await readStack();
  control = kubernetesControl(stack);
  core = loadConfig(stack.kubernetes.kubeconfig.admin).makeApiClient(CoreV1Api);
  login = await createServiceAccountLogin(stack.kubernetes.kubeconfig.admin, [
    { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] },
  ]);
});
afterAll(async () => {
  await control[Symbol.asyncDispose]();
  await login.dispose();
});

beforeEach(async () => {
  namespace = await TestNamespace.create(stack.kubernetes.kubeconfig.admin);
  goneUids = [];
  events = [];
  api = loadKubernetesApi({ kubeconfig: login.kubeconfig });
  reflector = create();
});
afterEach(async () => {
  await reflector.stop();
  api.close();
  await control[Symbol.asyncDispose]();
  await namespace.dispose();
});

function create(options: Partial<PodReflectorOptions> & { readonly labelSelector?: string } = {}) {
  return api.createPodReflector({
    annotationKeys: [USER],
    clock: systemClock,
    random: () => 0,
    onGone: (uid) => goneUids.push(uid),
    onEvent: (event) => events.push(event),
    ...options,
  });
}

/** From now on `api` reaches the API server through the proxy. */
async function goThrough(proxy: SilentProxy): Promise<AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-reflector-'));
  const config = loadConfig(login.kubeconfig);
  const ownToken = new Secret(config.getCurrentUser()?.token ?? '');
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, await kubeconfigFor(config, ownToken, { server: proxy.url }), { mode: 0o600 });
  api.close();
  api = loadKubernetesApi({ kubeconfig });
  return {
    [Symbol.asyncDispose]: async () => {
      await reflector.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function sync(): Promise<void> {
  reflector.start();
  await reflector.waitUntilSynced(AbortSignal.timeout(20_000));
}

const seen = (): string[] =>
  Array.from(reflector.list(), (pod) => `${pod.namespace}/${pod.name} ${pod.uid} ${pod.phase}`).sort();

async function listed(): Promise<string[]> {
  const { items } = await core.listPodForAllNamespaces();
  return items
    .map(
      ({ metadata, status }) =>
        `${metadata?.namespace}/${metadata?.name} ${metadata?.uid} ${status?.phase ?? 'Pending'}`,
    )
    .sort();
}

async function until(what: () => boolean | Promise<boolean>, timeoutMs = 40_000): Promise<void> {
  const giveUpAt = systemClock.now() + timeoutMs;
  while (!(await what())) {
    if (systemClock.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms: ${what.toString()}`);
    await systemClock.sleep(50);
  }
}

/** The reflector holds exactly what an administrator's LIST gives now. */
async function expectWhole(): Promise<void> {
  const fresh = await listed();
  await until(() => reflector.state().fresh && JSON.stringify(seen()) === JSON.stringify(fresh)).catch(
    () => undefined,
  );
  expect(seen()).toEqual(fresh);
  expect(reflector.state()).toMatchObject({ synced: true, fresh: true, pods: fresh.length });
}

/** Creates, changes, deletes and creates anew: what must not be missed. */
async function changeEverything(before: Before): Promise<void> {
  await namespace.deletePod(before.deleted, 0);
  await namespace.deletePod(before.replaced, 0);
  await namespace.createPod({ name: before.replaced.name, user: 'bob' });
  await namespace.setPhase(before.ended, 'Succeeded');
  await namespace.createPod({ user: 'carol' });
}

type Before = Record<'deleted' | 'replaced' | 'ended', Awaited<ReturnType<TestNamespace['createPod']>>>;

async function createSome(): Promise<Before> {
  return {
    deleted: await namespace.createPod({ user: 'alice' }),
    replaced: await namespace.createPod({ user: 'alice' }),
    ended: await namespace.createPod({ user: 'alice' }),
  };
}

async function expectChanges(before: Before): Promise<void> {
  await expectWhole();
  expect([...goneUids].sort()).toEqual([before.deleted.uid, before.replaced.uid, before.ended.uid].sort());
  expect(reflector.lookUp(namespace.name, before.deleted.name)).toBeUndefined();
  expect(reflector.lookUp(namespace.name, before.replaced.name)?.annotations).toEqual({ [USER]: 'bob' });
}

const failures = () => events.filter((event) => event.type === 'failed');
const count = (type: PodReflectorEvent['type']): number =>
  events.filter((event) => event.type === type).length;

describe('on the real API server', () => {
  it('sees what is there, and what is created, changed, deleted and created anew', async () => {
    const before = await createSome();
    await sync();
    await expectWhole();
    const pod = await namespace.createPod({
      podIp: '2001:db8::7',
      annotations: { other: 'x' },
      user: 'alice',
    });
    await until(() => reflector.lookUp(namespace.name, pod.name)?.phase === 'Running');
    expect(reflector.lookUp(namespace.name, pod.name)).toEqual({
      ...pod,
      phase: 'Running',
      createdAt: expect.any(Number),
      deletionTimestamp: undefined,
      podIps: ['2001:db8::7'],
      annotations: { [USER]: 'alice' },
    });
    await namespace.deletePod(pod, 30);
    await until(() => reflector.lookUp(namespace.name, pod.name)?.deletionTimestamp !== undefined);
    expect(goneUids).toEqual([]);
    await changeEverything(before);
    await expectChanges(before);
    expect(count('listed')).toBe(1);
    expect(failures()).toEqual([]);
  });

  it('follows a label selector: a pod that loses its label is gone', async () => {
    reflector = create({ labelSelector: `kerbridge-test=${namespace.name}` });
    const [inside, outside] = [await namespace.createPod(), await namespace.createPod()];
    const label = async (name: string, value: string | null) => {
      await core.patchNamespacedPod(
        {
          namespace: namespace.name,
          name,
          body: { metadata: { labels: { 'kerbridge-test': value } } },
        },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      );
    };
    await label(inside.name, namespace.name);
    await sync();
    expect(Array.from(reflector.list(), ({ uid }) => uid)).toEqual([inside.uid]);
    await label(outside.name, namespace.name);
    await until(() => reflector.state().pods === 2);
    await label(inside.name, null);
    await until(() => reflector.state().pods === 1);
    expect(Array.from(reflector.list(), ({ uid }) => uid)).toEqual([outside.uid]);
    expect(goneUids).toEqual([inside.uid]);
  });

  it('reads several pages', async () => {
    for (let n = 0; n < 12; n += 1)
      await core.createNamespacedPod({
        namespace: namespace.name,
        body: {
          // Twelve of them are more than a reply may have: they are asked for in smaller pages.
          metadata: { name: `large-${n}`, annotations: { blob: 'x'.repeat(200_000), [USER]: 'alice' } },
          spec: {
            containers: Array.from({ length: 60 }, (_, i) => ({
              name: `c-${i}`,
              image: 'none',
              env: [{ name: 'PADDING', value: 'y'.repeat(12_000) }],
            })),
          },
        },
      });
    await sync();
    await expectWhole();
    expect(events.find(({ type }) => type === 'listed')).toMatchObject({ pages: expect.any(Number) });
    const list = events.find((event) => event.type === 'listed');
    expect(list?.pages).toBeGreaterThan(1);
  });

  it('lists what there is now, of all namespaces or of one, whatever the labels', async () => {
    const terminating = await namespace.createPod({ user: 'alice' });
    const pods = [terminating, await namespace.createPod({ user: 'bob', phase: 'Succeeded' })];
    await namespace.deletePod(terminating, 30);
    const read = async (of: string | undefined): Promise<PodView[]> => {
      const found: PodView[] = [];
      for await (const page of api.listPods(of)) found.push(...page);
      return found;
    };
    const from = systemClock.now() - 60_000;
    const own = await read(namespace.name);
    expect(own.map(({ uid }) => uid).toSorted()).toEqual(pods.map(({ uid }) => uid).toSorted());
    for (const { createdAt } of own) {
      expect(createdAt % 1_000).toBe(0);
      expect(createdAt).toBeGreaterThan(from);
      expect(createdAt).toBeLessThanOrEqual(systemClock.now());
    }
    const all = (await read(undefined)).map((pod) => `${pod.namespace}/${pod.name} ${pod.uid} ${pod.phase}`);
    expect(all.toSorted()).toEqual(await listed());
    const holders = buildPodHolders({ reflector, listPods: api.listPods, annotation: USER });
    expect(holders.lastSeen()).toBeUndefined();
    const expected = [expect.objectContaining({ uid: terminating.uid, stampedUser: 'alice' })];
    expect(await holders.listNow(namespace.name)).toEqual(expected);
    await sync();
    const seenNow = [...(holders.lastSeen() ?? [])].filter((pod) => pod.namespace === namespace.name);
    expect(seenNow).toEqual(expected);
  });

  it('asks again for ever when it may not list, and says which right is missing', async () => {
    const other = await createServiceAccountLogin(stack.kubernetes.kubeconfig.admin, []);
    const otherApi = loadKubernetesApi({ kubeconfig: other.kubeconfig });
    try {
      reflector = otherApi.createPodReflector({
        annotationKeys: [],
        clock: systemClock,
        random: () => 0,
        onEvent: (event) => events.push(event),
      });
      reflector.start();
      await until(() => failures().length >= 2);
      expect(failures()[0]).toMatchObject({
        error: { code: 'forbidden', fix: expect.stringContaining('`list` and `watch` on `pods`') },
      });
      expect(reflector.state()).toMatchObject({ synced: false });
    } finally {
      await reflector.stop();
      otherApi.close();
      await other.dispose();
    }
  });
});

describe('misses nothing when the API server', () => {
  it('is killed in the middle of a watch, and started again', async () => {
    const before = await createSome();
    await sync();
    await expectWhole();
    await control.kill();
    await until(() => failures().length >= 2);
    expect(failures()[0]).toMatchObject({ error: { code: 'unreachable' } });
    expect(reflector.lookUp(namespace.name, before.ended.name)).toMatchObject({ uid: before.ended.uid });
    await control.start();
    await changeEverything(before);
    await expectChanges(before);
  });

  it('is stopped for longer than the silence limit, and goes on', async () => {
    reflector = create({ silenceLimitMs: SHORT_SILENCE_LIMIT_MS });
    const before = await createSome();
    await sync();
    await control.pause();
    await until(() => failures().length >= 1 && !reflector.state().fresh);
    expect(failures()[0]).toMatchObject({ error: { code: 'timeout' } });
    expect(reflector.lookUp(namespace.name, before.ended.name)).toBeUndefined();
    await control.resume();
    await changeEverything(before);
    await expectChanges(before);
  });

  it('has forgotten where the watch was: 410 Gone', async () => {
    await using proxy = await SilentProxy.before(stack.kubernetes.server);
    await using _ = await goThrough(proxy);
    reflector = create();
    const before = await createSome();
    await sync();
    await expectWhole();
    proxy.refuse(true);
    await changeEverything(before);
    await control.compact();
    // It keeps what etcd has forgotten in a cache of its own.
    await control.kill();
    await control.start();
    expect(count('listed')).toBe(1);
    proxy.refuse(false);
    await expectChanges(before);
    expect(failures()).toContainEqual(
      expect.objectContaining({ relist: true, error: expect.objectContaining({ httpStatus: 410 }) }),
    );
    expect(count('listed')).toBe(2);
  });

  it('falls silent behind a proxy that passes no byte any more', async () => {
    await using proxy = await SilentProxy.before(stack.kubernetes.server);
    await using _ = await goThrough(proxy);
    reflector = create({ silenceLimitMs: SHORT_SILENCE_LIMIT_MS });
    const before = await createSome();
    await sync();
    await expectWhole();
    proxy.setSilent(true);
    await changeEverything(before);
    proxy.setSilent(false);
    await until(() => failures().length >= 1);
    expect(failures()[0]).toMatchObject({ error: { code: 'timeout' }, relist: false });
    await expectChanges(before);
    expect(count('listed')).toBe(1);
  });
});
