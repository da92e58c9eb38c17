import type { RecordId, TokenRecord } from '../../src/delegation-tokens/token-record.ts';
import {
  type OnRecordChange,
  type StoredRecord,
  type TokenStore,
  TokenStoreError,
  type WriteResult,
} from '../../src/delegation-tokens/token-store.ts';
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
      for (const { record, version } of this.#backing.records.values())
        this.#onChange?.(record, { record, version });
  }

  async start(onChange: OnRecordChange): Promise<void> {
    await Promise.resolve();
    this.#onChange = (id, stored) => {
      if (!this.#isAway) onChange(id, stored);
    };
    for (const stored of this.#backing.records.values()) this.#onChange(stored.record, stored);
    this.#backing.listeners.add(this.#onChange);
  }

  stop(): Promise<void> {
    if (this.#onChange !== undefined) this.#backing.listeners.delete(this.#onChange);
    return Promise.resolve();
  }

  async read(id: RecordId): Promise<StoredRecord | undefined> {
    await this.#begin('read');
    return this.#backing.records.get(keyOf(id));
  }

  async write(record: TokenRecord, expected: string | undefined): Promise<WriteResult> {
    const fault = await this.#begin('write');
    const key = keyOf(record);
    if (this.#backing.records.get(key)?.version !== expected) return { outcome: 'conflict' };
    const isEmpty = record.tokens.length === 0 && record.claims.length === 0;
    this.#backing.version += 1;
    const stored = isEmpty ? undefined : { record, version: String(this.#backing.version) };
    if (stored === undefined) this.#backing.records.delete(key);
    else this.#backing.records.set(key, stored);
    for (const listener of this.#backing.listeners) listener(record, stored);
    if (fault === 'reply-lost') throw unreachable();
    return { outcome: 'written', stored };
  }

  knownUntil(): number | undefined {
    return this.#isAway ? this.#awaySince : this.#clock.now();
  }

  async #begin(call: string): Promise<Fault | undefined> {
    this.calls.push(call);
    await Promise.resolve();
    const fault = this.#faults.shift();
    if (this.#isAway || fault === 'unreachable') throw unreachable();
    return fault;
  }
}

function unreachable(): TokenStoreError {
  return new TokenStoreError('unreachable', 'the store does not answer');
}

function keyOf({ namespace, owner }: RecordId): string {
  return JSON.stringify([namespace, owner]);
}
