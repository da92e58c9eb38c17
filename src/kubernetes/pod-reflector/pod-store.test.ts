import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { PodView } from '../../authentication/kubernetes-access.ts';
import { compileUserPattern } from '../../identity/user-name.ts';
import { MAX_ANNOTATION_LENGTH, PodStore } from './pod-store.ts';

let gone: string[];
let store: PodStore;

beforeEach(() => {
  gone = [];
  store = new PodStore({ annotationKeys: ['user', '__proto__'], onGone: (uid) => gone.push(uid) });
});

const pod = (change: Partial<PodView> = {}): PodView => ({
  namespace: 'team-a',
  name: 'a',
  uid: 'a-1',
  serviceAccount: 'trainer',
  phase: 'Running',
  createdAt: Date.parse('2026-01-01T00:00:00Z'),
  deletionTimestamp: undefined,
  podIps: ['10.0.0.7'],
  annotations: { user: 'alice' },
  ...change,
});

describe('PodStore', () => {
  it.each([
    ['a pod', {}],
    ['a terminating one', { deletionTimestamp: 7 }],
    ['one without an address', { podIps: [] }],
    ['one without annotations', { annotations: {} }],
    ['a long annotation', { annotations: { user: 'x'.repeat(4_096) } }],
  ])('gives %s back as it was', (_, change) => {
    store.put(pod(change));
    expect(store.get('team-a', 'a')).toEqual(pod(change));
  });

  it('keeps the chosen annotations only', () => {
    store.put(pod({ annotations: { other: 'x', user: 'alice', users: 'bob' } }));
    expect(store.get('team-a', 'a')?.annotations).toEqual({ user: 'alice' });
  });

  it.each([
    ['letters', 'x'],
    ['characters of two units', 'x😀'],
    ['a half of such a one', 'x\ud83d'],
  ])('keeps 4 KiB of an annotation of 250 KB: %s', (_, unit) => {
    store.put(pod({ annotations: { user: unit.repeat(80_000) } }));
    const kept = store.get('team-a', 'a')?.annotations['user'] ?? '';
    expect(kept.length).toBe(4_096);
    expect(unit.repeat(80_000).startsWith(kept)).toBe(true);
  });

  it.each([
    ['of letters', 'a'.repeat(250_000)],
    ['whose beginning is a user', `alice${' '.repeat(MAX_ANNOTATION_LENGTH - 5)}x`],
    ['whose beginning is a user and a line', `alice\n${'x'.repeat(250_000)}`],
    ['whose beginning would fit', `${'a'.repeat(MAX_ANNOTATION_LENGTH)}!`],
  ])('makes no user of one %s by cutting it', (_, value) => {
    store.put(pod({ annotations: { user: value } }));
    const kept = store.get('team-a', 'a')?.annotations['user'] ?? '';
    expect(kept).not.toBe(value);
    for (const pattern of [undefined, '.*', '[^]*']) {
      expect([pattern, compileUserPattern(pattern)(kept)]).toEqual([pattern, 'invalid']);
    }
  });

  it('leaves nothing of what it cuts away in memory', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 200; n += 1) {
      const annotations = { user: Buffer.alloc(250_000, 'x').toString() };
      store.put(pod({ name: `pod-${n}`, uid: `uid-${n}`, annotations }));
    }
    collect();
    // 50 MB came, of which 1 MB stays.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20e6);
    expect(store.size).toBe(200);
  });

  it('takes an annotation for one only if the pod has it itself', () => {
    store.put(pod({ annotations: {} }));
    expect(Object.keys(store.get('team-a', 'a')?.annotations ?? { x: '' })).toEqual([]);
    store.put(pod({ annotations: JSON.parse('{"__proto__":"mallory"}') as Record<string, string> }));
    expect(Object.entries(store.get('team-a', 'a')?.annotations ?? {})).toEqual([['__proto__', 'mallory']]);
  });

  it('is the same object while nothing changes, also when all are listed anew', () => {
    store.put(pod());
    const first = store.get('team-a', 'a');
    const replacement = store.beginReplacement();
    replacement.put(pod({ podIps: ['10.0.0.7'], annotations: { user: 'alice', other: 'new' } }));
    replacement.complete();
    expect(store.get('team-a', 'a')).toBe(first);
    expect(gone).toEqual([]);
  });

  it.each<[keyof PodView, Partial<PodView>]>([
    ['uid', { uid: 'a-2' }],
    ['serviceAccount', { serviceAccount: 'other' }],
    ['phase', { phase: 'Failed' }],
    ['createdAt', { createdAt: 0 }],
    ['deletionTimestamp', { deletionTimestamp: 7 }],
    ['podIps', { podIps: ['10.0.0.8'] }],
    ['annotations', { annotations: { user: 'bob' } }],
    ['annotations', { annotations: {} }],
  ])('is another one with another %s (%#)', (_, change) => {
    store.put(pod());
    store.put(pod(change));
    expect(store.get('team-a', 'a')).toEqual(pod(change));
  });

  it('keeps names of different namespaces apart', () => {
    store.put(pod());
    store.put(pod({ namespace: 'team-b', uid: 'b-1' }));
    store.delete(pod());
    expect(store.get('team-a', 'a')).toBeUndefined();
    expect(store.get('team-b', 'a')).toMatchObject({ uid: 'b-1' });
    expect(store.size).toBe(1);
  });

  it('is right when more texts pass than it pools', () => {
    for (let n = 0; n < 50_000; n += 1) {
      store.put(pod({ name: `pod-${n % 3}`, uid: 'same', annotations: { user: `user-${n}` } }));
    }
    expect(Array.from(store.values(), ({ annotations }) => annotations['user'] ?? '').sort()).toEqual([
      'user-49997',
      'user-49998',
      'user-49999',
    ]);
  });

  it('tells pods from others by their UID when it replaces', () => {
    store.put(pod());
    store.put(pod({ name: 'b', uid: 'b-1' }));
    store.put(pod({ name: 'c', uid: 'c-1', phase: 'Failed' }));
    expect(gone).toEqual(['c-1']);
    const replacement = store.beginReplacement();
    replacement.put(pod({ uid: 'a-2' }));
    expect(gone).toEqual(['c-1', 'a-1']);
    expect(store.size).toBe(3);
    replacement.complete();
    expect(gone).toEqual(['c-1', 'a-1', 'b-1']);
    expect(Array.from(store.values(), ({ uid }) => uid)).toEqual(['a-2']);
    expect(store.size).toBe(1);
  });
});
