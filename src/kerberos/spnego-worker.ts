import { Secret } from '../observability/secret.ts';
import type { SpawnWorker, WorkerChild } from './spawn-worker.ts';
import { parseWorkerReply } from './worker/protocol.ts';

/** What came of one step. The token is wrapped before anything else sees it. */
export type StepOutcome =
  | { readonly type: 'token'; readonly spnegoToken: Secret<string> }
  /** GSS refused; `message` is its text. */
  | { readonly type: 'refused'; readonly message: string }
  /** The worker is gone and takes no more steps. */
  | { readonly type: 'ended'; readonly reason: string };

interface PendingStep {
  readonly id: number;
  readonly resolve: (outcome: StepOutcome) => void;
}

/** One worker process, one step at a time. A worker that breaks the protocol is killed. */
export class SpnegoWorker {
  /** Resolves when the process is gone, with the reason. */
  readonly ended: Promise<string>;
  readonly #child: WorkerChild;
  #pending: PendingStep | undefined;
  #lastId = 0;
  /** Why it counts as gone: said once, before or when the process ends. */
  #endReason: string | undefined;

  constructor(spawn: SpawnWorker, environment: Readonly<Record<string, string>>) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    this.#child = spawn(environment, {
      message: (message) => {
        this.#onMessage(message);
      },
      ended: (reason) => {
        this.#giveUp(reason);
        resolve(this.#endReason ?? reason);
      },
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** False as soon as it has ended, was killed, or broke the protocol. */
  get usable(): boolean {
    return this.#endReason === undefined;
  }

  /** Never rejects. Only one at a time: a second one while the first is under way is a bug of the caller. */
  async step(service: string, principal: string): Promise<StepOutcome> {
    if (this.#endReason !== undefined) {
      return { type: 'ended', reason: this.#endReason };
    }
    if (this.#pending !== undefined) {
      throw new TypeError('a step is under way');
    }
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve } = Promise.withResolvers<StepOutcome>();
    this.#pending = { id, resolve };
    this.#child.send({ id, service, principal });
    return promise;
  }

  kill(reason: string): void {
    this.#giveUp(reason);
    this.#child.kill();
  }

  #onMessage(message: unknown): void {
    const reply = parseWorkerReply(message);
    if (reply?.type === 'unusable') {
      this.kill(`GSS could not be loaded: ${reply.message}`);
      return;
    }
    const pending = this.#pending;
    if (reply === undefined || pending === undefined || reply.id !== pending.id) {
      // Its content is not repeated: it may hold a token.
      this.kill('it sent something that is no reply to a request');
      return;
    }
    this.#pending = undefined;
    pending.resolve(
      reply.type === 'token'
        ? { type: 'token', spnegoToken: new Secret(reply.token) }
        : { type: 'refused', message: reply.message },
    );
  }

  #giveUp(reason: string): void {
    this.#endReason ??= reason;
    this.#pending?.resolve({ type: 'ended', reason: this.#endReason });
    this.#pending = undefined;
  }
}
