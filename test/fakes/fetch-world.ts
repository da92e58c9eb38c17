import type { AnswerFacts } from '../../src/fetch-client/answer-facts.ts';
import type { RejectedMarker } from '../../src/fetch-client/rejected-marker.ts';
import type { StatusFile } from '../../src/fetch-client/status-file.ts';
import type { CredentialsOutcome, ReportOutcome, TokenClient } from '../../src/fetch-client/token-client.ts';
import type { TokenFiles } from '../../src/fetch-client/token-files.ts';
import type { WatchStatus } from '../../src/fetch-client/watch-status.ts';
import { WriteTokenFileError } from '../../src/fetch-client/write-token-file.ts';
import { Secret } from '../../src/observability/secret.ts';

export const facts = (more: Partial<AnswerFacts> = {}): AnswerFacts => ({
  requestId: 'r-1',
  etag: '"e"',
  refreshAfterMs: 3_600_000,
  sequenceNumbers: ['7'],
  ...more,
});

export const received = (bytes = 'one', more: Partial<AnswerFacts> = {}): CredentialsOutcome => ({
  outcome: 'received',
  file: new Secret<Uint8Array>(Buffer.from(bytes)),
  tokenCount: 1,
  facts: facts(more),
});

export const notModified = (more: Partial<AnswerFacts> = {}): CredentialsOutcome => ({
  outcome: 'not-modified',
  facts: facts(more),
});

export const notReached = (reason = 'away', retryAfterMs = 0) =>
  ({ outcome: 'not-reached', reason, requestId: '', retryAfterMs }) as const;

export const refused = (status = 403, retryAfterMs = 0) =>
  ({ outcome: 'refused', status, code: 'no', title: 'No', requestId: 'r-9', retryAfterMs }) as const;

/** Answers as it was told, in that order, and the last one for ever. */
export class FakeTokenClient implements Pick<TokenClient, 'getCredentials' | 'reportRejected'> {
  readonly etags: string[] = [];
  readonly reports: string[] = [];
  answers: (CredentialsOutcome | Promise<CredentialsOutcome> | Error)[] = [received()];
  reportAnswers: ReportOutcome[] = [{ outcome: 'reported' }];

  async getCredentials(etag: string): Promise<CredentialsOutcome> {
    this.etags.push(etag);
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer');
    return await answer;
  }

  async reportRejected(sequenceNumber: string): Promise<ReportOutcome> {
    this.reports.push(sequenceNumber);
    const answer = this.reportAnswers.length > 1 ? this.reportAnswers.shift() : this.reportAnswers[0];
    return await Promise.resolve(answer ?? { outcome: 'reported' });
  }
}

/** Files in memory. */
export class FakeTokenFiles implements TokenFiles {
  /** What is in the file; undefined: it is not there. */
  content: string | undefined;
  writes = 0;
  isFull = false;
  #ours: string | undefined;

  async write(bytes: Uint8Array): Promise<void> {
    if (this.isFull) throw new WriteTokenFileError('/out', 'ENOSPC', 'the volume is full');
    this.writes += 1;
    this.content = Buffer.from(bytes).toString();
    this.#ours = this.content;
    await Promise.resolve();
  }

  areOurs(): Promise<boolean> {
    return Promise.resolve(this.#ours !== undefined && this.content === this.#ours);
  }

  holds(bytes: Uint8Array): boolean {
    return this.#ours === Buffer.from(bytes).toString();
  }
}

export class FakeStatusFile implements StatusFile {
  readonly written: WatchStatus[] = [];
  renewals = 0;
  isThere = false;
  isFull = false;

  get last(): WatchStatus | undefined {
    return this.written.at(-1);
  }

  async write(status: WatchStatus): Promise<void> {
    if (this.isFull) throw new WriteTokenFileError('/out.status', 'ENOSPC', 'the volume is full');
    this.written.push(status);
    this.isThere = true;
    await Promise.resolve();
  }

  async renew(): Promise<void> {
    if (!this.isThere) throw new Error('ENOENT');
    this.renewals += 1;
    await Promise.resolve();
  }
}

export class FakeMarker implements RejectedMarker {
  isThere = false;

  take(): Promise<boolean> {
    const wasThere = this.isThere;
    this.isThere = false;
    return Promise.resolve(wasThere);
  }
}
