import {
  formatPrivateKeys,
  formatPublicKeys,
  newSigningKey,
  publicKeysOf,
  type StampPrivateKeys,
} from '../../identity/stamps/stamp-keys.ts';
import { parsePrivateKeys } from '../../identity/stamps/read-stamp-keys.ts';
import type { OperatorCalls } from '../../kubernetes/operator-calls.ts';
import type { SecretRecords } from '../../kubernetes/secret-records.ts';
import type { Clock } from '../../time/clock.ts';

/** `type` of the Secret and key of its data. */
export const STAMP_KEYS_TYPE = 'kerbridge.dev/stamp-keys';
export const STAMP_KEYS_KEY = 'stamp-keys.json';
/** As `createSecretRecords` wants it, but for the namespace. */
export const STAMP_KEYS_SECRETS = {
  type: STAMP_KEYS_TYPE,
  key: STAMP_KEYS_KEY,
  labels: { 'app.kubernetes.io/managed-by': 'kerbridge' },
};

export type StampKeyEvent =
  | { readonly event: 'made' }
  | { readonly event: 'used'; readonly kid: string; readonly keys: number }
  | { readonly event: 'published' }
  /** What was known stays in use. */
  | { readonly event: 'failed'; readonly error: unknown };

export interface StampKeySecretOptions {
  readonly secrets: Pick<SecretRecords, 'get' | 'create'>;
  readonly configMaps: Pick<OperatorCalls, 'getConfigMap' | 'createConfigMap' | 'patchConfigMap'>;
  readonly namespace: string;
  /** Of the Secret, and of the ConfigMap with the public part. */
  readonly name: string;
  readonly clock: Clock;
  readonly onEvent: (event: StampKeyEvent) => void;
}

/** How often the Secret is looked at: a key that somebody has announced is known to all long before it signs. */
export const LOOK_INTERVAL_MS = 30_000;
const RETRY_INTERVAL_MS = 5_000;
/** Times in a row that others may write the ConfigMap in between. */
const MAX_ATTEMPTS = 5;
const ANNOTATIONS = {
  'kerbridge.dev/purpose': 'keys that sign for whom pods speak; whoever reads them can be any user',
};

/** What keeps replicas from a key set. The message quotes nothing of it. */
export class StampKeySecretError extends Error {
  override readonly name = 'StampKeySecretError';
}

/**
 * The keys of stamps in one Secret that all replicas share: the first to come makes it, the others read it. The public part
 * is published in a ConfigMap for `serve`, before anything is signed.
 */
export class StampKeySecret {
  readonly #options: StampKeySecretOptions;
  readonly #stopped = new AbortController();
  #keys: StampPrivateKeys | undefined;
  #text: string | undefined;
  #failure: unknown = new StampKeySecretError('the signing keys were not read yet');
  #running: Promise<void> | undefined;

  constructor(options: StampKeySecretOptions) {
    this.#options = options;
  }

  /** undefined: none are known yet. */
  get current(): StampPrivateKeys | undefined {
    return this.#keys;
  }

  /** Looks once, then again and again. Never rejects. */
  async start(): Promise<void> {
    await this.look();
    this.#running = this.#goOn();
  }

  async check(): Promise<void> {
    await Promise.resolve();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  /** Never rejects. */
  async look(): Promise<void> {
    const { signal } = this.#stopped;
    try {
      const text = await this.#read(signal);
      if (text !== this.#text) {
        const read = parsePrivateKeys(text);
        if (!read.ok)
          throw this.#unusable(`has ${read.problems.length} problem(s) and is no set of signing keys`);
        await this.#publish(read.keys, signal);
        this.#keys = read.keys;
        this.#text = text;
        this.#options.onEvent({ event: 'used', kid: read.keys.keys[0].kid, keys: read.keys.keys.length });
      } else if (this.#keys !== undefined) await this.#publish(this.#keys, signal);
      this.#failure = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = error;
      this.#options.onEvent({ event: 'failed', error });
    }
  }

  async #goOn(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const pause = this.#failure === undefined ? LOOK_INTERVAL_MS : RETRY_INTERVAL_MS;
      await this.#options.clock.sleep(pause, signal).catch(() => undefined);
      if (!signal.aborted) await this.look();
    }
  }

  async #read(signal: AbortSignal): Promise<string> {
    const { secrets, namespace, name } = this.#options;
    const found = await secrets.get(name, { signal });
    if (found !== undefined) {
      if (found.text === undefined) throw this.#unusable(`is not of type ${STAMP_KEYS_TYPE}`);
      return found.text.reveal();
    }
    // Deleted, or not made yet. What signed until now goes on: with another key all stamps would be worth nothing.
    if (this.#keys === undefined && (await this.#arePublished(signal))) {
      // Another replica may have made it since: it is there before its public part is.
      const late = await secrets.get(name, { signal });
      if (late?.text !== undefined) return late.text.reveal();
      throw new StampKeySecretError(
        `Secret ${namespace}/${name} is gone, and ConfigMap ${name} still has its public keys: restore the Secret; or delete the ConfigMap too, and new keys are made, which make all stamps that there are worthless`,
      );
    }
    const keys = this.#keys ?? { keys: [newSigningKey()] };
    const made = await secrets.create(
      name,
      { text: formatPrivateKeys(keys), annotations: ANNOTATIONS },
      { signal },
    );
    if (made !== undefined) this.#options.onEvent({ event: 'made' });
    // Another replica may have been faster: what is there counts.
    const record = made ?? (await secrets.get(name, { signal }));
    if (record?.text === undefined) throw this.#unusable('was changed while it was made');
    return record.text.reveal();
  }

  async #arePublished(signal: AbortSignal): Promise<boolean> {
    const { configMaps, namespace, name } = this.#options;
    const found = await configMaps.getConfigMap({ namespace, name }, { signal });
    return found?.data[STAMP_KEYS_KEY] !== undefined;
  }

  async #publish(keys: StampPrivateKeys, signal: AbortSignal): Promise<void> {
    const { configMaps, namespace, name } = this.#options;
    const id = { namespace, name };
    const data = { [STAMP_KEYS_KEY]: formatPublicKeys(publicKeysOf(keys)) };
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const found = await configMaps.getConfigMap(id, { signal });
      if (found?.data[STAMP_KEYS_KEY] === data[STAMP_KEYS_KEY]) return;
      const isWritten =
        found === undefined
          ? await configMaps.createConfigMap(id, data, { signal })
          : await configMaps.patchConfigMap(id, { ...found, data }, { signal });
      if (isWritten) {
        this.#options.onEvent({ event: 'published' });
        return;
      }
      // Another replica was faster, with the same most likely.
    }
    throw new StampKeySecretError(
      `ConfigMap ${namespace}/${name} was changed by others ${MAX_ATTEMPTS} times in a row: find out who else writes it`,
    );
  }

  #unusable(what: string): StampKeySecretError {
    const { namespace, name } = this.#options;
    return new StampKeySecretError(`Secret ${namespace}/${name} ${what}: restore it, or name another one`);
  }
}
