import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RecordId, TokenRecord } from '../../src/delegation-tokens/token-record.ts';
import type { StoredRecord, TokenStore, WriteResult } from '../../src/delegation-tokens/token-store.ts';
import { claimOf, recordedToken, recordOf, revealed, slotOf } from './recorded-token.ts';

export interface TokenStoreWorld {
  /** Another replica over what all of this world share. */
  readonly open: () => TokenStore;
  /** Waits until it is so; fails when it doesn't become so. */
  readonly until: (what: () => boolean) => Promise<void>;
  readonly now: () => number;
  readonly dispose: () => Promise<void>;
}

/** What one store was told, by id. */
export class Told {
  readonly #seen = new Map<string, (StoredRecord | undefined)[]>();

  readonly onChange = (id: RecordId, stored: StoredRecord | undefined): void => {
    if (stored !== undefined) expect(idOf(stored.record)).toEqual(id);
    this.#seen.set(keyOf(id), [...this.all(id), stored]);
  };

  get ids(): number {
    return this.#seen.size;
  }

  all(id: RecordId): readonly (StoredRecord | undefined)[] {
    return this.#seen.get(keyOf(id)) ?? [];
  }

  versions(id: RecordId): readonly (string | undefined)[] {
    return this.all(id).map((stored) => stored?.version);
  }
}

const idOf = ({ namespace, owner }: RecordId): RecordId => ({ namespace, owner });
const keyOf = ({ namespace, owner }: RecordId): string => JSON.stringify([namespace ?? null, owner]);

export async function written(result: Promise<WriteResult>): Promise<StoredRecord> {
  const answer = await result;
  if (answer.outcome !== 'written' || answer.stored === undefined) throw new Error(JSON.stringify(answer));
  return answer.stored;
}

