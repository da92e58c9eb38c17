import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeConfigMaps } from '../../test/fakes/fake-config-maps.ts';
import { KubernetesApiError, type KubernetesApiFailure } from './kubernetes-api-error.ts';
import {
  createRevocationsConfigMap,
  ForeignConfigMapError,
  REVOCATIONS_KEY,
  type RevocationsConfigMap,
} from './revocations-config-map.ts';

const ID = 'kerbridge/kerbridge-revocations';

let configMaps: FakeConfigMaps;
let revocations: RevocationsConfigMap;

beforeEach(() => {
  configMaps = new FakeConfigMaps();
  revocations = createRevocationsConfigMap(configMaps, {
    namespace: 'kerbridge',
    name: 'kerbridge-revocations',
  });
});

const text = () => configMaps.dataOf(ID)?.[REVOCATIONS_KEY];
const append =
  (what: string) =>
  (before = '') =>
    `${before}${what}`;

describe('read', () => {
  it('does not take a ConfigMap with other things in it for an empty list', async () => {
    configMaps.put(ID, { 'revocation.yaml': 'alice' });
    await expect(revocations.read()).rejects.toThrow(ForeignConfigMapError);
    await expect(revocations.update(append('x'))).rejects.toThrow(/other keys, but not revocations\.yaml/);
    expect(text()).toBeUndefined();
  });

  it('says when it could not be read', async () => {
    configMaps.failWith('getConfigMap', new KubernetesApiError('unreachable', 'down'));
    await expect(revocations.read()).rejects.toMatchObject({ code: 'unreachable', message: 'down' });
  });

  it('gives no text where there is no ConfigMap, or nothing in it', async () => {
    expect(await revocations.read()).toBeUndefined();
    configMaps.put(ID, {});
    expect(await revocations.read()).toBeUndefined();
  });

  it('gives the text, also an empty one, which is no list', async () => {
    configMaps.put(ID, { [REVOCATIONS_KEY]: '' });
    expect(await revocations.read()).toBe('');
    configMaps.put(ID, { [REVOCATIONS_KEY]: 'alice', other: 'x' });
    expect(await revocations.read()).toBe('alice');
  });
});

describe('update', () => {
  it('creates the ConfigMap', async () => {
    expect(await revocations.update(append('alice'))).toBe('created');
    expect(configMaps.dataOf(ID)).toEqual({ [REVOCATIONS_KEY]: 'alice' });
  });

  it('changes the text and leaves other keys', async () => {
    configMaps.put(ID, { [REVOCATIONS_KEY]: 'alice', other: 'x' });
    expect(await revocations.update(append(' bob'))).toBe('written');
    expect(configMaps.dataOf(ID)).toEqual({ [REVOCATIONS_KEY]: 'alice bob', other: 'x' });
  });

  it('writes nothing when nothing changes', async () => {
    expect(await revocations.update((before) => before)).toBe('unchanged');
    expect(configMaps.calls).toEqual([`get ${ID}`]);
  });

  it('writes nothing when the change fails', async () => {
    configMaps.put(ID, { [REVOCATIONS_KEY]: '?' });
    const broken = new Error('malformed');
    await expect(
      revocations.update(() => {
        throw broken;
      }),
    ).rejects.toBe(broken);
    expect(text()).toBe('?');
  });

  it.each<[string, Record<string, string> | undefined, (times: number) => void]>([
    ['created', undefined, () => configMaps.put(ID, { [REVOCATIONS_KEY]: 'bob ' })],
    ['changed', { [REVOCATIONS_KEY]: '' }, () => configMaps.put(ID, { [REVOCATIONS_KEY]: 'bob ' })],
    ['deleted', { [REVOCATIONS_KEY]: 'bob ' }, () => configMaps.put(ID, undefined)],
  ])('begins anew when it was %s in between, and loses nothing', async (word, before, meanwhile) => {
    if (before !== undefined) configMaps.put(ID, before);
    let times = 0;
    configMaps.beforeWrite = () => {
      times += 1;
      if (times === 1) meanwhile(times);
    };
    await revocations.update(append('alice'));
    expect(text()).toBe(word === 'deleted' ? 'alice' : 'bob alice');
    expect(times).toBe(2);
  });

  it('gives up when others write all the time', async () => {
    configMaps.put(ID, { [REVOCATIONS_KEY]: '' });
    configMaps.beforeWrite = () => configMaps.put(ID, { [REVOCATIONS_KEY]: 'bob' });
    await expect(revocations.update(append('alice'))).rejects.toThrow(/10 times in a row/);
    expect(text()).toBe('bob');
  });

  it.each<[KubernetesApiFailure, boolean]>([
    ['timeout', true],
    ['unreachable', true],
    ['server-error', true],
    ['forbidden', false],
    ['bad-reply', false],
  ])('after %s of the write leaves it open if it was written: %s', async (code, unclear) => {
    configMaps.put(ID, { [REVOCATIONS_KEY]: '' });
    configMaps.failWith('patchConfigMap', new KubernetesApiError(code, 'PATCH'));
    await expect(revocations.update(append('alice'))).rejects.toMatchObject({
      code,
      message: unclear ? 'PATCH; it may have been written all the same' : 'PATCH',
    });
  });

  it('leaves nothing open when the read before it failed', async () => {
    configMaps.failWith('getConfigMap', new KubernetesApiError('timeout', 'GET'));
    await expect(revocations.update(append('alice'))).rejects.toMatchObject({ message: 'GET' });
  });
});
