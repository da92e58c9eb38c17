import type { SpawnWorker, WorkerChild, WorkerListener } from '../../src/kerberos/spawn-worker.ts';
import type { WorkerRequest } from '../../src/kerberos/worker/protocol.ts';

/** A Kerberos worker that says what the test tells it to; like the real one it ends, a moment later, when killed. */
export class FakeWorkerChild implements WorkerChild {
  readonly pid: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly requests: WorkerRequest[] = [];
  killed = false;
  readonly #listener: WorkerListener;
  #ended = false;

  constructor(pid: number, environment: Readonly<Record<string, string>>, listener: WorkerListener) {
    this.pid = pid;
    this.environment = environment;
    this.#listener = listener;
  }

  send(request: WorkerRequest): void {
    this.requests.push(request);
  }

  kill(): void {
    this.killed = true;
    setImmediate(() => {
      this.end('it was ended by SIGKILL');
    });
  }

  /** Answers the last request with a SPNEGO token. */
  answer(token: string): void {
    this.say({ type: 'token', id: this.requests.at(-1)?.id, token });
  }

  /** Answers the last request with a GSS error. */
  refuse(message: string): void {
    this.say({ type: 'refused', id: this.requests.at(-1)?.id, message });
  }

  say(message: unknown): void {
    if (!this.#ended) {
      this.#listener.message(message);
    }
  }

  end(reason: string): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#listener.ended(reason);
    }
  }
}

/** Starts fake workers and keeps them all. */
export class FakeWorkers {
  readonly started: FakeWorkerChild[] = [];

  readonly spawn: SpawnWorker = (environment, listener) => {
    const child = new FakeWorkerChild(this.started.length + 1, environment, listener);
    this.started.push(child);
    return child;
  };

  /** The one that was started last. */
  get last(): FakeWorkerChild {
    const child = this.started.at(-1);
    if (child === undefined) {
      throw new Error('no worker was started');
    }
    return child;
  }
}
