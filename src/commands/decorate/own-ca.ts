import type { Signalled } from '../../kubernetes/operator-calls.ts';
import type { SecretRecords } from '../../kubernetes/secret-records.ts';
import type { Clock } from '../../time/clock.ts';
import { parseTlsPair, type TlsPair } from '../serve/tls-certificate.ts';
import {
  caBundleOf,
  formatOwnCaState,
  type OwnCaState,
  OwnCaStateError,
  parseOwnCaState,
} from './own-ca-state.ts';
import {
  carryOut,
  type CertificateAction,
  type CertificatePolicy,
  type Issuer,
  planCertificates,
} from './plan-certificates.ts';

export type OwnCaEvent =
  | { readonly event: 'changed'; readonly actions: readonly CertificateAction['action'][] }
  /** Somebody else, most likely another replica, has written in between; theirs counts. */
  | { readonly event: 'outrun' }
  | { readonly event: 'bundle-written' }
  | { readonly event: 'bundle-failed'; readonly error: unknown }
  /** The Secret can't be read, written or understood: what is shown stays as it is. */
  | { readonly event: 'failed'; readonly error: unknown };

/** Makes this PEM what API servers trust. 'written': some of them may not know yet. */
export type PutBundle = (caBundle: string, options: Signalled) => Promise<'unchanged' | 'written'>;

export interface OwnCaOptions {
  /** Of one type and key, as replicas have in common. */
  readonly secrets: Pick<SecretRecords, 'get' | 'create' | 'replace'>;
  readonly secretName: string;
  readonly putBundle: PutBundle;
  readonly policy: CertificatePolicy;
  readonly issuer: Issuer;
  readonly clock: Clock;
  readonly onEvent?: (event: OwnCaEvent) => void;
}

/** How often the Secret and the bundles are looked at. Whoever deletes or overwrites one of them is undone as fast. */
export const LOOK_INTERVAL_MS = 30_000;
const RETRY_INTERVAL_MS = 5_000;
/** Times in a row that others may write in between. */
const MAX_ATTEMPTS = 5;
const ANNOTATIONS = {
  'kerbridge.dev/purpose': 'certificate authority of the admission webhook; replicas share it',
};

/**
 * A certificate of an authority of our own, which all replicas share by one Secret and which API servers trust by the
 * caBundle of the webhook configurations. Every look does all that is left to do, so it makes no difference where the one before
 * it ended: the Secret is written first, then the bundles, and only then is anything new shown.
 */
export class OwnCa {
  readonly #options: OwnCaOptions;
  readonly #stopped = new AbortController();
  #state: OwnCaState | undefined;
  #pair: TlsPair | undefined;
  /** Why the last look was no success. */
  #failure: unknown;
  #isBundled = false;
  #listener: ((pair: TlsPair) => void) | undefined;
  #running: Promise<void> | undefined;

  private constructor(options: OwnCaOptions) {
    this.#options = options;
  }

  /**
   * Looks once. Rejects if that gives no certificate; bundles that can't be written only make {@link check} reject. Then
   * looks again and again, until it is stopped.
   */
  static async open(options: OwnCaOptions): Promise<OwnCa> {
    const ownCa = new OwnCa(options);
    await ownCa.#look();
    if (ownCa.#pair === undefined) throw ownCa.#failure;
    ownCa.#running = ownCa.#goOn();
    return ownCa;
  }

  get current(): TlsPair {
    if (this.#pair === undefined) throw new Error('there is no certificate yet');
    return this.#pair;
  }

  /** ms since the epoch: end of the authority that lives the longest. */
  get authorityNotAfter(): number {
    return Math.max(...(this.#state?.authorities ?? []).map(({ notAfter }) => notAfter));
  }

  /** Tells `listener` of each certificate from now on. One listener, which must not throw. */
  follow(listener: (pair: TlsPair) => void): void {
    this.#listener = listener;
  }

  /** Resolves if the last look found or made all as it should be. */
  async check(): Promise<void> {
    await Promise.resolve();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #goOn(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const pause = this.#failure === undefined ? LOOK_INTERVAL_MS : RETRY_INTERVAL_MS;
      await this.#options.clock.sleep(pause, signal).catch(() => undefined);
      if (!signal.aborted) await this.#look();
    }
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { signal } = this.#stopped;
    const before = this.#pair;
    try {
      this.#failure = undefined;
      await this.#agree(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = error;
      this.#tell({ event: 'failed', error });
    }
    if (this.#pair !== undefined && this.#pair !== before) this.#listener?.(this.#pair);
  }

  async #agree(signal: AbortSignal): Promise<void> {
    const { secrets, secretName } = this.#options;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const record = await secrets.get(secretName, { signal });
      // Deleted: what we have goes on, as API servers trust it. Only who has nothing begins anew.
      const found = record === undefined ? this.#state : this.#parse(record.text?.reveal());
      if (record !== undefined && found !== undefined) await this.#bundle(found, signal);
      const actions = this.#plan(found);
      if (record !== undefined && found !== undefined && actions.length === 0) {
        this.#use(found);
        return;
      }
      const { policy, issuer, clock } = this.#options;
      const next = carryOut(found, actions, { now: clock.now(), policy, issuer });
      const content = { text: formatOwnCaState(next), annotations: ANNOTATIONS };
      const written =
        record === undefined
          ? await secrets.create(secretName, content, { signal })
          : await secrets.replace(secretName, record, content, { signal });
      if (written !== undefined) {
        this.#tell({ event: 'changed', actions: actions.map(({ action }) => action) });
        await this.#bundle(next, signal);
        this.#use(next);
        return;
      }
      this.#tell({ event: 'outrun' });
    }
    throw new OwnCaStateError(`Secret ${secretName} was changed by others ${MAX_ATTEMPTS} times in a row`);
  }

  #plan(found: OwnCaState | undefined): CertificateAction[] {
    const { policy, clock } = this.#options;
    return planCertificates(found, { now: clock.now(), policy, isBundled: this.#isBundled });
  }

  #parse(text: string | undefined): OwnCaState {
    const { secretName } = this.#options;
    const fix = 'delete it, and a new one is made; or name another one';
    // Not overwritten: it may be somebody else's, or of a later version.
    if (text === undefined) throw new OwnCaStateError(`Secret ${secretName} is of another type: ${fix}`);
    try {
      return parseOwnCaState(text);
    } catch (error) {
      if (!(error instanceof OwnCaStateError)) throw error;
      throw new OwnCaStateError(`Secret ${secretName} ${error.message}: ${fix}`);
    }
  }

  /** Notes a failure and goes on: the certificate is of use for API servers that know its authority already. */
  async #bundle(state: OwnCaState, signal: AbortSignal): Promise<void> {
    try {
      const outcome = await this.#options.putBundle(caBundleOf(state), { signal });
      this.#isBundled = outcome === 'unchanged';
      if (outcome === 'written') this.#tell({ event: 'bundle-written' });
    } catch (error) {
      signal.throwIfAborted();
      this.#isBundled = false;
      this.#failure = error;
      this.#tell({ event: 'bundle-failed', error });
    }
  }

  #use(state: OwnCaState): void {
    this.#state = state;
    const { serving } = state;
    if (serving === undefined || serving.certificate === this.#pair?.certificates) return;
    this.#pair = parseTlsPair(serving.certificate, serving.key.reveal());
  }

  #tell(event: OwnCaEvent): void {
    this.#options.onEvent?.(event);
  }
}
