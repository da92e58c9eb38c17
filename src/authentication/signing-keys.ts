import { withDeadline } from '../concurrency/deadline.ts';
import { SingleFlight } from '../concurrency/single-flight.ts';
import type { Clock } from '../time/clock.ts';
import { readSigningKey, type SigningKey } from './signing-key.ts';

export const REFRESH_COOLDOWN_MS = 30_000;
export const REFRESH_AFTER_MS = 10 * 60_000;
export const REFRESH_TIMEOUT_MS = 5_000;
/** An API server has one or two, during a rotation some more. */
export const MAX_SIGNING_KEYS = 64;

/** What the API server publishes about its service-account tokens. */
export interface ServiceAccountIssuer {
  readonly issuer: string;
  /** JSON Web Keys as they came, not looked at yet. */
  readonly keys: readonly unknown[];
}

/** Rejects when it could not be read. */
export type ReadServiceAccountIssuer = (options?: {
  readonly signal?: AbortSignal;
}) => Promise<ServiceAccountIssuer>;

export type SigningKeysRefresh =
  | {
      readonly outcome: 'refreshed';
      readonly issuer: string;
      readonly usableKeys: number;
      /** Of a type that we don't verify with, or malformed; tokens of theirs are always unproven. */
      readonly unusableKeys: number;
    }
  | { readonly outcome: 'failed'; readonly cause: unknown };

export interface SigningKeysOptions {
  readonly readIssuer: ReadServiceAccountIssuer;
  readonly clock: Clock;
  readonly onRefresh?: (refresh: SigningKeysRefresh) => void;
}

interface Published {
  readonly issuer: string;
  readonly keys: ReadonlyMap<string, SigningKey>;
  readonly readAt: number;
}

/**
 * The API server's issuer and public keys, as last read. A refresh that fails changes nothing: the keys that were good
 * go on being used for as long as the API server can't be asked. Nothing is read before the first call.
 */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #flight = new SingleFlight<'issuer', void>();
  #published: Published | undefined;
  #lastAttemptAt = Number.NEGATIVE_INFINITY;

  constructor(options: SigningKeysOptions) {
    this.#options = options;
  }

  /** undefined until the API server could be asked once. */
  get issuer(): string | undefined {
    return this.#published?.issuer;
  }

  /** How many keys there are to verify with. */
  get size(): number {
    return this.#published?.keys.size ?? 0;
  }

  find(keyId: string): SigningKey | undefined {
    return this.#published?.keys.get(keyId);
  }

  /** Starts a refresh, if it is time for one, and doesn't wait for it. */
  keepFresh(): void {
    const readAt = this.#published?.readAt ?? Number.NEGATIVE_INFINITY;
    if (!this.#isWithin(REFRESH_AFTER_MS, readAt)) void this.refresh();
  }

  /**
   * Joins the refresh under way, or starts one, but only one in {@link REFRESH_COOLDOWN_MS} whatever comes: callers
   * can make up keys as fast as they like. Resolves also when that failed; rejects only with the signal's reason.
   */
  async refresh(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const coolingDown = this.#isWithin(REFRESH_COOLDOWN_MS, this.#lastAttemptAt);
    if (coolingDown && this.#flight.size === 0) return;
    await this.#flight.run('issuer', () => this.#attempt(), options);
  }

  /** A negative age is a clock that was set back: it says nothing about how long ago that was. */
  #isWithin(ms: number, since: number): boolean {
    const age = this.#options.clock.now() - since;
    return age >= 0 && age < ms;
  }

  async #attempt(): Promise<void> {
    const { clock, readIssuer, onRefresh } = this.#options;
    this.#lastAttemptAt = clock.now();
    const onTimeout = (): Error =>
      new Error(`the Kubernetes API did not send its signing keys within ${REFRESH_TIMEOUT_MS} ms`);
    try {
      const work = { clock, timeoutMs: REFRESH_TIMEOUT_MS, onTimeout };
      const read = await withDeadline(work, (signal) => readIssuer({ signal }));
      const keys = await importKeys(read.keys);
      this.#published = { issuer: read.issuer, keys, readAt: clock.now() };
      onRefresh?.({
        outcome: 'refreshed',
        issuer: read.issuer,
        usableKeys: keys.size,
        unusableKeys: read.keys.length - keys.size,
      });
    } catch (cause) {
      onRefresh?.({ outcome: 'failed', cause });
    }
  }
}

async function importKeys(jwks: readonly unknown[]): Promise<ReadonlyMap<string, SigningKey>> {
  const keys = new Map<string, SigningKey>();
  for (const key of await Promise.all(jwks.slice(0, MAX_SIGNING_KEYS).map(readSigningKey))) {
    if (key !== undefined && !keys.has(key.keyId)) keys.set(key.keyId, key);
  }
  if (keys.size === 0) throw new Error('the Kubernetes API published no signing key of a type it signs with');
  return keys;
}
