import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import type { OperatorCalls } from '../../../src/kubernetes/operator-calls.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeConfigMaps } from '../../fakes/fake-config-maps.ts';
import { readStack } from '../../stack/stack.ts';
import { TestNamespace } from '../kubernetes-objects.ts';

/** What both do. */
interface World {
  readonly namespace: string;
  readonly calls: Pick<OperatorCalls, 'getConfigMap' | 'createConfigMap' | 'patchConfigMap'>;
  /** Time of the API server. */
  pass(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

async function fakeWorld(): Promise<World> {
  const clock = new FakeClock();
  return await Promise.resolve({
    namespace: 'kerbridge',
    calls: new FakeConfigMaps(clock),
    pass: (ms) => clock.advance(ms),
    dispose: async () => await Promise.resolve(),
  });
}

async function realWorld(): Promise<World> {
  const { admin } = (await readStack()).kubernetes.kubeconfig;
  const namespace = await TestNamespace.create(admin);
  const api = loadKubernetesApi({ kubeconfig: admin });
  return {
    namespace: namespace.name,
    calls: api,
    pass: (ms) => systemClock.sleep(ms),
    dispose: async () => {
      api.close();
      await namespace.dispose();
    },
  };
}

describe.each([
  ['the fake', fakeWorld],
  ['kube-apiserver', realWorld],
])('%s', (_name, open) => {
  let world: World;

  beforeAll(async () => {
    world = await open();
  }, 60_000);
  afterAll(async () => {
    await world.dispose();
  }, 60_000);

  const idOf = (name: string) => ({ namespace: world.namespace, name });

  it('says that there is none, and patches none', async () => {
    const { calls } = world;
    expect(await calls.getConfigMap(idOf('none'))).toBeUndefined();
    expect(await calls.patchConfigMap(idOf('none'), { resourceVersion: '1', data: {} })).toBe(false);
  });

  it('creates one, once', async () => {
    const { calls } = world;
    expect(await calls.createConfigMap(idOf('once'), { a: '1' })).toBe(true);
    expect(await calls.createConfigMap(idOf('once'), { a: '2' })).toBe(false);
    expect(await calls.getConfigMap(idOf('once'))).toMatchObject({ data: { a: '1' } });
  });

  it('changes the keys that are named, only as they were read', async () => {
    const { calls } = world;
    const id = idOf('swapped');
    await calls.createConfigMap(id, { a: '1', other: 'x' });
    const { resourceVersion = '' } = (await calls.getConfigMap(id)) ?? {};
    expect(await calls.patchConfigMap(id, { resourceVersion, data: { a: '2' } })).toBe(true);
    expect(await calls.patchConfigMap(id, { resourceVersion, data: { a: '3' } })).toBe(false);
    expect(await calls.getConfigMap(id)).toMatchObject({ data: { a: '2', other: 'x' } });
  });

  it('says when data was written last, in whole seconds, and only of data', async () => {
    const { calls } = world;
    const id = idOf('timed');
    await calls.createConfigMap(id, { a: '1' });
    const first = await calls.getConfigMap(id);
    expect(first?.dataWrittenAt).toBeGreaterThan(0);
    expect((first?.dataWrittenAt ?? 0) % 1000).toBe(0);
    await world.pass(1_100);
    await calls.patchConfigMap(id, { resourceVersion: first?.resourceVersion ?? '', data: { a: '2' } });
    const second = await calls.getConfigMap(id);
    expect(second?.dataWrittenAt).toBeGreaterThan(first?.dataWrittenAt ?? 0);
    await world.pass(1_100);
    // Nothing in it is other than before.
    await calls.patchConfigMap(id, { resourceVersion: second?.resourceVersion ?? '', data: { a: '2' } });
    expect((await calls.getConfigMap(id))?.dataWrittenAt).toBe(second?.dataWrittenAt);
  });

  it('lets one of two through', async () => {
    const { calls } = world;
    const id = idOf('contested');
    await calls.createConfigMap(id, { a: '0' });
    const { resourceVersion = '' } = (await calls.getConfigMap(id)) ?? {};
    const won = await Promise.all(
      ['1', '2', '3', '4'].map((a) => calls.patchConfigMap(id, { resourceVersion, data: { a } })),
    );
    expect(won.filter(Boolean)).toHaveLength(1);
  });
});
