import type { AnswerFacts } from './answer-facts.ts';
import type { CredentialsOutcome, ReportOutcome, RequestLimits, TokenClient } from './token-client.ts';
import type { TokenFiles } from './token-files.ts';
import { WriteTokenFileError } from './write-token-file.ts';

/** Exit codes of `kerbridge fetch`, for scripts. */
export const FETCH_EXIT = {
  done: 0,
  unhealthy: 1,
  usage: 2,
  refused: 3,
  notReached: 4,
  cannotWrite: 5,
} as const;

export interface Failure {
  /** What it would end with, if it was the last try. */
  readonly exitCode: 2 | 3 | 4 | 5;
  readonly reason: string;
  readonly requestId: string;
  readonly retryAfterMs: number;
  /** The service-account token that was refused has been replaced. */
  readonly tryAtOnce: boolean;
}

/** What the file holds after a try that got an answer. */
export interface Held {
  /** 0: the files were left as they are. */
  readonly tokensWritten: number;
  readonly facts: AnswerFacts;
}

/** Both at once: the credentials came, but the report could not be delivered. */
export interface TryResult {
  readonly held?: Held;
  readonly failure?: Failure;
}

export interface FetchSessionOptions {
  readonly client: Pick<TokenClient, 'getCredentials' | 'reportRejected'>;
  readonly files: TokenFiles;
  readonly say: (line: string) => void;
}

/** One try after the other, and what has to be remembered between them. */
export class FetchSession {
  readonly #options: FetchSessionOptions;
  #etag = '';
  /** Numbers of tokens that Hadoop refused, and that the server doesn't know of yet. */
  #unreported: readonly string[] = [];
  #anew = false;

  constructor(options: FetchSessionOptions) {
    this.#options = options;
  }

  /** With the next try these are reported, and whole credentials are asked for. */
  reject(sequenceNumbers: readonly string[]): void {
    this.#unreported = sequenceNumbers;
    this.#anew = true;
  }

  /**
   * Never rejects.
   * @param endsAt ms since the epoch: no request of this try lasts longer, whatever the time-out
   */
  async try(signal: AbortSignal, endsAt?: number): Promise<TryResult> {
    // An application may say while this try is under way that the file is no good: then the next one is whole.
    const anew = this.#anew;
    this.#anew = false;
    const result = await this.#tryWith(anew, { signal, endsAt });
    if (result.held === undefined && anew) this.#anew = true;
    return result;
  }

  async #tryWith(anew: boolean, limits: RequestLimits): Promise<TryResult> {
    try {
      return await this.#ask(anew, limits);
    } catch (error) {
      // A fault of ours. Its message may hold anything, so only its name is said.
      return { failure: failure(4, `unexpected: ${error instanceof Error ? error.name : 'unknown'}`) };
    }
  }

  /** Reports what there is to report, asks, writes what is new. A report that fails keeps nobody from asking. */
  async #ask(anew: boolean, limits: RequestLimits): Promise<TryResult> {
    const reportFailure = await this.#report(limits);
    const { client, files } = this.#options;
    const etag = !anew && (await files.areOurs()) ? this.#etag : '';
    const outcome = await client.getCredentials(etag, limits);
    switch (outcome.outcome) {
      case 'received': {
        const { file, tokenCount, facts } = outcome;
        try {
          const isThere = files.holds(file.reveal()) && (await files.areOurs());
          if (!isThere) await files.write(file.reveal());
          return this.#succeeded({ facts, tokensWritten: isThere ? 0 : tokenCount }, reportFailure);
        } catch (error) {
          if (!(error instanceof WriteTokenFileError)) throw error;
          return { failure: failure(5, error.message, { requestId: facts.requestId }) };
        }
      }
      case 'not-modified':
        return this.#succeeded({ facts: outcome.facts, tokensWritten: 0 }, reportFailure);
      case 'refused':
      case 'not-reached':
      case 'unusable':
        return { failure: failureOf(outcome) };
    }
  }

  #succeeded(held: Held, reportFailure: Failure | undefined): TryResult {
    this.#etag = held.facts.etag;
    const { sequenceNumbers: numbers = [] } = held.facts;
    // Whoever got another token needs no look at the old one.
    const isMoot = numbers.length > 0 && !this.#unreported.some((each) => numbers.includes(each));
    if (isMoot) this.#unreported = [];
    return reportFailure === undefined || isMoot ? { held } : { held, failure: reportFailure };
  }

  async #report(limits: RequestLimits): Promise<Failure | undefined> {
    const { client, say } = this.#options;
    const pending = [...this.#unreported];
    while (pending[0] !== undefined) {
      const [sequenceNumber] = pending;
      const outcome = await client.reportRejected(sequenceNumber, limits);
      if (limits.signal.aborted) return undefined;
      if (outcome.outcome === 'reported') {
        say(`token ${sequenceNumber} reported as refused by Hadoop`);
      } else if (outcome.outcome === 'unknown') {
        say('the server takes no reports of refused tokens; asking it for the credentials all the same');
      } else if (outcome.outcome === 'refused' && outcome.status !== 401) {
        say(
          `the report of token ${sequenceNumber} was ${describeRefusal(outcome)}${inBrackets(outcome.requestId)}`,
        );
      } else return reportFailureOf(sequenceNumber, outcome);
      const done = outcome.outcome === 'unknown' ? pending.splice(0) : pending.splice(0, 1);
      this.#unreported = this.#unreported.filter((each) => !done.includes(each));
    }
    return undefined;
  }
}

export function inBrackets(requestId: string): string {
  return requestId === '' ? '' : ` (request ${requestId})`;
}

function describeRefusal({ status, code, title }: { status: number; code: string; title: string }): string {
  return `refused: ${status} ${code}: ${title}`;
}

function failureOf(outcome: Exclude<CredentialsOutcome, { readonly facts: unknown }>): Failure {
  switch (outcome.outcome) {
    case 'refused':
      return failure(3, describeRefusal(outcome), { ...outcome, tryAtOnce: outcome.tokenReplaced === true });
    case 'not-reached':
      return failure(4, outcome.reason, outcome);
    case 'unusable':
      return failure(2, outcome.reason);
  }
}

/** A try that only the report failed of: not now, whatever the reason. */
function reportFailureOf(
  sequenceNumber: string,
  outcome: Exclude<ReportOutcome, { readonly outcome: 'reported' | 'unknown' }>,
): Failure {
  const reason = outcome.outcome === 'refused' ? describeRefusal(outcome) : outcome.reason;
  return failure(
    4,
    `token ${sequenceNumber} could not be reported as refused by Hadoop: ${reason}`,
    outcome.outcome === 'unusable' ? {} : outcome,
  );
}

function failure(
  exitCode: Failure['exitCode'],
  reason: string,
  { requestId = '', retryAfterMs = 0, tryAtOnce = false }: Partial<Failure> = {},
): Failure {
  return { exitCode, reason, requestId, retryAfterMs, tryAtOnce };
}
