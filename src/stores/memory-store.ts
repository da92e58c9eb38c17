import type { RecordId, TokenRecord } from '../delegation-tokens/token-record.ts';
import {
  type OnRecordChange,
  type StoreCallOptions,
  type StoredRecord,
  type TokenStore,
  TokenStoreError,
  type WriteResult,
} from '../delegation-tokens/token-store.ts';
import type { Clock } from '../time/clock.ts';
import { findMismatch } from './find-mismatch.ts';

type Tell = (id: RecordId, stored: StoredRecord | undefined) => void;

/** What several stores of one process share, as replicas share the API server. */
export class MemoryBacking {
  readonly #records = new Map<string, StoredRecord>();
  readonly #watchers = new Set<Tell>();
  #writes = 0;

  get(id: RecordId): StoredRecord | undefined {
    return this.#records.get(keyOf(id));
  }

  /** All there is, and from now on every change, in order. */
  watch(tell: Tell): readonly StoredRecord[] {
    this.#watchers.add(tell);
    return [...this.#records.values()];
  }

  unwatch(tell: Tell): void {
    this.#watchers.delete(tell);
  }

  put(record: TokenRecord): StoredRecord {
    this.#writes += 1;
    const stored = { record, version: String(this.#writes) };
    this.#records.set(keyOf(record), stored);
    for (const tell of this.#watchers) tell(record, stored);
    return stored;
  }

  delete(id: RecordId): void {
    if (!this.#records.delete(keyOf(id))) return;
    for (const tell of this.#watchers) tell(id, undefined);
  }
}

export interface MemoryTokenStoreOptions {
  readonly clock: Clock;
  /** Default: one of its own, which ends with the process. */
  readonly backing?: MemoryBacking;
}

/** Keeps the tokens for one replica, until it ends. */
export class MemoryTokenStore implements TokenStore {
  readonly #clock: Clock;
  readonly #backing: MemoryBacking;
  #tell: Tell | undefined;
  /** When that was written which has not been told yet. */
  readonly #untoldSince: number[] = [];

  constructor({ clock, backing = new MemoryBacking() }: MemoryTokenStoreOptions) {
    this.#clock = clock;
    this.#backing = backing;
  }

  async start(onChange: OnRecordChange, { signal }: StoreCallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#tell !== undefined) throw new Error('the store was started before');
    const tell: Tell = (id, stored) => {
      this.#untoldSince.push(this.#clock.now());
      // Never from within `write`: its caller is in the middle of something.
      queueMicrotask(() => {
        this.#untoldSince.shift();
        if (this.#tell === tell) onChange(idOf(id), stored);
      });
    };
    this.#tell = tell;
    for (const stored of this.#backing.watch(tell)) onChange(idOf(stored.record), stored);
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    if (this.#tell !== undefined) this.#backing.unwatch(this.#tell);
    this.#tell = undefined;
    await Promise.resolve();
  }

  async read(id: RecordId, { signal }: StoreCallOptions = {}): Promise<StoredRecord | undefined> {
    await Promise.resolve();
    signal?.throwIfAborted();
    return this.#backing.get(id);
  }

  async write(
    record: TokenRecord,
    expected: string | undefined,
    { signal }: StoreCallOptions = {},
  ): Promise<WriteResult> {
    await Promise.resolve();
    signal?.throwIfAborted();
    const mismatch = findMismatch(record);
    if (mismatch !== undefined) {
      throw new TokenStoreError('malformed', `the record to be written ${mismatch}`);
    }
    if (this.#backing.get(record)?.version !== expected) return { outcome: 'conflict' };
    if (record.tokens.length > 0 || record.claims.length > 0) {
      return { outcome: 'written', stored: this.#backing.put(record) };
    }
    this.#backing.delete(record);
    return { outcome: 'written', stored: undefined };
  }

  knownUntil(): number | undefined {
    if (this.#tell === undefined) return undefined;
    const [first] = this.#untoldSince;
    return first === undefined ? this.#clock.now() : first - 1;
  }
}

const idOf = ({ namespace, owner }: RecordId): RecordId => ({ namespace, owner });

function keyOf({ namespace, owner }: RecordId): string {
  return JSON.stringify([namespace ?? null, owner]);
}
