import type { TokenRecord, RecordId } from '../delegation-tokens/token-record.ts';
import {
  type OnRecordChange,
  type StoreCallOptions,
  type StoredRecord,
  type TokenStore,
  TokenStoreError,
  type WriteResult,
} from '../delegation-tokens/token-store.ts';
import type { Reflector } from '../kubernetes/reflector/reflector.ts';
import { MAX_SECRET_BYTES, type SecretRecord, type SecretRecords } from '../kubernetes/secret-records.ts';
import { Secret } from '../observability/secret.ts';
import type { Clock } from '../time/clock.ts';
import { findMismatch } from './find-mismatch.ts';
import { decodeRecord, encodeRecord, nameOfRecord } from './record-format.ts';
import { RecordMirror, type RecordMirrorEvent } from './record-mirror.ts';
import { parseVersion, readRecord } from './stored-secret.ts';
import { toStoreError } from './to-store-error.ts';

/** What the Secrets are, whatever namespace they are in. */
export const TOKEN_SECRETS = {
  type: 'kerbridge.dev/token-record',
  key: 'record',
  labels: {
    'app.kubernetes.io/managed-by': 'kerbridge',
    'app.kubernetes.io/part-of': 'kerbridge',
    'app.kubernetes.io/component': 'token-store',
  },
} as const;

export type TokenStoreEvent = RecordMirrorEvent;

export interface KubernetesTokenStoreOptions {
  /** Of {@link TOKEN_SECRETS}, in a namespace of Kerbridge's own. */
  readonly secrets: SecretRecords;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onEvent?: (event: TokenStoreEvent) => void;
}

/**
 * One Secret for each record, which every replica watches. Their versions make the compare-and-swap. What is no record, or
 * one of a version that this program does not know, is reported and left as it is.
 */
export class KubernetesTokenStore implements TokenStore {
  readonly #options: KubernetesTokenStoreOptions;
  #reflector: Reflector | undefined;

  constructor(options: KubernetesTokenStoreOptions) {
    this.#options = options;
  }

  async start(onChange: OnRecordChange, { signal }: StoreCallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#reflector !== undefined) throw new Error('the store was started before');
    const { secrets, clock, random, onEvent } = this.#options;
    const target = new RecordMirror({ onChange, ...(onEvent === undefined ? {} : { onEvent }) });
    this.#reflector = secrets.createReflector({ target, clock, random, onEvent: target.report });
    this.#reflector.start();
    try {
      await this.#reflector.waitUntilSynced(signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw toStoreError(error);
    }
  }

  async stop(): Promise<void> {
    await this.#reflector?.stop();
  }

  async read(id: RecordId, options: StoreCallOptions = {}): Promise<StoredRecord | undefined> {
    const secret = await this.#call(options, () => this.#options.secrets.get(nameOfRecord(id), options));
    return secret === undefined ? undefined : storedOf(secret);
  }

  async write(
    record: TokenRecord,
    expected: string | undefined,
    options: StoreCallOptions = {},
  ): Promise<WriteResult> {
    const { secrets } = this.#options;
    const name = nameOfRecord(record);
    const version = expected === undefined ? undefined : parseVersion(expected);
    if (record.tokens.length === 0 && record.claims.length === 0) {
      const isGone = await this.#call(options, async () =>
        version === undefined
          ? (await secrets.get(name, options)) === undefined
          : await secrets.remove(name, version, options),
      );
      return isGone ? { outcome: 'written', stored: undefined } : { outcome: 'conflict' };
    }
    const content = { text: contentOf(record), annotations: annotationsOf(record) };
    const secret = await this.#call(options, () =>
      version === undefined
        ? secrets.create(name, content, options)
        : secrets.replace(name, version, content, options),
    );
    return secret === undefined
      ? { outcome: 'conflict' }
      : // What is stored, not what was sent: an admission webhook may have changed it.
        { outcome: 'written', stored: storedOf(secret) };
  }

  knownUntil(): number | undefined {
    return this.#reflector?.state().completeUntil;
  }

  async #call<T>({ signal }: StoreCallOptions, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      signal?.throwIfAborted();
      throw toStoreError(error);
    }
  }
}

/** Throws TokenStoreError. */
function storedOf(secret: SecretRecord): StoredRecord {
  const read = readRecord(secret);
  if ('stored' in read) return read.stored;
  throw new TokenStoreError('malformed', `Secret ${secret.name} ${read.problem}`, {
    fix: 'see who wrote it; delete it if nobody needs its tokens, which then live until they expire',
  });
}

/** Throws TokenStoreError. */
function contentOf(record: TokenRecord): Secret<string> {
  const text = encodeRecord(record);
  // What can't be read back, or would be somebody else's then, is never written.
  const decoded = decodeRecord(text);
  const problem = findMismatch(record) ?? ('problem' in decoded ? decoded.problem : undefined);
  if (problem !== undefined) {
    throw new TokenStoreError('malformed', `the record to be written ${problem}`);
  }
  const size = Buffer.byteLength(text);
  if (size > MAX_SECRET_BYTES) {
    throw new TokenStoreError(
      'too-large',
      `the record of ${record.tokens.length} tokens has ${size} bytes, and a Secret takes ${MAX_SECRET_BYTES}`,
      { fix: 'let the pods of a namespace share the tokens of a user (scope `namespace`)' },
    );
  }
  return new Secret(text);
}

function annotationsOf({ namespace, owner }: RecordId): Record<string, string> {
  return {
    'kerbridge.dev/owner': owner,
    ...(namespace === undefined ? {} : { 'kerbridge.dev/namespace': namespace }),
  };
}
