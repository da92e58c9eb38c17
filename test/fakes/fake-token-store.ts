import type { RecordId, TokenRecord } from '../../src/delegation-tokens/token-record.ts';
import {
  type OnRecordChange,
  type StoreCallOptions,
  type StoredRecord,
  type TokenStore,
  TokenStoreError,
  type WriteResult,
} from '../../src/delegation-tokens/token-store.ts';
import { findMismatch } from '../../src/stores/find-mismatch.ts';
import type { Clock } from '../../src/time/clock.ts';

/** What several stores have in common: the records, as an API server keeps them. */
export class FakeTokenBacking {
  readonly records = new Map<string, StoredRecord>();
  readonly listeners = new Set<OnRecordChange>();
  version = 0;

  /** Of all records, flat. */
  get tokens(): TokenRecord['tokens'] {
    return [...this.records.values()].flatMap(({ record }) => record.tokens);
  }

  get claims(): TokenRecord['claims'] {
    return [...this.records.values()].flatMap(({ record }) => record.claims);
  }
}

type Fault =
  /** The call has no effect. */
  | 'unreachable'
  /** It has, and nobody hears of it. */
  | 'reply-lost';

/** A store in memory that fails as it is told to. Kept to its contract by the suite that the real ones pass. */
export class FakeTokenStore implements TokenStore {
  readonly #backing: FakeTokenBacking;
  readonly #clock: Clock;
  readonly #faults: Fault[] = [];
  #onChange: OnRecordChange | undefined;
  #isAway = false;
  #awaySince = 0;
  /** `read`, `write`, in order. */
  readonly calls: string[] = [];

  constructor({ clock, backing = new FakeTokenBacking() }: { clock: Clock; backing?: FakeTokenBacking }) {
    this.#backing = backing;
    this.#clock = clock;
  }

  get backing(): FakeTokenBacking {
    return this.#backing;
  }

  failNext(...faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  /** Until it is back nothing gets through, in neither direction. */
  set away(away: boolean) {
    this.#isAway = away;
    this.#awaySince = this.#clock.now();
    if (!away)
      for (const stored of this.#backing.records.values()) this.#onChange?.(idOf(stored.record), stored);
  }

  async start(onChange: OnRecordChange, { signal }: StoreCallOptions = {}): Promise<void> {
    await Promise.resolve();
    signal?.throwIfAborted();
    if (this.#onChange !== undefined) throw new Error('the store was started before');
    this.#onChange = (id, stored) => {
      if (!this.#isAway) onChange(id, stored);
    };
    for (const stored of this.#backing.records.values()) this.#onChange(idOf(stored.record), stored);
    this.#backing.listeners.add(this.#onChange);
  }

  stop(): Promise<void> {
    if (this.#onChange !== undefined) this.#backing.listeners.delete(this.#onChange);
    return Promise.resolve();
  }

  async read(id: RecordId, options: StoreCallOptions = {}): Promise<StoredRecord | undefined> {
    await this.#begin('read', options);
    return this.#backing.records.get(keyOf(id));
  }

  async write(
    record: TokenRecord,
    expected: string | undefined,
    options: StoreCallOptions = {},
  ): Promise<WriteResult> {
    const fault = await this.#begin('write', options);
    const mismatch = findMismatch(record);
    if (mismatch !== undefined) throw new TokenStoreError('malformed', `the record ${mismatch}`);
    const key = keyOf(record);
    if (this.#backing.records.get(key)?.version !== expected) return { outcome: 'conflict' };
    const isEmpty = record.tokens.length === 0 && record.claims.length === 0;
    this.#backing.version += 1;
    const stored = isEmpty ? undefined : { record, version: String(this.#backing.version) };
    if (stored === undefined) this.#backing.records.delete(key);
    else this.#backing.records.set(key, stored);
    for (const listener of this.#backing.listeners) listener(idOf(record), stored);
    if (fault === 'reply-lost') throw unreachable();
    return { outcome: 'written', stored };
  }

  knownUntil(): number | undefined {
    if (this.#onChange === undefined) return undefined;
    return this.#isAway ? this.#awaySince : this.#clock.now();
  }

  async #begin(call: string, { signal }: StoreCallOptions): Promise<Fault | undefined> {
    this.calls.push(call);
    await Promise.resolve();
    signal?.throwIfAborted();
    const fault = this.#faults.shift();
    if (this.#isAway || fault === 'unreachable') throw unreachable();
    return fault;
  }
}

function unreachable(): TokenStoreError {
  return new TokenStoreError('unreachable', 'the store does not answer');
}

const idOf = ({ namespace, owner }: RecordId): RecordId => ({ namespace, owner });

function keyOf({ namespace, owner }: RecordId): string {
  return JSON.stringify([namespace, owner]);
}
