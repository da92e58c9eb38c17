import { tmpdir } from 'node:os';
import { SpnegoError, type SpnegoInitiator } from '../hadoop/spnego.ts';
import type { Secret } from '../observability/secret.ts';
import { systemClock, type Clock } from '../time/clock.ts';
import { classifyGssError } from './classify-gss-error.ts';
import { keytabFile, type KeytabSource } from './keytab-file.ts';
import { KeytabWatch } from './keytab-watch.ts';
import { assertKrb5ConfReadable } from './krb5-conf.ts';
import { httpServiceName } from './service-host.ts';
import { spawnWorker, type SpawnWorker } from './spawn-worker.ts';
import type { SpnegoProcessEvent } from './spnego-process-event.ts';
import type { StepOutcome } from './spnego-worker.ts';
import { StepQueue } from './step-queue.ts';
import { ticketsBelow, type MakeTickets } from './tickets.ts';
import { workerEnvironment } from './worker-environment.ts';
import { WorkerSupply } from './worker-supply.ts';

export interface SpnegoProcessOptions {
  /** Path of an MIT keytab (format 0x0502). It is read again whenever it changes. */
  readonly keytab: string;
  /** `name[/instance]@REALM`, which must be in the keytab; its first entry when undefined. */
  readonly principal?: string;
  /** Path of krb5.conf, or several with colons between; MIT's default (/etc/krb5.conf) when undefined. */
  readonly krb5Conf?: string;
  /**
   * Longest time for one step. MIT waits ten seconds for each silent KDC, once for the ticket-granting ticket and once
   * for the service's; 40 s by default, so that one dead KDC before a healthy one is passed with room to spare.
   */
  readonly stepTimeoutMs?: number;
  /** Longest time in the queue, by default as long as a step. */
  readonly waitTimeoutMs?: number;
  /** How many callers may wait. */
  readonly queueLimit?: number;
  /**
   * How long a refusal of our credentials stands before the KDC is asked again with the same keytab: a burst of callers
   * with a wrong key would lock the account (Active Directory does so after a few).
   */
  readonly credentialsHoldMs?: number;
  /** The directory for the private directories with tickets; the system's temporary one by default. */
  readonly ticketsParent?: string;
  /** Surroundings to pass a few harmless variables from (PATH, LD_LIBRARY_PATH, TZ, KRB5_TRACE); none by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly onEvent?: (event: SpnegoProcessEvent) => void;
  /** The ways to the outside, for tests. */
  readonly adapters?: {
    readonly spawnWorker?: SpawnWorker;
    readonly keytabSource?: KeytabSource;
    readonly makeTickets?: MakeTickets;
  };
}

/** SPNEGO tokens of one principal, made in a child process of its own. */
export interface SpnegoProcess extends SpnegoInitiator, AsyncDisposable {
  /**
   * Lets the next step begin with new tickets, for example after a server whose key was changed refused the old ones
   * (403 "Checksum failed"). Several calls before that step are one.
   */
  discardTickets(): void;
  /** Turns callers away, ends the child and removes its tickets. May be called twice. */
  close(): Promise<void>;
}

const DEFAULT_STEP_TIMEOUT_MS = 40_000;
const DEFAULT_QUEUE_LIMIT = 1000;
const DEFAULT_CREDENTIALS_HOLD_MS = 10_000;

type Refusal = Extract<StepOutcome, { type: 'refused' }>;

