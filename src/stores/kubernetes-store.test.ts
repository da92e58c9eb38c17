import { beforeEach, describe, expect, it } from '@jest/globals';
import { everythingIn } from '../../test/fakes/everything-in.ts';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeSecretRecords, lostReply } from '../../test/fakes/fake-secret-records.ts';
import { LeakHunter } from '../../test/fakes/leak-hunter.ts';
import { claimOf, recordedToken, recordOf } from '../../test/fakes/recorded-token.ts';
import { Told, tokenStoreContract, written } from '../../test/fakes/token-store-contract.ts';
import type { RecordId } from '../delegation-tokens/token-record.ts';
import { KubernetesApiError } from '../kubernetes/kubernetes-api-error.ts';
import { KubernetesTokenStore, type TokenStoreEvent } from './kubernetes-store.ts';
import { encodeRecord, nameOfRecord } from './record-format.ts';

const ID: RecordId = { namespace: 'team-a', owner: 'alice' };
const NAME = nameOfRecord(ID);
const BOB: RecordId = { namespace: 'team-a', owner: 'bob' };

let clock: FakeClock;
let secrets: FakeSecretRecords;
let events: TokenStoreEvent[];
let told: Told;
let store: KubernetesTokenStore;

const open = (onEvent = (event: TokenStoreEvent): void => void events.push(event)): KubernetesTokenStore =>
  new KubernetesTokenStore({ secrets: secrets.open(), clock, random: () => 0.5, onEvent });
const malformed = () => events.filter((event) => event.type === 'malformed');

beforeEach(() => {
  clock = new FakeClock();
  secrets = new FakeSecretRecords(clock);
  events = [];
  told = new Told();
  store = open();
});

describe('KubernetesTokenStore over fake Secrets', () => {
  tokenStoreContract(() =>
    Promise.resolve({
      open,
      until: async (what) => {
        await settle();
        expect(what()).toBe(true);
      },
      now: () => clock.now(),
      dispose: () => Promise.resolve(),
    }),
  );
});

