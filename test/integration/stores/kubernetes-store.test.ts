import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RecordId } from '../../../src/delegation-tokens/token-record.ts';
import { loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { MAX_SECRET_BYTES } from '../../../src/kubernetes/secret-records.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { KubernetesTokenStore, TOKEN_SECRETS } from '../../../src/stores/kubernetes-store.ts';
import { encodeRecord, nameOfRecord } from '../../../src/stores/record-format.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { everythingIn } from '../../fakes/everything-in.ts';
import { LeakHunter } from '../../fakes/leak-hunter.ts';
import { recordedToken, recordOf, revealed } from '../../fakes/recorded-token.ts';
import { Told, written } from '../../fakes/token-store-contract.ts';
import { createServiceAccountLogin } from '../kubernetes-objects.ts';
import { StoreWorld, until } from './store-world.ts';

const ID: RecordId = { namespace: 'team-a', owner: 'alice' };
const BOB: RecordId = { namespace: 'team-a', owner: 'bob' };
const NAME = nameOfRecord(ID);

let world: StoreWorld;

beforeEach(async () => {
  world = await StoreWorld.create();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe('on the real API server', () => {
  it('keeps one Secret for each namespace and owner, of our type, with labels', async () => {
    await written(world.open().write(recordOf(ID), undefined));
    const secret = await world.core.readNamespacedSecret({ namespace: world.namespace, name: NAME });
    expect(secret).toMatchObject({
      type: 'kerbridge.dev/token-record',
      metadata: {
        labels: { 'app.kubernetes.io/managed-by': 'kerbridge' },
        annotations: { 'kerbridge.dev/owner': 'alice', 'kerbridge.dev/namespace': 'team-a' },
      },
    });
    expect(Object.keys(secret.data ?? {})).toEqual(['record']);
  });

  it('takes records as large as it says, and sends none larger', async () => {
    const store = world.open();
    const told = new Told();
    await store.start(told.onChange);
    const one = Buffer.byteLength(
      encodeRecord(recordOf(ID, { tokens: [recordedToken(ID), recordedToken(ID)] })),
    );
    const none = Buffer.byteLength(encodeRecord(recordOf(ID, { tokens: [recordedToken(ID)] })));
    const fits = Math.floor((MAX_SECRET_BYTES - none) / (one - none)) + 1;
    const tokens = Array.from({ length: fits }, () => recordedToken(ID));
    const made = await written(store.write(recordOf(ID, { tokens }), undefined));
    const more = recordOf(ID, { tokens: [...tokens, recordedToken(ID)] });
    await expect(store.write(more, made.version)).rejects.toMatchObject({ failure: 'too-large' });
    expect((await store.read(ID))?.version).toBe(made.version);
    await until(() => told.all(ID).length > 0);
    // Many such are more than one reply may have.
    for (let n = 0; n < 8; n += 1) {
      const id = { ...ID, owner: `user-${n}` };
      const many = Array.from({ length: fits - 100 }, () => recordedToken(id));
      await written(store.write(recordOf(id, { tokens: many }), undefined));
    }
    const later = new Told();
    await world.open().start(later.onChange);
    expect(later.ids).toBe(9);
  });

  it('reports and leaves alone what is no record of ours, and does not see other Secrets at all', async () => {
    const good = encodeRecord(recordOf(ID));
    await world.putByHand(nameOfRecord(BOB), good);
    await world.putByHand('keytab', good, 'Opaque');
    const newer = good.replace('"version":1', '"version":2');
    await world.putByHand(NAME, newer);
    await world.putByHand('empty', undefined);
    const store = world.open();
    const told = new Told();
    await store.start(told.onChange);
    await world.putByHand('cut', good.slice(0, -9));
    await until(() => world.malformed().length === 4);
    expect(
      world
        .malformed()
        .map((event) => `${event.secret} ${event.problem}`)
        .sort(),
    ).toEqual(
      [
        `${nameOfRecord(BOB)} holds the record of another owner or namespace`,
        `${NAME} is of version 2, and known is 1`,
        'cut is no JSON',
        'empty is of another type, or holds no text',
      ].sort(),
    );
    expect(told.ids).toBe(0);
    await expect(store.read(BOB)).rejects.toMatchObject({ failure: 'malformed' });
    await expect(store.read(ID)).rejects.toMatchObject({ failure: 'malformed' });
    expect(await store.write(recordOf(ID), undefined)).toEqual({ outcome: 'conflict' });
    const { data } = await world.core.readNamespacedSecret({ namespace: world.namespace, name: NAME });
    expect(Buffer.from(data?.['record'] ?? '', 'base64').toString()).toBe(newer);
    // Of another type under our name.
    await world.core.deleteNamespacedSecret({ namespace: world.namespace, name: NAME });
    await world.putByHand(NAME, good, 'Opaque');
    await expect(store.read(ID)).rejects.toMatchObject({ failure: 'malformed' });
    expect(await store.write(recordOf(ID), undefined)).toEqual({ outcome: 'conflict' });
  });

  it('says which right is missing, and goes on trying to start', async () => {
    const other = await createServiceAccountLogin(world.stack.kubernetes.kubeconfig.admin, []);
    const otherApi = loadKubernetesApi({ kubeconfig: other.kubeconfig });
    const store = world.open(otherApi);
    try {
      const refused = { failure: 'denied', fix: expect.stringContaining('with a Role') };
      await expect(store.read(ID)).rejects.toMatchObject(refused);
      await expect(store.write(recordOf(ID), undefined)).rejects.toMatchObject(refused);
      const starting = store.start(() => undefined, { signal: AbortSignal.timeout(3_000) });
      await expect(starting).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(world.count('failed')).toBeGreaterThan(1);
      expect(store.knownUntil()).toBeUndefined();
    } finally {
      await store.stop();
      otherApi.close();
      await other.dispose();
    }
  });

  it('names the namespace that is not there', async () => {
    const secrets = world.api.createSecretRecords({ ...TOKEN_SECRETS, namespace: 'no-such-namespace' });
    const store = new KubernetesTokenStore({ secrets, clock: systemClock, random: Math.random });
    await expect(store.write(recordOf(ID), undefined)).rejects.toMatchObject({
      failure: 'denied',
      fix: expect.stringContaining('no-such-namespace'),
    });
    expect(await store.read(ID)).toBeUndefined();
  });

  it('is shown to miss nothing while nobody writes, without another list', async () => {
    const store = world.open();
    await store.start(() => undefined);
    await written(store.write(recordOf(ID), undefined));
    const from = systemClock.now();
    const lags: number[] = [];
    while (systemClock.now() < from + 22_000) {
      lags.push(systemClock.now() - (store.knownUntil() ?? 0));
      await systemClock.sleep(200);
    }
    expect(Math.max(...lags)).toBeLessThan(30_000);
    expect(world.count('listed')).toBe(1);
    expect(world.count('failed')).toBe(0);
  });

  it('misses nothing when the API server is killed, and says up to when it knew', async () => {
    const store = world.open();
    const other = world.open();
    const told = new Told();
    await store.start(told.onChange);
    const ids = Array.from({ length: 5 }, (_, n): RecordId => ({ ...ID, owner: `user-${n}` }));
    const versions: (string | undefined)[] = [];
    for (const id of ids) versions.push((await written(other.write(recordOf(id), undefined))).version);
    await world.control.kill();
    const killedAt = systemClock.now();
    await expect(store.write(recordOf(ID), undefined)).rejects.toMatchObject({ failure: 'unreachable' });
    await expect(store.read(ID)).rejects.toMatchObject({ failure: 'unreachable' });
    await until(() => world.count('failed') >= 3);
    const known = store.knownUntil();
    expect(known).toBeLessThanOrEqual(killedAt);
    await systemClock.sleep(2_000);
    expect(store.knownUntil() ?? 0).toBeLessThanOrEqual(killedAt);
    await world.control.start();
    const [changed, gone] = ids;
    if (changed === undefined || gone === undefined) throw new Error('five');
    const after = recordOf(changed);
    const made = await written(other.write(after, versions[0]));
    await other.write(recordOf(gone, { tokens: [] }), versions[1]);
    await written(other.write(recordOf(BOB), undefined));
    const doneAt = systemClock.now();
    await until(() => (store.knownUntil() ?? 0) >= doneAt);
    expect(told.versions(changed)).toEqual([versions[0], made.version]);
    expect(revealed(told.all(changed)[1]?.record ?? after)).toEqual(revealed(after));
    expect(told.versions(gone)).toEqual([versions[1], undefined]);
    expect(told.all(BOB)).toHaveLength(1);
    expect(told.all(ids[4] ?? ID)).toHaveLength(1);
    // A third one finds the same.
    const again = new Told();
    await world.open().start(again.onChange);
    expect(again.versions(changed)).toEqual([made.version]);
    expect(again.ids).toBe(5);
  });

  it('claims nothing while the API server does not answer', async () => {
    const store = world.open();
    await store.start(() => undefined);
    await written(store.write(recordOf(ID), undefined));
    await world.control.pause();
    const pausedAt = systemClock.now();
    await until(() => world.count('failed') >= 1);
    expect(store.knownUntil() ?? 0).toBeLessThanOrEqual(pausedAt);
    await expect(store.read(ID)).rejects.toMatchObject({ failure: 'unreachable' });
    await world.control.resume();
    await until(() => (store.knownUntil() ?? 0) > pausedAt);
  });

  it('lets no token out in any error or event', async () => {
    const hunter = new LeakHunter();
    const record = recordOf(ID);
    for (const { token } of record.tokens) hunter.add('password', token.password.reveal());
    const store = world.open();
    await store.start(() => undefined);
    const text = encodeRecord(record);
    const errors: unknown[] = [];
    const keep = async (call: Promise<unknown>): Promise<void> => {
      errors.push(
        await call.then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
    };
    await world.putByHand(NAME, text.slice(0, -1));
    await keep(store.read(ID));
    await until(() => world.malformed().length > 0);
    // More than the API server takes: it may quote what it refuses.
    const secrets = world.api.createSecretRecords({ ...TOKEN_SECRETS, namespace: world.namespace });
    await keep(
      secrets.create('large', { text: new Secret(text.padEnd(MAX_SECRET_BYTES + 1)), annotations: {} }),
    );
    await keep(secrets.create('No Name', { text: new Secret(text), annotations: {} }));
    await world.control.kill();
    await keep(store.write(record, undefined));
    await until(() => world.count('failed') > 0);
    expect(errors.map((error) => error instanceof Error)).toEqual([true, true, true, true]);
    expect(hunter.search(everythingIn([errors, world.events]), 'errors and events')).toEqual([]);
    expect(hunter.search(text, 'the record')).not.toEqual([]);
  });
});
