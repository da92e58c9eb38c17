import { tmpdir } from 'node:os';
import { SpnegoError, type SpnegoInitiator } from '../hadoop/spnego.ts';
import type { Secret } from '../observability/secret.ts';
import { systemClock, type Clock } from '../time/clock.ts';
import { classifyGssError } from './classify-gss-error.ts';
import { CredentialsHold } from './credentials-hold.ts';
import { keytabFile } from './keytab-file.ts';
import { KeytabWatch } from './keytab-watch.ts';
import { assertKrb5ConfReadable } from './krb5-conf.ts';
import { httpServiceName } from './service-host.ts';
import { spawnWorker } from './spawn-worker.ts';
import type { SpnegoProcessEvent } from './spnego-process-event.ts';
import type { SpnegoProcessOptions } from './spnego-process-options.ts';
import type { StepOutcome } from './spnego-worker.ts';
import {
  hungKeytabError,
  notStartedError,
  silentKdcError,
  slowStepsError,
  stepFailureError,
  type StepFailure,
} from './step-errors.ts';
import { StepQueue } from './step-queue.ts';
import { ticketsBelow } from './tickets.ts';
import { workerEnvironment } from './worker-environment.ts';
import { WorkerSupply } from './worker-supply.ts';

export type { SpnegoProcessOptions } from './spnego-process-options.ts';

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

/** What one caller's turn is at: after its deadline it must touch nothing any more, since the next turn has begun. */
interface Turn {
  readonly service: string;
  readonly signal: AbortSignal;
  at: 'keytab' | 'worker' | 'step';
}

class ChildSpnegoProcess implements SpnegoProcess {
  readonly principal: string;
  readonly #clock: Clock;
  readonly #krb5Conf: string | undefined;
  readonly #stepTimeoutMs: number;
  readonly #keytabPath: string;
  readonly #hold: CredentialsHold;
  readonly #onEvent: (event: SpnegoProcessEvent) => void;
  readonly #queue: StepQueue;
  readonly #supply: WorkerSupply;
  readonly #keytab: KeytabWatch;
  readonly #closing = new AbortController();
  #turn: Turn | undefined;
  #discardWanted = false;
  /** Whether the tickets were had with the keytab before: good until they end, since the KDC signed them, not the key. */
  #ticketsPredateKeytab = false;
  /** Whether these tickets gave a token, and no refusal of them came since. */
  #ticketsWork = false;
  #keytabProblemTold: string | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: SpnegoProcessOptions, keytab: KeytabWatch) {
    this.principal = keytab.principal;
    this.#keytab = keytab;
    this.#clock = options.clock ?? systemClock;
    this.#krb5Conf = options.krb5Conf;
    this.#stepTimeoutMs = options.stepTimeoutMs ?? DEFAULT_STEP_TIMEOUT_MS;
    const waitTimeoutMs = options.waitTimeoutMs ?? this.#stepTimeoutMs;
    this.#keytabPath = options.keytab;
    this.#hold = new CredentialsHold(this.#clock, options.credentialsHoldMs ?? DEFAULT_CREDENTIALS_HOLD_MS);
    this.#onEvent = options.onEvent ?? (() => {});
    this.#queue = new StepQueue({
      clock: this.#clock,
      limit: options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
      waitTimeoutMs,
      waitTimeoutError: () =>
        this.#turn?.at === 'keytab'
          ? hungKeytabError(this.#keytabPath, waitTimeoutMs)
          : slowStepsError(waitTimeoutMs),
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
    this.#hold.lift();
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
    const done = (
      outcome: 'ok' | SpnegoError['failure'],
      why: { reason?: string; fix?: string } = {},
    ): void => {
      this.#onEvent({ type: 'step', service, outcome, durationMs: this.#clock.now() - startedAt, ...why });
    };
    try {
      const spnegoToken = await this.#inTime(service);
      done('ok');
      return spnegoToken;
    } catch (error) {
      if (error instanceof SpnegoError) {
        const { failure, fix, message: reason } = error;
        done(failure, fix === undefined ? { reason } : { reason, fix });
      } else {
        done('process', { reason: 'unforeseen error' });
      }
      throw error;
    }
  }

