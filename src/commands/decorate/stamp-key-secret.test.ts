import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeConfigMaps } from '../../../test/fakes/fake-config-maps.ts';
import { FakeSecretRecords, lostReply } from '../../../test/fakes/fake-secret-records.ts';
import {
  announceKey,
  formatPrivateKeys,
  formatPublicKeys,
  newSigningKey,
  publicKeysOf,
  type StampPrivateKeys,
} from '../../identity/stamps/stamp-keys.ts';
import { LOOK_INTERVAL_MS, STAMP_KEYS_KEY, StampKeySecret } from './stamp-key-secret.ts';

const NAME = 'kerbridge-stamp-keys';
const CONFIG_MAP = `kerbridge/${NAME}`;

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A namespace, in which replicas can be started. */
function cluster() {
  const clock = new FakeClock();
  const secrets = new FakeSecretRecords(clock);
  const configMaps = new FakeConfigMaps();
  return {
    clock,
    secrets,
    configMaps,
    replica: () => {
      const events: string[] = [];
      const failures: string[] = [];
      const keys = new StampKeySecret({
        secrets: secrets.open(),
        configMaps,
        namespace: 'kerbridge',
        name: NAME,
        clock,
        onEvent: (event) => {
          events.push(event.event);
          if (event.event === 'failed') failures.push(String(event.error));
        },
      });
      ends.push(() => keys.stop());
      return { keys, events, failures };
    },
    published: () => configMaps.dataOf(CONFIG_MAP)?.[STAMP_KEYS_KEY],
    /** Long enough for each to look again. */
    wait: () => clock.advance(LOOK_INTERVAL_MS),
  };
}

const kidsOf = (keys: StampPrivateKeys | undefined) => keys?.keys.map(({ kid }) => kid);
const publicText = (keys: StampPrivateKeys) => formatPublicKeys(publicKeysOf(keys));

