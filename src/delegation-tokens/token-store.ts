import type { RecordId, TokenRecord } from './token-record.ts';

export interface StoredRecord {
  readonly record: TokenRecord;
  /** Opaque; changes with every write. */
  readonly version: string;
}

export type WriteResult =
  /** What is stored now; undefined after a removal. */
  | { readonly outcome: 'written'; readonly stored: StoredRecord | undefined }
  /** It is another version than the expected one, and nothing was written. */
  | { readonly outcome: 'conflict' };

export interface StoreCallOptions {
  readonly signal?: AbortSignal;
}

/** `stored` undefined: there is no record any more. Must not throw. */
export type OnRecordChange = (id: RecordId, stored: StoredRecord | undefined) => void;

/**
 * Where the tokens are kept that were issued, so that a restart or another replica finds them. Owned by the core;
 * implemented in `stores/`. What is written: issue, retirement, tombstone. What is not: renewals, holders.
 *
 * Every call rejects with TokenStoreError, or with the reason of the caller's signal.
 */
export interface TokenStore {
  /**
   * Tells every record there is, then every change, also those made by this replica, in the order of their versions for
   * each record. Resolves when all that was there at the start has been told; goes on trying until then. Call it once.
   */
  start(onChange: OnRecordChange, options?: StoreCallOptions): Promise<void>;
  stop(): Promise<void>;
  /** As the authority has it at a moment not before the call. */
  read(id: RecordId, options?: StoreCallOptions): Promise<StoredRecord | undefined>;
  /**
   * Compare-and-swap. `expected` undefined: there must be no record. A record without tokens and claims is removed
   * instead of written.
   */
  write(record: TokenRecord, expected: string | undefined, options?: StoreCallOptions): Promise<WriteResult>;
  /** Up to when every write of anybody has been told to `onChange`, ms since the epoch; undefined: nothing is known. */
  knownUntil(): number | undefined;
}

export type TokenStoreFailure =
  /** No answer: nothing is known about the call. A write may have been done. */
  | 'unreachable'
  /** We have no right to it. */
  | 'denied'
  /** What is stored is no record of ours, or of a version that this program does not know. It is left as it is. */
  | 'malformed'
  /** A record larger than the store takes. Nothing was written. */
  | 'too-large';

/** The message is for the operator; it holds no token. */
export class TokenStoreError extends Error {
  override readonly name = 'TokenStoreError';
  readonly failure: TokenStoreFailure;
  /** What the operator can do about it, if that is known. */
  readonly fix: string | undefined;

  constructor(
    failure: TokenStoreFailure,
    message: string,
    details: { readonly fix?: string; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.failure = failure;
    this.fix = details.fix;
  }
}
