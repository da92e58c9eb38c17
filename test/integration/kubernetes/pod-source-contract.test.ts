import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CoreV1Api, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { loadKubeConfig } from '../../../src/kubernetes/load-kube-config.ts';
import { POD } from '../../../src/kubernetes/pod-reflector/pod-reflector.ts';
import { readAnyPod } from '../../../src/kubernetes/read-reply.ts';
import {
  createHttpObjectSource,
  type ObjectSource,
} from '../../../src/kubernetes/reflector/object-source.ts';
import { LineSplitter, readWatchEvent } from '../../../src/kubernetes/reflector/watch-events.ts';
import { Transport } from '../../../src/kubernetes/transport.ts';
import { FakePodSource } from '../../fakes/fake-pod-source.ts';
import { readStack } from '../../stack/stack.ts';
import { loadConfig, TestNamespace, type TestPod } from '../kubernetes-objects.ts';

/** Pods come and go, and a source tells of them. */
interface World {
  readonly source: ObjectSource;
  create(name: string): Promise<{ readonly uid: string }>;
  setPhase(name: string, phase: string): Promise<void>;
  delete(name: string): Promise<void>;
  dispose(): Promise<void>;
}

async function fakeWorld(): Promise<World> {
  const source = new FakePodSource();
  const pods = new Map<string, { name: string; uid: string }>();
  let created = 0;
  const known = (name: string) => pods.get(name) ?? { name, uid: '' };
  return await Promise.resolve({
    source,
    create: async (name: string) => {
      created += 1;
      const pod = { name, uid: `uid-${created}` };
      pods.set(name, pod);
      source.put(pod);
      return await Promise.resolve(pod);
    },
    setPhase: async (name: string, phase: string) => {
      source.put({ ...known(name), phase });
      await Promise.resolve();
    },
    delete: async (name: string) => {
      source.delete(known(name));
      await Promise.resolve();
    },
    dispose: async () => {
      await Promise.resolve();
    },
  });
}

async function realWorld(): Promise<World> {
  const { admin } = (await readStack()).kubernetes.kubeconfig;
  const namespace = await TestNamespace.create(admin);
  const core = loadConfig(admin).makeApiClient(CoreV1Api);
  const kubeConfig = loadKubeConfig({ kubeconfig: admin });
  const transport = new Transport({ kubeConfig, timeoutMs: 5_000 });
  const server = kubeConfig.getCurrentCluster()?.server ?? '';
  const pods = new Map<string, TestPod>();
  const podOf = (name: string): TestPod => {
    const pod = pods.get(name);
    if (pod === undefined) throw new Error(`no pod ${name}`);
    return pod;
  };
  return {
    source: createHttpObjectSource({
      transport,
      server,
      of: POD,
      labelSelector: `contract=${namespace.name}`,
    }),
    create: async (name) => {
      const pod = await namespace.createPod({ name });
      pods.set(name, pod);
      const body = { metadata: { labels: { contract: namespace.name } } };
      await core.patchNamespacedPod(
        { namespace: namespace.name, name, body },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      );
      return pod;
    },
    setPhase: (name, phase) => namespace.setPhase(podOf(name), phase),
    delete: (name) => namespace.deletePod(podOf(name), 0),
    dispose: async () => {
      transport.close();
      await namespace.dispose();
    },
  };
}

describe.each([
  ['the fake', fakeWorld],
  ['kube-apiserver', realWorld],
])('%s', (_, open) => {
  let world: World;
  const { signal } = new AbortController();

  beforeAll(async () => {
    world = await open();
  });
  afterAll(async () => {
    await world.dispose();
  });

  /** The first events of a watch, as `type name uid phase`. */
  async function firstEvents(resourceVersion: string, count: number): Promise<string[]> {
    const over = new AbortController();
    const lines = new LineSplitter();
    const events: string[] = [];
    for await (const chunk of await world.source.openWatch(
      { resourceVersion, timeoutSeconds: 60 },
      over.signal,
    )) {
      for (const line of lines.push(chunk)) {
        const event = readWatchEvent(line, POD);
        if (event.type === 'bookmark') continue;
        const shown = `${event.type} ${event.object.name} ${event.object.uid} ${event.object.phase}`;
        // The API server changes more than what was asked for, a deletionTimestamp before the deletion.
        if (shown !== events.at(-1)) events.push(shown);
        expect(Number(event.resourceVersion)).toBeGreaterThan(Number(resourceVersion));
      }
      if (events.length >= count) break;
    }
    over.abort();
    return events;
  }

  it('tells in a watch what happened after the list, in order, and no more', async () => {
    const before = await world.create('before');
    const page = await world.source.listPage(undefined, signal);
    expect(page.continueFrom).toBeUndefined();
    expect(page.items.map((pod) => readAnyPod(pod).uid)).toEqual([before.uid]);
    await world.setPhase('before', 'Succeeded');
    await world.delete('before');
    const again = await world.create('before');
    expect(await firstEvents(page.resourceVersion, 3)).toEqual([
      `put before ${before.uid} Succeeded`,
      `delete before ${before.uid} Succeeded`,
      `put before ${again.uid} Running`,
    ]);
  });

  it('starts nothing for a caller that has left', async () => {
    const left = AbortSignal.abort(new Error('left'));
    await expect(world.source.listPage(undefined, left)).rejects.toThrow('left');
    await expect(world.source.openWatch({ resourceVersion: '1', timeoutSeconds: 60 }, left)).rejects.toThrow(
      'left',
    );
  });

  it('ends a watch with the reason of the caller who leaves', async () => {
    const { resourceVersion } = await world.source.listPage(undefined, signal);
    const over = new AbortController();
    const body = await world.source.openWatch({ resourceVersion, timeoutSeconds: 60 }, over.signal);
    const reading = (async () => {
      for await (const chunk of body) expect(chunk).toBeInstanceOf(Buffer);
    })();
    over.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });
});