  /** One caller's turn with its deadline. Rejects with {@link SpnegoError}. */
  async #inTime(service: string): Promise<Secret<string>> {
    const decided = new AbortController();
    const signal = AbortSignal.any([decided.signal, this.#closing.signal]);
    const turn: Turn = { service, signal, at: 'keytab' };
    this.#turn = turn;
    const timedOut = this.#clock.sleep(this.#stepTimeoutMs, signal).then(() => 'timed-out' as const);
    try {
      const spnegoToken = await Promise.race([this.#twoTries(turn), timedOut]);
      if (spnegoToken === 'timed-out') {
        throw this.#timeOutError(turn);
      }
      return spnegoToken;
    } finally {
      decided.abort();
      this.#turn = undefined;
    }
  }

  async #twoTries(turn: Turn): Promise<Secret<string>> {
    const first = await this.#step(turn);
    if (first.type === 'token') {
      return first.spnegoToken;
    }
    if (!(await this.#mayRetry(first, turn))) {
      throw this.#failureError(first, turn);
    }
    const reason = first.type === 'refused' ? first.message : first.reason;
    this.#onEvent({ type: 'step-retried', service: turn.service, reason });
    const second = await this.#step(turn);
    if (second.type === 'token') {
      return second.spnegoToken;
    }
    throw this.#failureError(second, turn);
  }

  async #mayRetry(failure: StepFailure & { readonly workerIsNew: boolean }, turn: Turn): Promise<boolean> {
    if (failure.type === 'ended') {
      // One that had been idle may have been gone before we asked it; a new one that ends would only end again.
      return !failure.workerIsNew;
    }
    const { retry } = classifyGssError(failure.message);
    if (retry === 'fresh-tickets') {
      this.#discardWanted = true;
      return true;
    }
    if (retry !== 'changed-keytab') {
      return retry === 'same';
    }
    if (this.#ticketsPredateKeytab) {
      this.#discardWanted = true;
      return true;
    }
    // The keytab may have been put in place between our look at it and libkrb5's.
    turn.at = 'keytab';
    const hasChanged = await this.#keytab.hasChanged();
    turn.signal.throwIfAborted();
    this.#discardWanted ||= hasChanged;
    return hasChanged;
  }

  /** Everything after an `await` in here may come too late: then it throws before it changes anything. */
  async #step(turn: Turn): Promise<StepOutcome & { readonly workerIsNew: boolean }> {
    const { service, signal } = turn;
    turn.at = 'keytab';
    await this.#followKeytab(signal);
    turn.at = 'worker';
    this.#hold.throwIfHeld();
    if (this.#discardWanted) {
      this.#discardWanted = false;
      this.#ticketsPredateKeytab = false;
      this.#ticketsWork = false;
      this.#onEvent({ type: 'tickets-discarded' });
      await this.#supply.discard('its tickets are discarded');
      signal.throwIfAborted();
    }
    if (this.#krb5Conf !== undefined) {
      await assertKrb5ConfReadable(this.#krb5Conf);
      signal.throwIfAborted();
    }
    const { worker, isNew } = await this.#supply.get(signal);
    signal.throwIfAborted();
    turn.at = 'step';
    const outcome = await worker.step(service, this.principal);
    signal.throwIfAborted();
    if (outcome.type !== 'ended') {
      this.#supply.answered();
    }
    if (outcome.type === 'token') {
      this.#ticketsWork = true;
      this.#hold.lift();
    } else if (outcome.type === 'refused' && classifyGssError(outcome.message).failure === 'credentials') {
      this.#ticketsWork = false;
    }
    return { ...outcome, workerIsNew: isNew };
  }

  /** Good tickets are kept whatever becomes of the keytab: a wrong export must not stop us while they last. */
  async #followKeytab(signal: AbortSignal): Promise<void> {
    try {
      const change = await this.#keytab.follow(signal);
      signal.throwIfAborted();
      this.#keytabProblemTold = undefined;
      if (change === undefined) {
        return;
      }
      this.#onEvent({ type: 'keytab-changed', principals: change.principals });
      if (this.#hold.refused) {
        this.#hold.lift();
        this.#discardWanted = true;
      } else {
        this.#ticketsPredateKeytab = this.#ticketsWork;
      }
    } catch (error) {
      signal.throwIfAborted();
      const ticketsWillDo = this.#ticketsWork && this.#supply.keepsTickets && !this.#discardWanted;
      if (!ticketsWillDo || !(error instanceof SpnegoError)) {
        throw error;
      }
      if (this.#keytabProblemTold !== error.message) {
        this.#keytabProblemTold = error.message;
        this.#onEvent({ type: 'keytab-unusable', reason: error.message, fix: error.fix });
      }
    }
  }

  #timeOutError({ service, at }: Turn): SpnegoError {
    if (at === 'step') {
      this.#supply.kill('a step took too long');
      return silentKdcError(service, this.#stepTimeoutMs);
    }
    return at === 'keytab'
      ? hungKeytabError(this.#keytabPath, this.#stepTimeoutMs)
      : notStartedError(this.#stepTimeoutMs);
  }

  #failureError(outcome: StepFailure, { service }: Turn): SpnegoError {
    const error = stepFailureError(outcome, service, this.principal);
    if (error.failure === 'credentials') {
      this.#hold.refuse(error);
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