describe('StampKeySecret', () => {
  it('has no keys and says so until it has looked', async () => {
    const { keys } = cluster().replica();
    expect(keys.current).toBeUndefined();
    await expect(keys.check()).rejects.toThrow('not read yet');
  });

  it('makes one key where there is none, and publishes its public part alone', async () => {
    const { replica, published, secrets } = cluster();
    const { keys, events } = replica();
    await keys.start();
    expect(events).toEqual(['made', 'published', 'used']);
    expect(kidsOf(keys.current)).toHaveLength(1);
    expect(published()).toBe(publicText(keys.current ?? never()));
    expect(published()).not.toContain('"d"');
    expect(secrets.textOf(NAME)).toContain('"d"');
    await keys.check();
  });

  it('gives two replicas that start together one set', async () => {
    const { replica, published } = cluster();
    const [one, other] = [replica(), replica()];
    await Promise.all([one.keys.start(), other.keys.start()]);
    await settle();
    expect(kidsOf(one.keys.current)).toEqual(kidsOf(other.keys.current));
    expect([...one.events, ...other.events].filter((event) => event === 'made')).toHaveLength(1);
    expect(published()).toBe(publicText(one.keys.current ?? never()));
  });

  it('signs with nothing that is not published', async () => {
    const { replica, configMaps, wait } = cluster();
    configMaps.failWith('createConfigMap', lostReply());
    const { keys, events } = replica();
    await keys.start();
    expect(keys.current).toBeUndefined();
    await expect(keys.check()).rejects.toThrow('no connection');
    configMaps.failWith('createConfigMap', undefined);
    await wait();
    expect(kidsOf(keys.current)).toHaveLength(1);
    expect(events).toEqual(expect.arrayContaining(['failed', 'used']));
    await keys.check();
  });

  it('goes on with what it knows while the API server is away, and says so', async () => {
    const { replica, secrets, wait } = cluster();
    const { keys, failures } = replica();
    await keys.start();
    const before = kidsOf(keys.current);
    secrets.failNext('get', lostReply());
    await wait();
    expect(kidsOf(keys.current)).toEqual(before);
    expect(failures).toEqual([expect.stringContaining('no connection')]);
    await expect(keys.check()).rejects.toThrow('no connection');
    await wait();
    await keys.check();
  });

  it('keeps its keys when the Secret is deleted, and makes it again of them', async () => {
    const { replica, secrets, wait } = cluster();
    const { keys } = replica();
    await keys.start();
    const before = kidsOf(keys.current);
    const text = secrets.textOf(NAME);
    secrets.delete(NAME);
    await wait();
    expect(kidsOf(keys.current)).toEqual(before);
    expect(secrets.textOf(NAME)).toBe(text);
  });

  it.each([
    ['it is gone and its public part is not', undefined, 'restore the Secret; or delete the ConfigMap too'],
    ['it is of another type', { text: undefined }, 'is not of type kerbridge.dev/stamp-keys: restore it'],
    ['it holds something else', { text: '{}' }, 'is no set of signing keys: restore it, or name another one'],
    ['it holds no JSON', { text: 'hunter2' }, 'is no set of signing keys: restore it, or name another one'],
  ])('has no keys where %s, touches nothing, and tells the fix', async (_, secret, fix) => {
    const { replica, secrets, configMaps, published } = cluster();
    configMaps.put(CONFIG_MAP, { [STAMP_KEYS_KEY]: 'of before' });
    if (secret !== undefined) secrets.put(NAME, secret.text);
    const { keys, failures, events } = replica();
    await keys.start();
    expect(keys.current).toBeUndefined();
    expect(failures).toEqual([expect.stringContaining(fix)]);
    expect(failures.join()).toContain(`Secret kerbridge/${NAME}`);
    expect(failures.join()).not.toContain('hunter2');
    expect(events).toEqual(['failed']);
    expect(published()).toBe('of before');
    expect(secrets.names).toEqual(secret === undefined ? [] : [NAME]);
  });

  it('begins anew where the ConfigMap has none of its keys', async () => {
    const { replica, configMaps } = cluster();
    configMaps.put(CONFIG_MAP, { note: 'ours' });
    const { keys } = replica();
    await keys.start();
    expect(configMaps.dataOf(CONFIG_MAP)).toEqual({
      note: 'ours',
      [STAMP_KEYS_KEY]: publicText(keys.current ?? never()),
    });
  });

  it('keeps the last good set when the Secret is overwritten with what is none', async () => {
    const { replica, secrets, published, wait } = cluster();
    const { keys, failures } = replica();
    await keys.start();
    const before = kidsOf(keys.current);
    const text = published();
    secrets.put(NAME, '{"keys":[]}');
    await wait();
    expect(kidsOf(keys.current)).toEqual(before);
    expect(published()).toBe(text);
    expect(failures[0]).toContain('no set of signing keys');
  });

  it.each([
    ['changed', { [STAMP_KEYS_KEY]: '{"keys":[]}' }],
    ['deleted', undefined],
  ])('puts right the ConfigMap that somebody has %s', async (_, data) => {
    const { replica, configMaps, published, wait } = cluster();
    const { keys } = replica();
    await keys.start();
    configMaps.put(CONFIG_MAP, data);
    await wait();
    expect(published()).toBe(publicText(keys.current ?? never()));
  });

  it('tries again where others write the ConfigMap in between', async () => {
    const { replica, configMaps, published, wait } = cluster();
    const { keys } = replica();
    await keys.start();
    configMaps.put(CONFIG_MAP, { [STAMP_KEYS_KEY]: 'x' });
    let times = 0;
    configMaps.beforeWrite = () => {
      times += 1;
      if (times < 5) configMaps.put(CONFIG_MAP, { [STAMP_KEYS_KEY]: 'y' });
    };
    await wait();
    expect(published()).toBe(publicText(keys.current ?? never()));
    await keys.check();
  });

  it('tells when others write it each time', async () => {
    const { replica, configMaps, wait } = cluster();
    const { keys, failures } = replica();
    await keys.start();
    configMaps.put(CONFIG_MAP, { [STAMP_KEYS_KEY]: 'x' });
    configMaps.beforeWrite = () => configMaps.put(CONFIG_MAP, { [STAMP_KEYS_KEY]: 'y' });
    await wait();
    expect(failures).toEqual([expect.stringContaining('5 times in a row: find out who else writes it')]);
    expect(kidsOf(keys.current)).toHaveLength(1);
  });

  it('takes up a rotation by hand: announced, then signing, then the old one away', async () => {
    const { replica, secrets, published, wait } = cluster();
    const { keys } = replica();
    await keys.start();
    const old = keys.current ?? never();
    const next = newSigningKey();
    const [oldKid] = kidsOf(old) ?? [];

    const announced = announceKey(old, next);
    secrets.put(NAME, formatPrivateKeys(announced).reveal());
    await wait();
    expect(kidsOf(keys.current)).toEqual([oldKid, next.kid]);
    expect(published()).toBe(publicText(announced));

    secrets.put(NAME, formatPrivateKeys({ keys: [next, ...old.keys] }).reveal());
    await wait();
    expect(kidsOf(keys.current)).toEqual([next.kid, oldKid]);

    secrets.put(NAME, formatPrivateKeys({ keys: [next] }).reveal());
    await wait();
    expect(kidsOf(keys.current)).toEqual([next.kid]);
    expect(published()).toBe(publicText({ keys: [next] }));
  });

  it('looks no more once it is stopped', async () => {
    const { replica, configMaps, clock, wait } = cluster();
    const { keys } = replica();
    await keys.start();
    await keys.stop();
    const calls = configMaps.calls.length;
    await wait();
    expect(configMaps.calls).toHaveLength(calls);
    expect(clock.sleeping).toBe(0);
  });
});

function never(): never {
  throw new Error('there are no keys');
}