class ChildSpnegoProcess implements SpnegoProcess {
  readonly principal: string;
  readonly #clock: Clock;
  readonly #krb5Conf: string | undefined;
  readonly #stepTimeoutMs: number;
  readonly #credentialsHoldMs: number;
  readonly #onEvent: (event: SpnegoProcessEvent) => void;
  readonly #queue: StepQueue;
  readonly #supply: WorkerSupply;
  readonly #keytab: KeytabWatch;
  readonly #closing = new AbortController();
  #discardWanted = false;
  /** Whether the present try got as far as the worker. */
  #stepBegan = false;
  #credentialsRefused: { readonly error: SpnegoError; readonly until: number } | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: SpnegoProcessOptions, keytab: KeytabWatch) {
    this.principal = keytab.principal;
    this.#keytab = keytab;
    this.#clock = options.clock ?? systemClock;
    this.#krb5Conf = options.krb5Conf;
    this.#stepTimeoutMs = options.stepTimeoutMs ?? DEFAULT_STEP_TIMEOUT_MS;
    this.#credentialsHoldMs = options.credentialsHoldMs ?? DEFAULT_CREDENTIALS_HOLD_MS;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#queue = new StepQueue({
      clock: this.#clock,
      limit: options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
      waitTimeoutMs: options.waitTimeoutMs ?? this.#stepTimeoutMs,
    });
    this.#supply = new WorkerSupply({
      clock: this.#clock,
      spawnWorker: options.adapters?.spawnWorker ?? spawnWorker,
      makeTickets: options.adapters?.makeTickets ?? ticketsBelow(options.ticketsParent ?? tmpdir()),
      environment: (cacheName) =>
        workerEnvironment({
          inherited: options.environment ?? {},
          keytab: options.keytab,
          krb5Conf: options.krb5Conf,
          cacheName,
        }),
      onEvent: this.#onEvent,
    });
  }

  async negotiate(host: string, options: { readonly signal?: AbortSignal } = {}): Promise<Secret<string>> {
    const service = httpServiceName(host);
    return this.#queue.run(() => this.#measured(service), options.signal);
  }

  discardTickets(): void {
    this.#discardWanted = true;
    this.#credentialsRefused = undefined;
  }

  async close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#queue.close();
      this.#closing.abort(new SpnegoError('process', 'the Kerberos process is closed'));
      await this.#queue.idle();
      await this.#supply.close();
    })();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #measured(service: string): Promise<Secret<string>> {
    const startedAt = this.#clock.now();
    const done = (outcome: 'ok' | SpnegoError['failure']): void => {
      this.#onEvent({ type: 'step', service, outcome, durationMs: this.#clock.now() - startedAt });
    };
    try {
      const spnegoToken = await this.#twoTries(service);
      done('ok');
      return spnegoToken;
    } catch (error) {
      done(error instanceof SpnegoError ? error.failure : 'process');
      throw error;
    }
  }

  async #twoTries(service: string): Promise<Secret<string>> {
    const first = await this.#try(service);
    if (first.type === 'token') {
      return first.spnegoToken;
    }
    if (!(await this.#mayRetry(first))) {
      throw this.#refusalError(service, first);
    }
    this.#onEvent({ type: 'step-retried', service, reason: first.message });
    const second = await this.#try(service);
    if (second.type === 'token') {
      return second.spnegoToken;
    }
    throw this.#refusalError(service, second);
  }

  async #mayRetry(refusal: Refusal): Promise<boolean> {
    const { retry } = classifyGssError(refusal.message);
    if (retry === 'fresh-tickets') {
      this.#discardWanted = true;
      return true;
    }
    // The keytab may have been put in place between our look at it and libkrb5's.
    return retry === 'same' || (retry === 'changed-keytab' && (await this.#keytab.hasChanged()));
  }

  /** One step with a deadline of its own. Resolves with what GSS said, rejects with {@link SpnegoError}. */
  async #try(service: string): Promise<Exclude<StepOutcome, { type: 'ended' }>> {
    const decided = new AbortController();
    const signal = AbortSignal.any([decided.signal, this.#closing.signal]);
    this.#stepBegan = false;
    const timedOut = this.#clock.sleep(this.#stepTimeoutMs, signal).then(() => 'timed-out' as const);
    try {
      const outcome = await Promise.race([this.#step(service, signal), timedOut]);
      if (outcome === 'timed-out') {
        throw this.#timeOutError(service);
      }
      if (outcome.type === 'ended') {
        throw new SpnegoError('process', `the Kerberos child process is gone: ${outcome.reason}`, {
          fix: 'The next call starts another one. If this goes on: libgssapi-krb5-2 must be installed, and memory and process limits must leave room for a second Node process',
        });
      }
      this.#supply.answered();
      return outcome;
    } finally {
      decided.abort();
    }
  }

  async #step(service: string, signal: AbortSignal): Promise<StepOutcome> {
    const change = await this.#keytab.follow();
    if (change !== undefined) {
      this.#onEvent({ type: 'keytab-changed', principals: change.principals });
      this.#credentialsRefused = undefined;
      this.#discardWanted = true;
    }
    const held = this.#credentialsRefused;
    if (held !== undefined && this.#clock.now() < held.until) {
      throw held.error;
    }
    if (this.#discardWanted) {
      this.#discardWanted = false;
      await this.#supply.discard('its tickets are discarded');
      this.#onEvent({ type: 'tickets-discarded' });
    }
    if (this.#krb5Conf !== undefined) {
      await assertKrb5ConfReadable(this.#krb5Conf);
    }
    const worker = await this.#supply.get(signal);
    signal.throwIfAborted();
    this.#stepBegan = true;
    return worker.step(service, this.principal);
  }

  #timeOutError(service: string): SpnegoError {
    if (this.#stepBegan) {
      this.#supply.kill('a step took too long');
    }
    return !this.#stepBegan
      ? new SpnegoError('process', `no Kerberos step could be started within ${this.#stepTimeoutMs} ms`, {
          fix: 'See whether the file systems with the keytab and the tickets answer',
        })
      : new SpnegoError(
          'kdc-unreachable',
          `no SPNEGO token for ${service} within ${this.#stepTimeoutMs} ms: a KDC does not answer`,
          { fix: 'Check that the KDCs listed in krb5.conf answer on TCP, and take out those that do not' },
        );
  }

  #refusalError(service: string, { message }: Refusal): SpnegoError {
    const { failure, fix } = classifyGssError(message);
    const error = new SpnegoError(
      failure,
      `no SPNEGO token for ${service} as ${this.principal}: ${message}`,
      fix === undefined ? {} : { fix },
    );
    if (failure === 'credentials') {
      this.#credentialsRefused = { error, until: this.#clock.now() + this.#credentialsHoldMs };
    }
    return error;
  }
}

/**
 * Prepares the child process for one principal; it starts with the first call. Rejects with {@link SpnegoError} when
 * the principal is malformed, or is to come from a keytab that can't be read. Other trouble is told by `negotiate`,
 * so that a server of several clusters starts when one of them has a problem.
 */
export const createSpnegoProcess = async (options: SpnegoProcessOptions): Promise<SpnegoProcess> => {
  const source = options.adapters?.keytabSource ?? keytabFile(options.keytab);
  return new ChildSpnegoProcess(options, await KeytabWatch.create(source, options.principal));
};
