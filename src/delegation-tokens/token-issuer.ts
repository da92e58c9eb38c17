import type { Clock } from '../time/clock.ts';
import { compactToken } from './compact-token.ts';
import type { TokenSource } from './credentials.ts';
import { isSameSlot } from './live-token.ts';
import { isSameToken } from './live-tokens.ts';
import { reusePeriodMs } from './reuse-period.ts';
import type { RecordBook } from './record-book.ts';
import type { IssueClaim, RecordedToken, RecordId, TokenRecord, TokenScope } from './token-record.ts';
import { type DelegationToken, TokenServiceError } from './token-service.ts';
import { verifyIssuedToken } from './verify-issued-token.ts';

/** How often it is looked whether another replica has made the token that both want. */
const LOOK_EVERY_MS = 250;

/** Where a process may die, for tests that make it die there. */
export type IssueStep = 'claimed' | 'issued' | 'recorded';

export interface IssueTarget {
  readonly id: RecordId;
  readonly source: TokenSource;
  readonly scope: TokenScope;
  readonly stampedUser: string;
}

export interface IssueCall {
  readonly signal: AbortSignal;
  /** When the signal will be aborted, ms since the epoch. */
  readonly deadline: number;
}

export interface Issued {
  readonly recorded: RecordedToken;
  /** It was asked for just now: its dates tell the server's time. */
  readonly isNew: boolean;
}

export interface TokenIssuerOptions {
  readonly book: RecordBook;
  readonly clock: Clock;
  /** ms by the steady clock. */
  readonly now: () => number;
  /** This process among its replicas. A claim of a predecessor of that name counts as ours. */
  readonly replica: string;
  /** How long a claim counts: longer than whoever made it may take. */
  readonly claimTtlMs: number;
  readonly onStep?: (step: IssueStep) => void;
}

