import { describe, expect, it } from '@jest/globals';
import type { PodView } from '../../authentication/kubernetes-access.ts';
import { buildPodHolders } from './build-pod-holders.ts';

const POD: PodView = {
  namespace: 'team-a',
  name: 'p',
  uid: 'u',
  serviceAccount: 'default',
  phase: 'Running',
  createdAt: 1_000,
  deletionTimestamp: undefined,
  podIps: [],
  annotations: { stamp: 'alice', other: 'x' },
};
const ALICE = { namespace: 'team-a', uid: 'u', stampedUser: 'alice', createdAt: 1_000 };

function setUp({ fresh = true, pages = [[POD]] }: { fresh?: boolean; pages?: readonly PodView[][] } = {}) {
  const asked: unknown[] = [];
  const holders = buildPodHolders({
    reflector: {
      list: () => pages.flat(),
      state: () => ({
        synced: true,
        fresh,
        pods: 1,
        resourceVersion: '7',
        lastHeardAt: 1,
      }),
    },
    listPods: async function* (...args) {
      asked.push(args);
      await Promise.resolve();
      for (const page of pages) {
        args[1]?.signal?.throwIfAborted();
        yield page;
      }
    },
    annotation: 'stamp',
  });
  return { holders, asked };
}

const both = async (pods: readonly PodView[]): Promise<unknown[]> => {
  const { holders } = setUp({ pages: [[...pods]] });
  const seen = [...(holders.lastSeen() ?? [])];
  expect(await holders.listNow(undefined)).toEqual(seen);
  return seen;
};

describe('buildPodHolders', () => {
  it.each<[string, Partial<PodView>]>([
    ['runs', {}],
    ['has not begun', { phase: 'Pending' }],
    ['nobody has heard of', { phase: 'Unknown' }],
    ['is terminating', { deletionTimestamp: 5 }],
  ])('counts a pod that %s', async (_, change) => {
    expect(await both([{ ...POD, ...change }])).toEqual([ALICE]);
  });

  it.each(['Succeeded', 'Failed'])('does not count a pod that has ended: %s', async (phase) => {
    expect(
      await both([
        { ...POD, phase },
        { ...POD, phase, deletionTimestamp: 5 },
      ]),
    ).toEqual([]);
  });

  it.each<[string, Record<string, string>]>([
    ['no annotations', {}],
    ['another', { other: 'alice' }],
  ])('has a pod with %s stamped for nobody', async (_, annotations) => {
    expect(await both([{ ...POD, annotations }])).toEqual([{ ...ALICE, stampedUser: undefined }]);
  });

  it('takes no annotation for one that a pod has by nature', async () => {
    const { holders } = setUp();
    const byNature = buildPodHolders({
      reflector: { list: () => [POD], state: () => ({ ...stateOf(), fresh: true }) },
      listPods: () => nothing(),
      annotation: 'toString',
    });
    expect([...(byNature.lastSeen() ?? [])]).toEqual([{ ...ALICE, stampedUser: undefined }]);
    expect([...(holders.lastSeen() ?? [])]).toEqual([ALICE]);
  });

  it('says nothing of what was last seen when that cannot be vouched for', () => {
    expect(setUp({ fresh: false }).holders.lastSeen()).toBeUndefined();
  });

  it('asks for one namespace, with the signal, and puts the pages together', async () => {
    const { holders, asked } = setUp({ pages: [[POD], [{ ...POD, uid: 'v' }], []] });
    const { signal } = new AbortController();
    expect((await holders.listNow('team-a', { signal })).map(({ uid }) => uid)).toEqual(['u', 'v']);
    expect(asked).toEqual([['team-a', { signal }]]);
  });

  it('gives no part of a list that breaks', async () => {
    const { holders } = setUp();
    await expect(
      holders.listNow(undefined, { signal: AbortSignal.abort(new Error('left')) }),
    ).rejects.toThrow('left');
  });
});

const stateOf = () => ({ synced: true, fresh: false, pods: 0, resourceVersion: undefined, lastHeardAt: 0 });

async function* nothing(): AsyncGenerator<readonly PodView[]> {
  await Promise.resolve();
  yield [];
}
