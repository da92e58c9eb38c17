import { fork, type ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorCode } from '../observability/error-code.ts';
import type { WorkerRequest } from './worker/protocol.ts';

/** A running worker as its parent sees it. */
export interface WorkerChild {
  readonly pid: number | undefined;
  send(request: WorkerRequest): void;
  /** SIGKILL: a worker inside GSS hears nothing else. */
  kill(): void;
}

export interface WorkerListener {
  /** Anything the worker said, unchecked. */
  readonly message: (message: unknown) => void;
  /** Once: it ended, could not start, or can no longer be talked to. `reason` says which, in words. */
  readonly ended: (reason: string) => void;
}

/** Starts a worker. Never throws: what goes wrong is told to `listener.ended`, later. */
export type SpawnWorker = (
  environment: Readonly<Record<string, string>>,
  listener: WorkerListener,
) => WorkerChild;

/** The worker beside this file: `.ts` when the sources run, `.js` in the compiled package. */
const WORKER = fileURLToPath(new URL(`./worker/worker${extname(import.meta.url)}`, import.meta.url));

const forkWorker = (environment: Readonly<Record<string, string>>): ChildProcess | Error => {
  try {
    return fork(WORKER, [], {
      env: environment,
      // Not the parent's own options: a debugger's port, loaders of a test runner.
      execArgv: ['--max-old-space-size=64'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      cwd: '/',
    });
  } catch (error) {
    // Some causes (ENOMEM) are thrown, others (EAGAIN) come as an event.
    return error instanceof Error ? error : new Error('unknown');
  }
};

/** Starts the real thing, as a child process of this one. */
export const spawnWorker: SpawnWorker = (environment, listener) => {
  let hasEnded = false;
  const ended = (reason: string): void => {
    if (!hasEnded) {
      hasEnded = true;
      listener.ended(reason);
    }
  };
  const child = forkWorker(environment);
  if (child instanceof Error) {
    setImmediate(ended, `it could not be started (${errorCode(child)})`);
    return { pid: undefined, send: () => {}, kill: () => {} };
  }
  child.on('message', (message) => {
    if (!hasEnded) {
      listener.message(message);
    }
  });
  child.once('exit', (code, signal) => {
    ended(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`);
  });
  // Its other meaning, a failed kill, can't come to pass: nobody else may own a child of ours.
  child.on('error', (error) => {
    ended(`it could not be started or talked to (${errorCode(error)})`);
  });
  child.once('disconnect', () => {
    // An exit follows as a rule and knows more; without one the worker is deaf and of no use.
    setImmediate(() => {
      child.kill('SIGKILL');
    });
  });
  return {
    pid: child.pid,
    send: (request) => {
      child.send(request, (error) => {
        if (error !== null) {
          child.kill('SIGKILL');
        }
      });
    },
    kill: () => {
      child.kill('SIGKILL');
    },
  };
};
