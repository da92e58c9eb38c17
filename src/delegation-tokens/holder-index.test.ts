import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeTokenService } from '../../test/fakes/fake-token-service.ts';
import { recordedToken } from '../../test/fakes/recorded-token.ts';
import { CLOCK_SLACK_MS, HolderIndex } from './holder-index.ts';
import type { HolderPod } from './holders.ts';
import { createLiveToken, type LiveToken, type Slot } from './live-token.ts';
import type { RecordedToken, TokenScope } from './token-record.ts';

const RETIRED_AT = Date.parse('2026-01-01T00:00:00Z');
const LAG_MS = 30_000;
const id = { namespace: 'science', owner: 'alice' };
const source = {
  cluster: 'prod',
  name: 'ns1',
  kind: 'HDFS_DELEGATION_TOKEN',
  renewer: 'kerbridge',
  services: ['ha-hdfs:ns1'],
  tokenService: new FakeTokenService({ clock: new FakeClock() }),
};

const pod = (change: Partial<HolderPod> = {}): HolderPod => ({
  namespace: 'science',
  uid: 'uid-1',
  stampedUser: 'alice',
  createdAt: RETIRED_AT - 60_000,
  ...change,
});

const liveToken = (
  scope: TokenScope,
  { isCurrent = true, ...recorded }: Partial<RecordedToken> & { readonly isCurrent?: boolean } = {},
): LiveToken => {
  const slot: Slot = {
    key: '',
    id,
    source,
    scope,
    stampedUser: 'alice',
    current: undefined,
    generations: [],
  };
  const live = createLiveToken(recordedToken(id, recorded), slot);
  if (isCurrent) slot.current = live;
  return live;
};

const ALL_SCOPES = new Set(['namespace', 'user', 'pod'] as const);

const count = async (live: LiveToken, ...pods: HolderPod[]): Promise<number> => {
  const index = await HolderIndex.of(pods, { scopes: ALL_SCOPES, breathe: () => Promise.resolve() });
  return index.holdersOf(live, LAG_MS);
};

const ofUser: TokenScope = { type: 'user' };
const ofNamespace: TokenScope = { type: 'namespace', namespace: 'science' };
const ofPod: TokenScope = { type: 'pod', namespace: 'science', podUid: 'uid-1' };

describe('who may hold a token', () => {
  it.each<[string, Partial<HolderPod>, { user: number; namespace: number; pod: number }]>([
    ['the pod itself', {}, { user: 1, namespace: 1, pod: 1 }],
    ['another pod', { uid: 'uid-2' }, { user: 1, namespace: 1, pod: 0 }],
    ['a pod of another namespace', { namespace: 'other', uid: 'uid-2' }, { user: 1, namespace: 0, pod: 0 }],
    ['a pod of another user', { stampedUser: 'bob' }, { user: 0, namespace: 0, pod: 0 }],
    ['a pod of nobody', { stampedUser: undefined }, { user: 0, namespace: 0, pod: 0 }],
    ['a pod with a stamp that is none', { stampedUser: 'bob\nalice' }, { user: 0, namespace: 0, pod: 0 }],
    ['a pod with an empty stamp', { stampedUser: '' }, { user: 0, namespace: 0, pod: 0 }],
    ['a pod that is new', { createdAt: RETIRED_AT + 1e9 }, { user: 1, namespace: 1, pod: 1 }],
  ])('%s, by its scope', async (_, change, expected) => {
    const counts = {
      user: await count(liveToken(ofUser), pod(change)),
      namespace: await count(liveToken(ofNamespace), pod(change)),
      pod: await count(liveToken(ofPod), pod(change)),
    };
    expect(counts).toEqual(expected);
  });

  it.each([
    [-1, 1],
    [0, 1],
    [LAG_MS + CLOCK_SLACK_MS - 1, 1],
    [LAG_MS + CLOCK_SLACK_MS, 0],
  ])('of a retired one: a pod that was created %d ms after that (%d)', async (ms, expected) => {
    for (const tombstone of [{}, { tombstonedAt: RETIRED_AT + 5 }]) {
      const live = liveToken(ofNamespace, { isCurrent: false, retiredAt: RETIRED_AT, ...tombstone });
      expect(await count(live, pod({ createdAt: RETIRED_AT + ms }))).toBe(expected);
    }
  });

  it('of a retired one: all, if one of them was there before', async () => {
    const live = liveToken(ofNamespace, { isCurrent: false, retiredAt: RETIRED_AT });
    const late = pod({ uid: 'uid-2', createdAt: RETIRED_AT + 1e9 });
    for (const pods of [
      [pod(), late],
      [late, pod()],
    ])
      expect(await count(live, ...pods)).toBe(2);
  });

  it('of one that is no longer current, but not retired: all', async () => {
    const live = liveToken(ofNamespace, { isCurrent: false });
    expect(await count(live, pod({ createdAt: RETIRED_AT + 1e9 }))).toBe(1);
  });

  it('are counted with pauses', async () => {
    let breaths = 0;
    const pods = Array.from({ length: 10_000 }, (_, n) => pod({ uid: `uid-${n}` }));
    const breathe = () => {
      breaths += 1;
      return Promise.resolve();
    };
    const index = await HolderIndex.of(pods, { scopes: ALL_SCOPES, breathe });
    expect([index.holdersOf(liveToken(ofUser), LAG_MS), breaths]).toEqual([10_000, 20]);
  });
});
