import type {
  CallOptions,
  DelegationToken,
  IssueRequest,
  TokenService,
} from '../../src/delegation-tokens/token-service.ts';
import { TokenServiceError } from '../../src/delegation-tokens/token-service.ts';
import { Secret } from '../../src/observability/secret.ts';
import type { Clock } from '../../src/time/clock.ts';

const HOUR_MS = 3_600_000;

export interface FakeTokenServiceOptions {
  readonly clock: Clock;
  readonly kind?: string;
  readonly renewIntervalMs?: number;
  readonly maxLifetimeMs?: number;
  /** Short name that RENEW and CANCEL come from; a token of another renewer is denied. */
  readonly us?: string;
}

type Operation = 'issue' | 'renew' | 'cancel';

/**
 * A Hadoop server's delegation tokens in memory, with the rules of AbstractDelegationTokenSecretManager: only the renewer
 * renews, never past maxDate, an expired or cancelled token is unknown. Tests can make it fail, hang, or lie.
 */
export class FakeTokenService implements TokenService {
  readonly kind: string;
  /** May be changed, as by a restart with another configuration. */
  renewIntervalMs: number;
  readonly #clock: Clock;
  readonly #maxLifetimeMs: number;
  readonly #us: string;
  readonly #live = new Map<number, number>();
  readonly #failures: Record<Operation, (() => unknown)[]> = { issue: [], renew: [], cancel: [] };
  readonly #stuck = new Set<Operation>();
  #resume: (() => void)[] = [];
  #sequenceNumber = 0;

  /** Calls so far, oldest first: `issue alice`, `renew 1`, `cancel 1`. */
  readonly calls: string[] = [];
  /** Changes what the next issues say, to see it refused. */
  alterIssued: (token: DelegationToken) => DelegationToken = (token) => token;

  constructor(options: FakeTokenServiceOptions) {
    this.#clock = options.clock;
    this.kind = options.kind ?? 'HDFS_DELEGATION_TOKEN';
    this.renewIntervalMs = options.renewIntervalMs ?? 24 * HOUR_MS;
    this.#maxLifetimeMs = options.maxLifetimeMs ?? 7 * 24 * HOUR_MS;
    this.#us = options.us ?? 'kerbridge';
  }

  /** Sequence numbers of the tokens that the server would accept now. */
  get liveTokens(): number[] {
    return [...this.#live].filter(([, expiresAt]) => this.#clock.now() < expiresAt).map(([number]) => number);
  }

  /** The next calls of the operation reject with these, one each. */
  failNext(operation: Operation, ...failures: readonly unknown[]): void {
    this.#failures[operation].push(...failures.map((failure) => () => failure));
  }

  /** From now on the operation hangs, whatever its signal says, until {@link resume}. */
  hang(operation: Operation): void {
    this.#stuck.add(operation);
  }

  resume(): void {
    this.#stuck.clear();
    for (const resume of this.#resume) resume();
    this.#resume = [];
  }

  async issue(request: IssueRequest, options: CallOptions = {}): Promise<DelegationToken> {
    await this.#begin('issue', request.owner, options);
    this.#sequenceNumber += 1;
    const now = this.#clock.now();
    this.#live.set(this.#sequenceNumber, now + this.renewIntervalMs);
    return this.alterIssued({
      kind: this.kind,
      service: 'fake:8020',
      identifier: Uint8Array.of(this.#sequenceNumber),
      password: new Secret(Uint8Array.of(1, 2, 3)),
      owner: request.owner,
      renewer: request.renewer,
      realUser: '',
      issueDate: BigInt(now),
      maxDate: BigInt(now + this.#maxLifetimeMs),
      sequenceNumber: this.#sequenceNumber,
      masterKeyId: 1,
    });
  }

  async renew(token: DelegationToken, options: CallOptions = {}): Promise<{ readonly expiresAt: bigint }> {
    await this.#begin('renew', String(token.sequenceNumber), options);
    const now = this.#clock.now();
    if (now >= (this.#live.get(token.sequenceNumber) ?? 0)) {
      throw new TokenServiceError('invalid-token', `token ${token.sequenceNumber} can't be found`);
    }
    if (token.renewer !== this.#us)
      throw new TokenServiceError('denied', `${this.#us} tries to renew a token of ${token.renewer}`);
    const expiresAt = Math.min(Number(token.maxDate), now + this.renewIntervalMs);
    this.#live.set(token.sequenceNumber, expiresAt);
    return { expiresAt: BigInt(expiresAt) };
  }

  async cancel(token: DelegationToken, options: CallOptions = {}): Promise<void> {
    await this.#begin('cancel', String(token.sequenceNumber), options);
    this.#live.delete(token.sequenceNumber);
  }

  async #begin(operation: Operation, of: string, { signal }: CallOptions): Promise<void> {
    this.calls.push(`${operation} ${of}`);
    await Promise.resolve();
    if (this.#stuck.has(operation)) {
      await new Promise<void>((resolve) => {
        this.#resume.push(resolve);
      });
    } else {
      signal?.throwIfAborted();
    }
    const failure = this.#failures[operation].shift();
    if (failure !== undefined) throw failure();
  }
}