describe('KubernetesTokenStore', () => {
  it('writes one Secret for each namespace and owner, and says whose it is', async () => {
    await written(store.write(recordOf(ID), undefined));
    expect(secrets.lastAnnotations).toEqual({
      'kerbridge.dev/owner': 'alice',
      'kerbridge.dev/namespace': 'team-a',
    });
    const ofAll: RecordId = { namespace: undefined, owner: 'alice' };
    await written(store.write(recordOf(ofAll), undefined));
    expect(secrets.lastAnnotations).toEqual({ 'kerbridge.dev/owner': 'alice' });
    expect(secrets.names.toSorted()).toEqual([NAME, nameOfRecord(ofAll)].toSorted());
  });

  it('says that nothing is known when the reply is lost, and reads what came of it', async () => {
    secrets.failNext('create', lostReply(), { isLate: true });
    await expect(store.write(recordOf(ID), undefined)).rejects.toMatchObject({
      name: 'TokenStoreError',
      failure: 'unreachable',
    });
    const found = await store.read(ID);
    expect(found).toBeDefined();
    secrets.failNext('replace', lostReply());
    await expect(store.write(recordOf(ID), found?.version)).rejects.toMatchObject({ failure: 'unreachable' });
    expect((await store.read(ID))?.version).toBe(found?.version);
    secrets.failNext('remove', lostReply(), { isLate: true });
    await expect(store.write(recordOf(ID, { tokens: [] }), found?.version)).rejects.toMatchObject({
      failure: 'unreachable',
    });
    expect(await store.read(ID)).toBeUndefined();
  });

  it.each<[ConstructorParameters<typeof KubernetesApiError>[0], number | undefined, string]>([
    ['unreachable', undefined, 'unreachable'],
    ['timeout', undefined, 'unreachable'],
    ['credentials', undefined, 'unreachable'],
    ['server-error', 500, 'unreachable'],
    ['too-many-requests', 429, 'unreachable'],
    ['bad-reply', undefined, 'unreachable'],
    ['bad-reply', 409, 'unreachable'],
    ['unauthorized', 401, 'denied'],
    ['forbidden', 403, 'denied'],
    ['bad-reply', 404, 'denied'],
    ['bad-reply', 422, 'denied'],
  ])('takes %s (%s) for %s', async (code, httpStatus, failure) => {
    const details = httpStatus === undefined ? {} : { httpStatus };
    const error = new KubernetesApiError(code, 'x: y', { ...details, fix: 'do it' });
    secrets.failNext('get', error);
    await expect(store.read(ID)).rejects.toMatchObject({
      name: 'TokenStoreError',
      failure,
      message: 'x: y',
      fix: 'do it',
      cause: error,
    });
  });

  it('sends nothing that a Secret does not take', async () => {
    const tokens = Array.from({ length: 3_500 }, () => recordedToken(ID));
    await expect(store.write(recordOf(ID, { tokens }), undefined)).rejects.toMatchObject({
      failure: 'too-large',
      message: expect.stringMatching(/^the record of 3500 tokens has \d+ bytes, and a Secret takes 1048576$/),
      fix: expect.stringContaining('namespace'),
    });
    expect(secrets.names).toEqual([]);
  });

  describe('a Secret that is no record of ours', () => {
    const good = (): string => encodeRecord(recordOf(ID));
    const cases: [string, () => string | undefined, RegExp][] = [
      ['of another version', () => good().replace('"version":1', '"version":2'), /version 2/],
      ['that is cut', () => good().slice(0, -20), /no JSON/],
      ['without text', () => undefined, /no text/],
      ['of another owner', () => encodeRecord(recordOf(BOB)), /another owner or namespace/],
      ['of another namespace', () => encodeRecord(recordOf({ ...ID, namespace: 'b' })), /another owner or/],
      [
        'with a token of another owner',
        () => good().replace('"owner":"alice"', '"owner":"bob"'),
        /another owner/,
      ],
    ];

    it.each(cases)('%s is not read, not overwritten, and reported once', async (_, text, problem) => {
      const put = secrets.put(NAME, text());
      await store.start(told.onChange);
      secrets.relist();
      expect(told.ids).toBe(0);
      expect(malformed()).toEqual([
        { type: 'malformed', secret: NAME, problem: expect.stringMatching(problem) },
      ]);
      await expect(store.read(ID)).rejects.toMatchObject({ failure: 'malformed', fix: expect.any(String) });
      expect(await store.write(recordOf(ID), undefined)).toEqual({ outcome: 'conflict' });
      expect(secrets.textOf(NAME)).toBe(put.text?.reveal());
    });

    it.each(cases)('%s leaves what was told before as it was, until it is mended', async (_, text) => {
      const before = await written(store.write(recordOf(ID), undefined));
      await store.start(told.onChange);
      secrets.put(NAME, text());
      secrets.relist();
      expect(told.versions(ID)).toEqual([before.version]);
      expect(await store.write(recordOf(ID), before.version)).toEqual({ outcome: 'conflict' });
      secrets.put(NAME, good());
      expect(told.all(ID)).toHaveLength(2);
      secrets.put(NAME, text());
      expect(malformed()).toHaveLength(2);
      secrets.delete(NAME);
      expect(told.versions(ID).at(-1)).toBeUndefined();
      expect(told.all(ID)).toHaveLength(3);
    });

    it('is no reason to doubt the others', async () => {
      secrets.put('a-copy', encodeRecord(recordOf(BOB)));
      secrets.put(nameOfRecord(BOB), encodeRecord(recordOf(BOB)));
      await store.start(told.onChange);
      expect(told.all(BOB)).toHaveLength(1);
      secrets.delete('a-copy');
      expect(told.all(BOB)).toHaveLength(1);
    });
  });

  describe('after a watch that was lost', () => {
    it('tells what has changed, what is new and what is gone, and nothing else', async () => {
      const [same, changed, gone, fresh] = ['same', 'changed', 'gone', 'fresh'].map((owner) => ({
        ...ID,
        owner,
      }));
      if (!same || !changed || !gone || !fresh) throw new Error('four');
      for (const id of [same, changed, gone]) await written(store.write(recordOf(id), undefined));
      const blind = open();
      await blind.start(told.onChange);
      const relist = secrets.blindfold();
      secrets.put(nameOfRecord(changed), encodeRecord(recordOf(changed)));
      secrets.put(nameOfRecord(fresh), encodeRecord(recordOf(fresh)));
      secrets.delete(nameOfRecord(gone));
      relist();
      expect([same, changed, gone, fresh].map((id) => told.all(id).length)).toEqual([1, 2, 2, 1]);
      expect(told.all(gone).at(-1)).toBeUndefined();
    });
  });

  it('goes on when whoever is told throws', async () => {
    await store.start(() => {
      throw new Error('oops');
    });
    await written(store.write(recordOf(ID), undefined));
    expect(events).toContainEqual({ type: 'callback-failed', error: new Error('oops') });
    const deaf = open(() => {
      throw new Error('events too');
    });
    secrets.put('x', undefined);
    await expect(deaf.start(told.onChange)).resolves.toBeUndefined();
    expect(told.all(ID)).toHaveLength(1);
  });

  it('lets no token out in any error or event', async () => {
    const hunter = new LeakHunter();
    const record = recordOf(ID, { claims: [claimOf(ID)] });
    const [recorded] = record.tokens;
    if (recorded === undefined) throw new Error('no token');
    hunter.add('password', recorded.token.password.reveal());
    const text = encodeRecord(record);
    await store.start(told.onChange);
    const errors: unknown[] = [];
    for (const broken of [text.slice(0, -1), text.replace('"version":1', '"version":2'), `x${text}`]) {
      secrets.put(NAME, broken);
      errors.push(await store.read(ID).catch((error: unknown) => error));
    }
    const tokens = Array.from({ length: 3_500 }, () => recorded);
    errors.push(await store.write(recordOf(ID, { tokens }), undefined).catch((error: unknown) => error));
    errors.push(await store.write({ ...record, owner: 'bob' }, undefined).catch((error: unknown) => error));
    expect(errors.every((error) => error instanceof Error)).toBe(true);
    expect(events.length).toBeGreaterThan(2);
    expect(hunter.search(everythingIn([errors, events, secrets]), 'errors and events')).toEqual([]);
    expect(hunter.search(text, 'the record')).not.toEqual([]);
  });
});
