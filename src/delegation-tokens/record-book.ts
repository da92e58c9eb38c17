import { Backoff } from '../concurrency/backoff.ts';
import type { Clock } from '../time/clock.ts';
import { inOnePiece } from './compact-text.ts';
import type { RecordId, TokenRecord } from './token-record.ts';
import { type StoreCallOptions, type StoredRecord, type TokenStore, TokenStoreError } from './token-store.ts';

export interface RecordBookOptions {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly random: () => number;
  /** Of each record whenever another state of it becomes known, own writes included; undefined: it is gone. Must not throw. */
  readonly onRecord: (id: RecordId, record: TokenRecord | undefined) => void;
}

/** What a change makes of the record; undefined: leave it as it is. */
export type Change = (record: TokenRecord) => TokenRecord | undefined;

const RETRY = { firstMs: 100, capMs: 2_000 };
/** Of a read that nobody waits for: there may be thousands. */
const CONFIRM = { firstMs: 100, capMs: 10_000 };

/**
 * The records as far as they are known here, and the way to change one: read, change, compare-and-swap, again after a
 * conflict. Changes to one record by this process come one after the other.
 */
export class RecordBook {
  readonly #options: RecordBookOptions;
  readonly #known = new Map<string, StoredRecord>();
  readonly #stopped = new AbortController();
  /** The end of the last change that waits or is under way, by record. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: RecordBookOptions) {
    this.#options = options;
  }

  /** Resolves when all records there are have been told. */
  async start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#options.store.start((id, stored) => this.#hear(id, stored), options);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#options.store.stop();
  }

  /** Up to when every change by anybody is known here; see {@link TokenStore.knownUntil}. */
  knownUntil(): number | undefined {
    return this.#options.store.knownUntil();
  }

  /** Reads it from the store itself. Rejects with TokenStoreError, or with the signal's reason. */
  async refresh(id: RecordId, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#read(id, options);
  }

  /**
   * Changes the record. `change` may be asked several times, each time about another state, and must have no effects of
   * its own. Resolves to what is stored then, also when nothing had to be written. While the store can't be reached it
   * goes on trying until the signal is aborted, and then rejects with TokenStoreError (what was written may have arrived).
   */
  async change(
    id: RecordId,
    change: Change,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<TokenRecord> {
    const key = keyOf(id);
    const before = this.#turns.get(key);
    const turn = (async () => {
      await before?.catch(() => undefined);
      return await this.#change(id, change, signal);
    })();
    this.#turns.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }

  async #change(id: RecordId, change: Change, signal: AbortSignal): Promise<TokenRecord> {
    const { store, clock, random } = this.#options;
    const key = keyOf(id);
    const backoff = new Backoff({ ...RETRY, random });
    let mustRead = false;
    for (;;) {
      let failure: unknown;
      try {
        signal.throwIfAborted();
        if (mustRead) await this.#read(id, { signal });
        mustRead = true;
        const known = this.#known.get(key);
        const record = known?.record ?? emptyRecord(id);
        const changed = change(record);
        if (changed === undefined) return record;
        const result = await store.write(changed, known?.version, { signal });
        if (result.outcome === 'written') {
          this.#learnWritten(id, result.stored, known);
          return result.stored?.record ?? emptyRecord(id);
        }
        continue;
      } catch (error) {
        if (signal.aborted) throw this.#outOfTime(id, error);
        if (!(error instanceof TokenStoreError) || error.failure !== 'unreachable') throw error;
        failure = error;
      }
      await clock.sleep(backoff.next(), signal).catch(() => {
        throw this.#outOfTime(id, failure);
      });
    }
  }

  #outOfTime(id: RecordId, cause: unknown): TokenStoreError {
    if (cause instanceof TokenStoreError) return cause;
    const where = id.namespace === undefined ? 'all namespaces' : `namespace ${id.namespace}`;
    return new TokenStoreError(
      'unreachable',
      `the tokens of ${id.owner} in ${where} could not be recorded in time`,
      {
        cause,
      },
    );
  }

  /** What the store tells by itself may be older than what we have read or written. */
  #hear(id: RecordId, stored: StoredRecord | undefined): void {
    const known = this.#known.get(keyOf(id));
    if (stored === undefined) {
      if (known !== undefined) void this.#confirmGone(id);
    } else if (known === undefined) this.#learn(id, stored);
    else this.#learnNewer(id, stored, known);
  }

  /**
   * It may have been made anew since it was removed. Until that is known, what is known counts; but nobody else tells, and
   * what was removed with it may have been cancelled.
   */
  async #confirmGone(id: RecordId): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopped;
    const key = keyOf(id);
    const known = this.#known.get(key);
    const backoff = new Backoff({ ...CONFIRM, random });
    while (!signal.aborted && this.#known.get(key) === known) {
      try {
        return await this.#read(id);
      } catch (error) {
        // The next change of this record finds out.
        if (!(error instanceof TokenStoreError) || error.failure !== 'unreachable') return;
      }
      await clock.sleep(backoff.next(), signal).catch(() => undefined);
    }
  }

  /** The answer may come after newer news: to go back to it would hand out again what is about to be cancelled. */
  async #read(id: RecordId, options: StoreCallOptions = {}): Promise<void> {
    const key = keyOf(id);
    for (;;) {
      const before = this.#known.get(key);
      const stored = await this.#options.store.read(id, options);
      const known = this.#known.get(key);
      if (known === before) return this.#learn(id, stored);
      if (known !== undefined && stored !== undefined) return this.#learnNewer(id, stored, known);
      if (known === stored) return;
      // One of them says that it is gone. Which is the later one, only another answer can tell.
    }
  }

  /** What was there `before` was replaced by it, so what was told meanwhile came after it, or is the same. */
  #learnWritten(id: RecordId, stored: StoredRecord | undefined, before: StoredRecord | undefined): void {
    const known = this.#known.get(keyOf(id));
    if (known === before) this.#learn(id, stored);
    else if (known !== undefined && stored !== undefined) this.#learnNewer(id, stored, known);
  }

  #learnNewer(id: RecordId, stored: StoredRecord, known: StoredRecord): void {
    if (!isOlder(stored.version, known.version)) this.#learn(id, stored);
  }

  #learn(id: RecordId, stored: StoredRecord | undefined): void {
    const key = keyOf(id);
    if (stored?.version === this.#known.get(key)?.version) return;
    if (stored === undefined) this.#known.delete(key);
    else this.#known.set(inOnePiece(key), stored);
    this.#options.onRecord(id, stored?.record);
  }
}

function emptyRecord({ namespace, owner }: RecordId): TokenRecord {
  return { namespace, owner, tokens: [], claims: [] };
}

/** Versions are opaque, but where both end in a number, as all of ours do, that tells which came first. */
function isOlder(version: string, than: string): boolean {
  const [one, other] = [numberOf(version), numberOf(than)];
  return one !== undefined && other !== undefined && one < other;
}

function numberOf(version: string): bigint | undefined {
  const digits = /\d+$/.exec(version)?.[0];
  return digits === undefined ? undefined : BigInt(digits);
}

/** Neither a namespace nor a user name holds a line break. */
export function keyOf({ namespace, owner }: RecordId): string {
  return `${namespace ?? ''}\n${owner}`;
}
