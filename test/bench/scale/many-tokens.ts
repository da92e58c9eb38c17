import { randomBytes } from 'node:crypto';
import { encodeIssuedCredentials } from '../../../src/commands/serve/encode-issued-credentials.ts';
import { createGetCredentials } from '../../../src/delegation-tokens/create-credentials.ts';
import type { CredentialsRequest, TokenSource } from '../../../src/delegation-tokens/credentials.ts';
import type { HolderPod } from '../../../src/delegation-tokens/holders.ts';
import { DEFAULT_SHARING } from '../../../src/delegation-tokens/sharing.ts';
import { DEFAULT_TIMING, TokenLife } from '../../../src/delegation-tokens/token-life.ts';
import type { TokenStore } from '../../../src/delegation-tokens/token-store.ts';
import { MAX_PREPARED, PreparedCredentials } from '../../../src/http-api/prepared-credentials.ts';
import type { IssuedCredentials } from '../../../src/http-api/credentials-document.ts';
import { LeapingClock } from './leaping-clock.ts';
import { MadeTokens, sourceOf } from './made-tokens.ts';

const USERS_PER_NAMESPACE = 100;
const AT_ONCE = 64;
/** Looks at the holders come this often: a tenth of it. */
const IDLE_MS = 10_000;

/** The n-th of the tokens, one for each user of each namespace. Its texts are its own, as those of a request are. */
export function requestOf(n: number): CredentialsRequest {
  const user = `user-${String(n % USERS_PER_NAMESPACE).padStart(4, '0')}`;
  const request = {
    owner: user,
    stampedUser: user,
    namespace: `team-${String(Math.floor(n / USERS_PER_NAMESPACE)).padStart(4, '0')}`,
    podUid: `0a9c3e62-94e6-4a36-a6e1-${n.toString(16).padStart(12, '0')}`,
    selection: {},
  };
  return JSON.parse(JSON.stringify(request)) as CredentialsRequest;
}

/** Many tokens in the life of one replica, by a clock that leaps, with a Hadoop that is none. */
export class ManyTokens {
  readonly clock = new LeapingClock();
  readonly service = new MadeTokens(this.clock);
  readonly source: TokenSource = sourceOf(this.service);
  readonly life: TokenLife;
  renewals = 0;
  /** What the pods were when they were last looked at; undefined: nobody looks. */
  pods: readonly HolderPod[] | undefined;
  /** Called at the begin of each look at the pods. */
  onLook: () => void = () => {};
  readonly #count: number;
  readonly #getCredentials: ReturnType<typeof createGetCredentials>;
  readonly #prepared: PreparedCredentials;
  #onRenewal: () => void = () => {};

  constructor(count: number, store: (clock: LeapingClock, source: TokenSource) => TokenStore) {
    this.#count = count;
    const { clock, source } = this;
    this.life = new TokenLife({
      sources: [source],
      store: store(clock, source),
      holders: {
        lastSeen: () => {
          this.onLook();
          return this.pods;
        },
        listNow: () => Promise.reject(new Error('nothing is cancelled here')),
      },
      clock,
      random: Math.random,
      replica: 'bench',
      sharing: DEFAULT_SHARING,
      timing: { ...DEFAULT_TIMING, idleMs: IDLE_MS },
      limits: { perNamespace: USERS_PER_NAMESPACE, inAll: count },
      onEvent: (event) => {
        if (event.type === 'bug') throw event.error;
        if (event.type !== 'renewal') return;
        if (event.proof.outcome !== 'alive')
          throw new Error(`a renewal came to ${event.proof.outcome}`, { cause: event.proof });
        this.renewals += 1;
        this.#onRenewal();
      },
    });
    this.#getCredentials = createGetCredentials({ sources: [source], cache: this.life.cache, clock });
    this.#prepared = new PreparedCredentials({
      encodeCredentials: encodeIssuedCredentials,
      etagKey: randomBytes(32),
    });
  }

  /** Tokens that were handed out and renewed, and the bytes of as many answers as are kept. */
  async fill(): Promise<void> {
    await this.life.start();
    await inParallel(this.#count, async (n) => {
      await this.life.cache.get({ source: this.source, ...requestOf(n) });
    });
    await this.renewUntil(Number.POSITIVE_INFINITY);
    // One more than are kept, and all would be forgotten.
    await inParallel(Math.min(this.#count, MAX_PREPARED), (n) => this.#prepare(n));
    if (this.life.tokens.size !== this.#count) throw new Error(`there are ${this.life.tokens.size} tokens`);
  }

  /** Leaps so far that `most` renewals are due, or all. Resolves when they are made, to the processor time that took. */
  async renewUntil(most: number): Promise<NodeJS.CpuUsage> {
    // To one that is under way a leap would be a long silence of the server.
    while (this.life.prover.size > 0) await breathe();
    const dueAt = [...this.life.tokens.values()].map((live) => live.dueAt).sort((one, other) => one - other);
    const count = Math.min(most, dueAt.length);
    const until = this.renewals + count;
    const made = Promise.withResolvers<void>();
    this.#onRenewal = () => {
      if (this.renewals >= until) made.resolve();
    };
    const leapMs = (dueAt[count - 1] ?? 0) - this.life.now();
    const begin = process.cpuUsage();
    if (leapMs > 0) this.clock.leap(leapMs);
    await made.promise;
    return process.cpuUsage(begin);
  }

  async #get(n: number): Promise<IssuedCredentials> {
    const result = await this.#getCredentials(requestOf(n));
    if (result.outcome !== 'issued') throw new Error(result.outcome);
    return result;
  }

  /** As the request of a pod does. */
  async #prepare(n: number): Promise<void> {
    const prepared = this.#prepared.of(await this.#get(n));
    const { start } = prepared.body(requestOf(n).owner, 'application/json', 'protobuf');
    // Written once, which makes one piece of a text that was put together.
    Buffer.from(start, 'latin1');
  }
}

function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

async function inParallel(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const workers = Array.from({ length: AT_ONCE }, async () => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  });
  await Promise.all(workers);
}
