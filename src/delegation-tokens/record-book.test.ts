import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeTokenBacking, FakeTokenStore } from '../../test/fakes/fake-token-store.ts';
import { claimOf, recordOf } from '../../test/fakes/recorded-token.ts';
import { type Change, RecordBook } from './record-book.ts';
import type { RecordId, TokenRecord } from './token-record.ts';
import { type OnRecordChange, type StoredRecord, TokenStoreError, type WriteResult } from './token-store.ts';

const id: RecordId = { namespace: 'science', owner: 'alice' };
const never = new AbortController().signal;

/** A store whose answers and news come when the test lets them. */
class SlowStore extends FakeTokenStore {
  /** Answers that were made, and wait. */
  readonly held: (() => void)[] = [];
  readonly news: (() => void)[] = [];
  holds = false;

  override async start(onChange: OnRecordChange): Promise<void> {
    await super.start((of, stored) => this.news.push(() => onChange(of, stored)));
  }

  override async read(of: RecordId): Promise<StoredRecord | undefined> {
    return await this.#hold(await super.read(of));
  }

  override async write(record: TokenRecord, expected: string | undefined): Promise<WriteResult> {
    return await this.#hold(await super.write(record, expected));
  }

  async #hold<T>(answer: T): Promise<T> {
    if (this.holds) await new Promise<void>((resolve) => this.held.push(resolve));
    return answer;
  }

  async tellNext(): Promise<void> {
    this.news.shift()?.();
    await settle();
  }

  async answerNext(): Promise<void> {
    this.held.shift()?.();
    await settle();
  }
}

let clock: FakeClock;
let store: SlowStore;
let other: FakeTokenStore;
let book: RecordBook;
/** The replicas named in the claims of the record, as it was told last; undefined: it is gone. */
let told: (readonly string[] | undefined)[];

const replicas = (record: TokenRecord | undefined): readonly string[] | undefined =>
  record?.claims.map(({ replica }) => replica);
const add =
  (...names: string[]): Change =>
  (record) => ({ ...record, claims: [...record.claims, ...names.map((name) => claimOf(id, name))] });
const clear: Change = (record) => ({ ...record, claims: [] });
/** What another replica does to the record. */
const byOther = async (change: Change): Promise<void> => {
  const found = await other.read(id);
  const changed = change(found?.record ?? recordOf(id, { tokens: [] }));
  if (changed !== undefined) await other.write(changed, found?.version);
};
const stored = (): readonly string[] | undefined => replicas([...store.backing.records.values()][0]?.record);

beforeEach(async () => {
  clock = new FakeClock();
  const backing = new FakeTokenBacking();
  store = new SlowStore({ clock, backing });
  other = new FakeTokenStore({ clock, backing });
  told = [];
  book = new RecordBook({
    store,
    clock,
    random: () => 0.5,
    onRecord: (_, record) => told.push(replicas(record)),
  });
  await book.start();
});

describe('a change', () => {
  it('is written, told and returned', async () => {
    const record = await book.change(id, add('a'), { signal: never });
    expect([replicas(record), stored(), told]).toStrictEqual([['a'], ['a'], [['a']]]);
    expect(store.calls).toStrictEqual(['write']);
  });

  it('that changes nothing is not written', async () => {
    await book.change(id, add('a'), { signal: never });
    const record = await book.change(id, () => undefined, { signal: never });
    expect([replicas(record), store.calls]).toStrictEqual([['a'], ['write']]);
  });

  it('goes on from what another replica has made of the record', async () => {
    await book.change(id, add('a'), { signal: never });
    await byOther(add('b'));
    await book.change(id, add('c'), { signal: never });
    expect(stored()).toStrictEqual(['a', 'b', 'c']);
    expect(told.at(-1)).toStrictEqual(['a', 'b', 'c']);
  });

  it('waits for the one before it, also if that fails', async () => {
    store.failNext('unreachable');
    const over = new AbortController();
    const first = book.change(id, add('a'), { signal: over.signal }).catch((error: unknown) => error);
    const second = book.change(id, add('b'), { signal: never });
    await settle();
    over.abort(new Error('enough'));
    expect(await first).toBeInstanceOf(TokenStoreError);
    await second;
    expect(stored()).toStrictEqual(['b']);
  });

  it.each([
    ['unreachable', ['write', 'read', 'write']],
    ['reply-lost', ['write', 'read']],
  ] as const)('is tried again when the write was %s, and made once', async (fault, calls) => {
    store.failNext(fault);
    const changed = book.change(id, (record) => (record.claims.length > 0 ? undefined : add('a')(record)), {
      signal: never,
    });
    await clock.advance(1_000);
    expect(replicas(await changed)).toStrictEqual(['a']);
    expect([stored(), store.calls]).toStrictEqual([['a'], calls]);
  });

  it('ends with its signal, and says what the store said', async () => {
    store.away = true;
    const over = new AbortController();
    const changed = book.change(id, add('a'), { signal: over.signal }).catch((error: unknown) => error);
    await clock.advance(60_000);
    over.abort(new Error('enough'));
    expect(await changed).toMatchObject({ failure: 'unreachable', message: 'the store does not answer' });
    expect(clock.sleeping).toBe(0);
  });

  it('of a record that is gone with it is told', async () => {
    await book.change(id, add('a'), { signal: never });
    const record = await book.change(id, clear, { signal: never });
    expect([replicas(record), told.at(-1), stored()]).toStrictEqual([[], undefined, undefined]);
  });
});