/**
 * Makes a token at Hadoop, so that there is one however many want it, and none that nobody knows of: a claim is written
 * before Hadoop is asked, and the token is recorded before anybody gets it.
 *
 * A process that dies between Hadoop's answer and the record leaves a token behind that nothing can find again: Hadoop
 * lists no tokens. Nobody holds it, and it lapses by itself since nobody renews it.
 */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;
  /** Issued, but not known to be recorded: the next try goes on from there. By slot. */
  readonly #unrecorded = new Map<string, RecordedToken>();

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
  }

  /** Tokens that were issued and could not be recorded yet. */
  get unrecorded(): number {
    return this.#unrecorded.size;
  }

  /** The record as it is now: a write whose reply was lost may have been done. What is cancelled later is not recorded anew. */
  noteRecord({ tokens }: TokenRecord): void {
    for (const [key, left] of this.#unrecorded) {
      if (tokens.some((token) => isSameToken(token, left))) this.#unrecorded.delete(key);
    }
  }

  /**
   * Resolves when the record holds a token of the slot that none of `known` is: ours, or one that another replica has
   * made meanwhile. Rejects with TokenServiceError, TokenStoreError, or the signal's reason.
   */
  async issue(
    target: IssueTarget,
    { key, known }: { readonly key: string; readonly known: readonly RecordedToken[] },
    call: IssueCall,
  ): Promise<Issued> {
    const left = this.#unrecorded.get(key);
    if (left !== undefined) {
      await this.#record(target, key, left, call);
      return { recorded: left, isNew: false };
    }
    const others = await this.#claim(target, known, call);
    if (others !== undefined) return { recorded: others, isNew: false };
    this.#options.onStep?.('claimed');
    let recorded: RecordedToken;
    try {
      recorded = await this.#ask(target, call);
    } catch (error) {
      this.#dropClaim(target);
      throw error;
    }
    this.#options.onStep?.('issued');
    this.#unrecorded.set(key, recorded);
    await this.#record(target, key, recorded, call);
    return { recorded, isNew: true };
  }

  /** Undefined: the claim is ours. Else the token that somebody else has made. */
  async #claim(
    target: IssueTarget,
    known: readonly RecordedToken[],
    call: IssueCall,
  ): Promise<RecordedToken | undefined> {
    const { book, clock, now, replica, claimTtlMs } = this.#options;
    const slot = slotOf(target);
    for (;;) {
      let state: 'ours' | 'wait' | RecordedToken = 'wait';
      await book.change(
        target.id,
        (record) => {
          const made = record.tokens.find(
            (token) =>
              isSameSlot(token, slot) &&
              token.retiredAt === undefined &&
              token.tombstonedAt === undefined &&
              !known.some((each) => isSameToken(each, token)),
          );
          const claim = record.claims.find((each) => isSameSlot(each, slot));
          const isFresh = claim !== undefined && Math.abs(now() - claim.claimedAt) < claimTtlMs;
          state = made ?? (isFresh && claim.replica !== replica ? 'wait' : 'ours');
          if (state !== 'ours') return undefined;
          return {
            ...record,
            claims: [...claimsWithout(record, slot), { ...slot, replica, claimedAt: now() }],
          };
        },
        call,
      );
      // Assigned in the callback, which the compiler does not follow.
      const result = state as 'ours' | 'wait' | RecordedToken;
      if (result === 'ours') return undefined;
      if (result !== 'wait') return result;
      await clock.sleep(LOOK_EVERY_MS, call.signal);
    }
  }

  async #ask({ id, source, scope, stampedUser }: IssueTarget, call: IssueCall): Promise<RecordedToken> {
    const { owner } = id;
    const { cluster, name, kind, renewer, tokenService } = source;
    const issuedAt = this.#options.now();
    const token: DelegationToken = await tokenService.issue(
      { owner, renewer },
      { ...call, urgency: 'issue' },
    );
    // `realUser` is for the token service to judge: it knows as whom it asked.
    verifyIssuedToken(token, { owner, renewer, kind, proxyUser: undefined });
    reusePeriodMs(token);
    return compactToken({ cluster, source: name, kind, renewer, scope, stampedUser, token, issuedAt });
  }

  async #record(target: IssueTarget, key: string, recorded: RecordedToken, call: IssueCall): Promise<void> {
    const slot = slotOf(target);
    await this.#options.book.change(
      target.id,
      (record) =>
        // The reply to an earlier try may have been lost, and not the write.
        record.tokens.some((token) => isSameToken(token, recorded))
          ? undefined
          : { ...record, tokens: record.tokens.concat(recorded), claims: claimsWithout(record, slot) },
      call,
    );
    this.#unrecorded.delete(key);
    this.#options.onStep?.('recorded');
  }

  /** For those who would wait for it. If it can't be written, it ends by itself. */
  #dropClaim(target: IssueTarget): void {
    const { book, clock, replica, claimTtlMs } = this.#options;
    const slot = slotOf(target);
    const over = new AbortController();
    const drop = (record: TokenRecord): TokenRecord | undefined => {
      const mine = record.claims.some((claim) => isSameSlot(claim, slot) && claim.replica === replica);
      return mine ? { ...record, claims: claimsWithout(record, slot) } : undefined;
    };
    const timer = clock.sleep(claimTtlMs, over.signal).then(
      () => over.abort(),
      () => undefined,
    );
    book
      .change(target.id, drop, { signal: over.signal })
      .catch(() => undefined)
      .finally(() => {
        over.abort();
        void timer;
      });
  }
}

function slotOf({ source, scope, stampedUser }: IssueTarget): Omit<IssueClaim, 'replica' | 'claimedAt'> {
  const { cluster, name, kind, renewer } = source;
  return { cluster, source: name, kind, renewer, scope, stampedUser };
}

/** One for all records. */
const NO_CLAIMS: readonly IssueClaim[] = Object.freeze([]);

function claimsWithout(record: TokenRecord, slot: Parameters<typeof isSameSlot>[0]): readonly IssueClaim[] {
  const others = record.claims.filter((claim) => !isSameSlot(claim, slot));
  return others.length === 0 ? NO_CLAIMS : others;
}

/** What a flight that ran out of time rejects with. */
export function issueTimedOut({ cluster, kind, name }: TokenSource, timeoutMs: number): TokenServiceError {
  return new TokenServiceError(
    'unreachable',
    `no ${kind} from ${name} of cluster ${cluster} within ${timeoutMs} ms`,
  );
}