/** What every store keeps to; each is opened anew for each test, over what is left of those before. */
export function tokenStoreContract(openWorld: () => Promise<TokenStoreWorld>): void {
  let world: TokenStoreWorld;
  let first: TokenStore;
  let second: TokenStore;
  let id: RecordId;

  beforeEach(async () => {
    world = await openWorld();
    first = world.open();
    second = world.open();
    id = { namespace: `team-${randomUUID()}`, owner: 'alice' };
  });
  afterEach(async () => {
    await first.stop();
    await second.stop();
    await world.dispose();
  });

  const empty = (): TokenRecord => recordOf(id, { tokens: [] });
  const stored = async (store = second): Promise<object | undefined> => {
    const found = await store.read(id);
    return found === undefined ? undefined : revealed(found.record);
  };

  describe('read', () => {
    it('gives nothing where nothing is', async () => {
      expect(await first.read(id)).toBeUndefined();
    });

    it.each<[string, (of: RecordId) => Partial<TokenRecord>]>([
      ['a token', () => ({})],
      [
        'generations, scopes and claims',
        (of) => ({
          tokens: [
            recordedToken(of, { sequenceNumber: -7, retiredAt: 5, tombstonedAt: 9 }),
            recordedToken(of, { sequenceNumber: 2 ** 31 - 1, retiredAt: 0 }),
            recordedToken(of, {
              sequenceNumber: 3,
              scope: { type: 'pod', namespace: of.namespace ?? '', podUid: 'uid-1' },
              stampedUser: 'carol',
            }),
          ],
          claims: [claimOf(of), claimOf(of, 'kerbridge-1/2')],
        }),
      ],
      ['a claim alone', (of) => ({ tokens: [], claims: [claimOf(of)] })],
    ])('gives back to any replica what was written: %s', async (_, change) => {
      const record = recordOf(id, change(id));
      const made = await written(first.write(record, undefined));
      expect(revealed(made.record)).toEqual(revealed(record));
      expect(await second.read(id)).toMatchObject({ version: made.version });
      expect(await stored()).toEqual(revealed(record));
    });

    it('keeps apart whatever is not the same', async () => {
      const ids: RecordId[] = [
        id,
        { ...id, owner: 'Alice' },
        { ...id, owner: 'alice ' },
        { ...id, owner: `${id.namespace}alice` },
        { ...id, owner: 'ālice/a.b@REALM' },
        { namespace: `${id.namespace}-2`, owner: 'alice' },
        { namespace: undefined, owner: `alice-${id.namespace}` },
        { namespace: 'alice', owner: id.namespace ?? '' },
      ];
      for (const each of ids) await written(first.write(recordOf(each), undefined));
      for (const each of ids) expect(idOf((await second.read(each))?.record ?? id)).toEqual(each);
    });
  });

  describe('write', () => {
    it('replaces what it knows', async () => {
      const before = await written(first.write(recordOf(id), undefined));
      const after = recordOf(id, { claims: [claimOf(id)] });
      const made = await written(second.write(after, before.version));
      expect(made.version).not.toBe(before.version);
      expect(await stored(first)).toEqual(revealed(after));
    });

    it('changes nothing that is not as expected', async () => {
      const record = recordOf(id);
      const old = await written(first.write(recordOf(id), undefined));
      const made = await written(first.write(record, old.version));
      for (const expected of [undefined, old.version]) {
        expect(await second.write(recordOf(id), expected)).toEqual({ outcome: 'conflict' });
        expect(await second.write(empty(), expected)).toEqual({ outcome: 'conflict' });
      }
      expect(await first.read(id)).toMatchObject({ version: made.version });
      expect(await stored()).toEqual(revealed(record));
    });

    it('removes a record in which nothing is left', async () => {
      const made = await written(first.write(recordOf(id), undefined));
      expect(await second.write(empty(), made.version)).toEqual({ outcome: 'written', stored: undefined });
      expect(await first.read(id)).toBeUndefined();
      expect(await second.write(empty(), made.version)).toEqual({ outcome: 'conflict' });
      expect(await second.write(empty(), undefined)).toEqual({ outcome: 'written', stored: undefined });
    });

    it('does not take a record that was made anew for the one before', async () => {
      const record = recordOf(id);
      const before = await written(first.write(record, undefined));
      await first.write(empty(), before.version);
      expect(await second.write(record, before.version)).toEqual({ outcome: 'conflict' });
      expect(await first.read(id)).toBeUndefined();
      const after = await written(second.write(record, undefined));
      expect(after.version).not.toBe(before.version);
      expect(await first.write(recordOf(id), before.version)).toEqual({ outcome: 'conflict' });
      expect(await first.write(empty(), before.version)).toEqual({ outcome: 'conflict' });
      expect(await stored()).toEqual(revealed(record));
    });

    it.each([
      ['create', false],
      ['replace', true],
    ])('lets one of many win that %s at once', async (_, exists) => {
      const expected = exists ? (await written(first.write(recordOf(id), undefined))).version : undefined;
      const records = Array.from({ length: 20 }, (__, n) =>
        recordOf(id, { claims: [claimOf(id, `replica-${n}`)] }),
      );
      const results = await Promise.all(
        records.map((record, n) => (n % 2 === 0 ? first : second).write(record, expected)),
      );
      const winners = records.filter((__, n) => results[n]?.outcome === 'written');
      expect(winners).toHaveLength(1);
      expect(await stored()).toEqual(revealed(winners[0] ?? empty()));
    });

    it('loses no change of anybody who goes on from what is there', async () => {
      const add = async (store: TokenStore, replica: string): Promise<void> => {
        for (;;) {
          const found = await store.read(id);
          const claims = [...(found?.record.claims ?? []), claimOf(id, replica)];
          const result = await store.write(recordOf(id, { tokens: [], claims }), found?.version);
          if (result.outcome === 'written') return;
        }
      };
      const addAll = async (store: TokenStore, name: string): Promise<void> => {
        for (let n = 0; n < 10; n += 1) await add(store, `${name}-${n}`);
      };
      await Promise.all([addAll(first, 'a'), addAll(second, 'b')]);
      expect((await first.read(id))?.record.claims).toHaveLength(20);
    });

    it.each<[string, (of: RecordId) => Partial<TokenRecord>]>([
      ['owner', (of) => ({ tokens: [recordedToken({ ...of, owner: 'bob' })] })],
      ['renewer', (of) => ({ tokens: [recordedToken(of, { renewer: 'yarn' })] })],
      ['kind', (of) => ({ tokens: [recordedToken(of, { kind: 'kms-dt' })] })],
      ['namespace', (of) => ({ tokens: [recordedToken({ ...of, namespace: 'team-b' })] })],
      ['scope', (of) => ({ tokens: [recordedToken(of, { scope: { type: 'user' } })] })],
      [
        'namespace',
        (of) => ({ claims: [{ ...claimOf(of), scope: slotOf({ ...of, namespace: 'b' }).scope }] }),
      ],
    ])('refuses what is of another %s', async (_, change) => {
      await expect(first.write(recordOf(id, change(id)), undefined)).rejects.toMatchObject({
        name: 'TokenStoreError',
        failure: 'malformed',
      });
      expect(await first.read(id)).toBeUndefined();
    });

    it('does nothing for a caller that has left', async () => {
      const signal = AbortSignal.abort(new Error('left'));
      await expect(first.write(recordOf(id), undefined, { signal })).rejects.toThrow('left');
      await expect(first.read(id, { signal })).rejects.toThrow('left');
      await expect(first.start(() => undefined, { signal })).rejects.toThrow('left');
      expect(await second.read(id)).toBeUndefined();
    });
  });

  describe('start', () => {
    it('tells all that is there, to a replica that comes later too', async () => {
      const made = await written(first.write(recordOf(id), undefined));
      const told = new Told();
      await second.start(told.onChange);
      expect(told.versions(id)).toEqual([made.version]);
      expect(revealed(told.all(id)[0]?.record ?? empty())).toEqual(revealed(made.record));
    });

    it('tells every change of anybody, its own too, in order', async () => {
      const told = new Told();
      const toldToFirst = new Told();
      await second.start(told.onChange);
      await first.start(toldToFirst.onChange);
      let version: string | undefined;
      const versions: (string | undefined)[] = [];
      for (let n = 0; n < 6; n += 1) {
        const store = n % 2 === 0 ? first : second;
        ({ version } = await written(store.write(recordOf(id), version)));
        versions.push(version);
      }
      await first.write(empty(), version);
      versions.push(undefined);
      const again = await written(second.write(recordOf(id), undefined));
      versions.push(again.version);
      await world.until(() =>
        [told, toldToFirst].every((each) => each.versions(id).length >= versions.length),
      );
      expect(told.versions(id)).toEqual(versions);
      expect(toldToFirst.versions(id)).toEqual(versions);
    });

    it('tells nothing after it was stopped', async () => {
      const told = new Told();
      await second.start(told.onChange);
      await second.stop();
      const other = new Told();
      await first.start(other.onChange);
      await written(first.write(recordOf(id), undefined));
      await world.until(() => other.all(id).length > 0);
      expect(told.all(id)).toEqual([]);
    });

    it('knows up to when it has told everything, and more as time passes', async () => {
      expect(second.knownUntil()).toBeUndefined();
      await second.start(() => undefined);
      const from = second.knownUntil() ?? 0;
      expect(from).toBeLessThanOrEqual(world.now());
      await written(first.write(recordOf(id), undefined));
      const writtenAt = world.now();
      await world.until(() => (second.knownUntil() ?? 0) >= writtenAt);
      expect(second.knownUntil()).toBeLessThanOrEqual(world.now());
    });

    it('is once only', async () => {
      await first.start(() => undefined);
      await expect(first.start(() => undefined)).rejects.toThrow(/before/);
    });
  });

  it('holds hundreds', async () => {
    const ids = Array.from({ length: 300 }, (_, n): RecordId => ({ ...id, owner: `user-${n}` }));
    const writer = async (from: number): Promise<void> => {
      for (let n = from; n < ids.length; n += 10) {
        await written(first.write(recordOf(ids[n] ?? id), undefined));
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, from) => writer(from)));
    const told = new Told();
    await second.start(told.onChange);
    for (const each of ids) expect(told.all(each)).toHaveLength(1);
  });
}