describe('what the store tells', () => {
  it('is told on, once', async () => {
    await byOther(add('b'));
    await store.tellNext();
    store.news.push(() => undefined);
    await book.refresh(id, { signal: never });
    expect(told).toStrictEqual([['b']]);
  });

  it('late is not taken for new', async () => {
    await book.change(id, add('a'), { signal: never });
    await book.change(id, add('b'), { signal: never });
    await store.tellNext();
    expect(told).toStrictEqual([['a'], ['a', 'b']]);
  });

  it('of a removal counts when the store itself says so too', async () => {
    await book.change(id, add('a'), { signal: never });
    await byOther(clear);
    await byOther(add('b'));
    store.news.shift();
    await store.tellNext();
    expect(told.at(-1)).toStrictEqual(['b']);
    await byOther(clear);
    await store.tellNext();
    await store.tellNext();
    expect(told.at(-1)).toBeUndefined();
  });

  it('of a removal counts for nothing while the store cannot be asked', async () => {
    await book.change(id, add('a'), { signal: never });
    await byOther(clear);
    store.news.shift();
    store.failNext('unreachable');
    await store.tellNext();
    expect(told).toStrictEqual([['a']]);
  });

  it('of a removal counts once the store can be asked again', async () => {
    await book.change(id, add('a'), { signal: never });
    await byOther(clear);
    store.news.shift();
    store.failNext('unreachable', 'unreachable', 'unreachable');
    await store.tellNext();
    await clock.advance(5_000);
    expect(told).toStrictEqual([['a'], undefined]);
    expect(clock.sleeping).toBe(0);
  });

  it('of a removal is asked about no more when it was stopped', async () => {
    await book.change(id, add('a'), { signal: never });
    await byOther(clear);
    store.news.shift();
    store.away = true;
    await store.tellNext();
    await clock.advance(5_000);
    await book.stop();
    await settle();
    expect(clock.sleeping).toBe(0);
  });
});

describe('an answer that comes after newer news', () => {
  beforeEach(async () => {
    await book.change(id, add('a'), { signal: never });
    await store.tellNext();
    store.holds = true;
  });

  it('to a read is not believed', async () => {
    const refreshed = book.refresh(id, { signal: never });
    await settle();
    await byOther(add('b'));
    await store.tellNext();
    await store.answerNext();
    await refreshed;
    expect(told).toStrictEqual([['a'], ['a', 'b']]);
  });

  it('to a read, of a removal, is asked again', async () => {
    const refreshed = book.refresh(id, { signal: never });
    await settle();
    await byOther(clear);
    await store.tellNext();
    // The book has asked if it is gone.
    store.holds = false;
    store.held.pop()?.();
    await settle();
    await store.answerNext();
    await refreshed;
    expect(told).toStrictEqual([['a'], undefined]);
  });

  it('to a write is not believed', async () => {
    const changed = book.change(id, add('b'), { signal: never });
    await settle();
    await byOther(add('c'));
    await store.tellNext();
    await store.tellNext();
    await store.answerNext();
    await changed;
    expect(told).toStrictEqual([['a'], ['a', 'b'], ['a', 'b', 'c']]);
  });

  it('to a removal is not believed', async () => {
    const changed = book.change(id, clear, { signal: never });
    await settle();
    await byOther(add('c'));
    store.news.shift();
    await store.tellNext();
    await store.answerNext();
    await changed;
    expect(told).toStrictEqual([['a'], ['c']]);
  });
});
