import { expect } from '@jest/globals';
import { SpnegoError } from '../../src/hadoop/spnego.ts';
import type { KeytabSource } from '../../src/kerberos/keytab-file.ts';
import type { Keytab, KeytabError } from '../../src/kerberos/keytab.ts';
import type { SpnegoProcessEvent } from '../../src/kerberos/spnego-process-event.ts';
import {
  createSpnegoProcess,
  type SpnegoProcess,
  type SpnegoProcessOptions,
} from '../../src/kerberos/spnego-process.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { FakeWorkers } from './fake-worker-child.ts';

export const PRINCIPAL = 'kerbridge@EXAMPLE.COM';

/** A keytab whose content is only a version and a list of names. */
export class FakeKeytab implements KeytabSource {
  version = 1;
  principals: readonly string[] = [PRINCIPAL, 'other@EXAMPLE.COM'];
  problem: KeytabError | undefined;
  reads = 0;
  #hang: PromiseWithResolvers<void> | undefined;

  /** A look that came while it hung goes on when it no longer does, as on a real file system. */
  set hangs(hangs: boolean) {
    this.#hang?.resolve();
    this.#hang = hangs ? Promise.withResolvers<void>() : undefined;
  }

  looks = 0;

  readonly fingerprint = async (): Promise<string> => {
    this.looks += 1;
    await this.#hang?.promise;
    if (this.problem !== undefined) {
      throw this.problem;
    }
    return String(this.version);
  };

  readonly read = async (): Promise<Keytab> => {
    this.reads += 1;
    if (this.problem !== undefined) {
      throw this.problem;
    }
    return { entries: [], principals: this.principals };
  };

  replace(principals = this.principals): void {
    this.version += 1;
    this.principals = principals;
  }
}

/** A SPNEGO process among fakes. */
export interface World {
  readonly process: SpnegoProcess;
  readonly clock: FakeClock;
  readonly workers: FakeWorkers;
  readonly keytab: FakeKeytab;
  readonly events: SpnegoProcessEvent[];
  /** Credential caches that exist. */
  readonly caches: Set<string>;
  /** Asks for a SPNEGO token and shows what came of it so far. */
  readonly ask: (host?: string, signal?: AbortSignal) => Outcome;
}

/** What one caller got. */
export interface Outcome {
  readonly host: string;
  /** 'pending', 'rejected', or the token. */
  result: string;
  error: unknown;
}

export const makeWorld = async (
  options: Partial<SpnegoProcessOptions> = {},
  keytab = new FakeKeytab(),
): Promise<World> => {
  const clock = new FakeClock();
  const workers = new FakeWorkers();
  const events: SpnegoProcessEvent[] = [];
  const caches = new Set<string>();
  let madeCaches = 0;
  const spnegoProcess = await createSpnegoProcess({
    keytab: '/etc/kerbridge/keytab',
    clock,
    onEvent: (event) => events.push(event),
    adapters: {
      spawnWorker: workers.spawn,
      keytabSource: keytab,
      makeTickets: async () => {
        madeCaches += 1;
        const cacheName = `FILE:/tickets/${madeCaches}`;
        caches.add(cacheName);
        return {
          cacheName,
          remove: async () => {
            caches.delete(cacheName);
          },
        };
      },
    },
    ...options,
  });
  const ask = (host = 'nn.example.com', signal?: AbortSignal): Outcome => {
    const outcome: Outcome = { host, result: 'pending', error: undefined };
    const follow = async (): Promise<void> => {
      try {
        const spnegoToken = await spnegoProcess.negotiate(host, signal === undefined ? {} : { signal });
        outcome.result = spnegoToken.reveal();
      } catch (error) {
        outcome.result = 'rejected';
        outcome.error = error;
      }
    };
    void follow();
    return outcome;
  };
  return { process: spnegoProcess, clock, workers, keytab, events, caches, ask };
};

export const expectError = (outcome: Outcome, failure: string, text: string | RegExp = ''): void => {
  expect(outcome.error).toBeInstanceOf(SpnegoError);
  expect(outcome.error).toMatchObject({ failure });
  expect(String(outcome.error)).toMatch(text);
};

/** For the few calls that wait for real I/O. */
export const untilDecided = async (outcome: Outcome): Promise<void> => {
  while (outcome.result === 'pending') {
    await settle();
  }
};
