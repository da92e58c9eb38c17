import { Watchdog } from '../time/watchdog.ts';
import type { Clock } from '../time/clock.ts';
import { InstantFormatter } from '../time/format-instant.ts';
import type { AuditDestination } from './audit-destination.ts';
import { type AuditCommon, type AuditEntry, formatAuditEntry } from './audit-record.ts';
import { errorCode } from './error-code.ts';
import type { Metrics } from './metrics.ts';
import type { Tallies } from './tally.ts';

/**
 * Resolves when the operating system has the line; rejects with {@link AuditUnavailableError} and nothing else.
 * @param common the rest of the line: see `formatAuditEntry`
 */
export type WriteAudit = (entry: AuditEntry, common?: AuditCommon) => Promise<void>;

export interface AuditStream {
  readonly write: WriteAudit;
  /** Writes a line of its own: nothing less tells of a disk that is full. Rejects with {@link AuditUnavailableError}. */
  readonly probe: () => Promise<void>;
  /** Resolves if the last write succeeded; after one that failed, {@link probe}. */
  readonly check: () => Promise<void>;
  /** Writes what it has, for the write time-out at most, and takes no more. Never rejects. */
  readonly close: () => Promise<void>;
  /** Of lines that were taken and neither written nor given up. */
  readonly bufferedBytes: number;
}

export interface AuditStreamOptions {
  readonly destination: AuditDestination;
  readonly clock: Clock;
  /** Name of this process in each line. */
  readonly replica: string;
  readonly metrics: Pick<Metrics, 'auditLines'>;
  /** Lines that would make more than this wait are turned away; default 1 MiB. */
  readonly maxBufferedBytes?: number;
  /** For one batch; default 5 s. A line waits for two batches at most, so twice as long. */
  readonly writeTimeoutMs?: number;
}

const FAILURES = ['buffer-full', 'timed-out', 'failed', 'closed'] as const;
export type AuditFailure = (typeof FAILURES)[number];

/** The line may not be there. What it speaks of must not happen. */
export class AuditUnavailableError extends Error {
  override readonly name = 'AuditUnavailableError';
  readonly failure: AuditFailure;

  /** @param code of the system's error; its message is not taken over */
  constructor(failure: AuditFailure, code?: string) {
    super(`the audit line is not written: ${failure}${code === undefined ? '' : ` (${code})`}`);
    this.failure = failure;
  }
}

/** POSIX: a write to a pipe of so many bytes at most (Linux: PIPE_BUF) is never mixed with what others write to it. */
const PIPE_WHOLE_BYTES = 4_096;
/** How often a pipe without room is tried. */
const ROOM_CHECK_MS = 20;
const END_OF_LINE = '\n';
const OVER = new Error('the batch is given up');

export function createAuditStream(options: AuditStreamOptions): AuditStream {
  // From the start, or an alert on an increase would not see the first of them.
  for (const outcome of ['written', ...FAILURES]) options.metrics.auditLines.inc({ outcome }, 0);
  return new QueuedAuditStream(options);
}

interface Line {
  /** ASCII: a character is a byte. */
  readonly text: string;
  /** The first call counts. */
  readonly settle: (outcome: 'written' | AuditFailure, code?: string) => void;
  /** ms since the epoch: not written after this. */
  readonly until: number;
}

class Batch {
  readonly lines: readonly Line[];
  isGivenUp = false;
  #over: AbortController | undefined;

  constructor(lines: readonly Line[]) {
    this.lines = lines;
  }

  /** For who waits for room: made when somebody does. */
  get signal(): AbortSignal {
    this.#over ??= new AbortController();
    if (this.isGivenUp) this.#over.abort(OVER);
    return this.#over.signal;
  }

  giveUp(): void {
    this.isGivenUp = true;
    this.#over?.abort(OVER);
  }
}

/**
 * One writer at a time: what comes while it writes is its next batch, so that there is one write in each turn of the
 * event loop at most. A destination that hangs holds one batch; everybody else is told at once, until it moves again.
 */
class QueuedAuditStream implements AuditStream {
  readonly #destination: AuditDestination;
  readonly #clock: Clock;
  readonly #replica: string;
  readonly #counts: Tallies<'written' | AuditFailure, 'outcome'>;
  readonly #instants = new InstantFormatter();
  readonly #maxBufferedBytes: number;
  readonly #writeTimeoutMs: number;
  readonly #watchdog: Watchdog;
  #queue: Line[] = [];
  #bufferedBytes = 0;
  #writer: Promise<void> | undefined;
  /** Why no line is taken now. */
  #shut: 'timed-out' | 'closed' | undefined;
  #withinLine = false;
  /** Of the last batch. */
  #isFailing = false;

  constructor(options: AuditStreamOptions) {
    this.#destination = options.destination;
    this.#clock = options.clock;
    this.#replica = options.replica;
    this.#counts = options.metrics.auditLines.tallyBy((outcome) => ({ outcome }));
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 1024 * 1024;
    this.#writeTimeoutMs = options.writeTimeoutMs ?? 5_000;
    this.#watchdog = new Watchdog({ clock: options.clock, timeoutMs: this.#writeTimeoutMs });
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  readonly write: WriteAudit = (entry, common) => {
    const time = this.#instants.format(this.#clock.now());
    return this.#enqueue(formatAuditEntry(entry, time, this.#replica, common));
  };

  readonly probe = (): Promise<void> => this.write({ decision: 'self-test' });

  readonly check = async (): Promise<void> => {
    if (this.#isFailing) await this.probe();
  };

  readonly close = async (): Promise<void> => {
    this.#shut = 'closed';
    const over = new AbortController();
    const timeUp = this.#clock.sleep(this.#writeTimeoutMs, over.signal).catch(() => undefined);
    await Promise.race([this.#writer, timeUp]);
    over.abort();
    this.#watchdog.stop();
    if (this.#writer === undefined) await this.#destination.close().catch(() => undefined);
    else this.#giveUpQueue('closed');
  };

  #enqueue(text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let settled = false;
    const settle: Line['settle'] = (outcome, code) => {
      if (settled) return;
      settled = true;
      this.#counts.inc(outcome);
      if (outcome === 'written') resolve();
      else reject(new AuditUnavailableError(outcome, code));
    };
    if (this.#shut !== undefined) settle(this.#shut);
    else if (this.#bufferedBytes + text.length > this.#maxBufferedBytes) settle('buffer-full');
    else {
      this.#bufferedBytes += text.length;
      this.#queue.push({ text, settle, until: this.#clock.now() + 2 * this.#writeTimeoutMs });
      this.#writer ??= this.#writeQueue();
    }
    return promise;
  }

  async #writeQueue(): Promise<void> {
    for (;;) {
      this.#giveUpLate();
      if (this.#queue.length === 0) break;
      const batch = this.#takeBatch();
      await this.#writeInTime(batch);
      this.#bufferedBytes -= sizeOf(batch);
    }
    this.#writer = undefined;
  }

  /** What a slow destination has let wait for too long: nobody may be told of a decision that was made long ago. */
  #giveUpLate(): void {
    const now = this.#clock.now();
    const inTime = this.#queue.findIndex(({ until }) => now <= until);
    const late = this.#queue.splice(0, inTime === -1 ? this.#queue.length : inTime);
    this.#bufferedBytes -= sizeOf(late);
    for (const line of late) line.settle('timed-out');
  }

  /** At least one line, and no more than fit into one write that is whole. */
  #takeBatch(): readonly Line[] {
    const most = this.#destination.wholeBytes ?? PIPE_WHOLE_BYTES;
    let bytes = END_OF_LINE.length;
    const over = this.#queue.findIndex((line) => {
      bytes += line.text.length;
      return bytes > most;
    });
    return this.#queue.splice(0, over === -1 ? this.#queue.length : Math.max(1, over));
  }

  /** Resolves when nothing of the batch is under way any more, which may be long after its time is up. */
  async #writeInTime(lines: readonly Line[]): Promise<void> {
    const batch = new Batch(lines);
    this.#watchdog.begin(() => this.#giveUp(batch));
    await this.#writeBatch(batch);
    this.#watchdog.end();
    if (this.#shut === 'timed-out') this.#shut = undefined;
  }

  #giveUp(batch: Batch): void {
    batch.giveUp();
    this.#isFailing = true;
    for (const line of batch.lines) line.settle('timed-out');
    this.#giveUpQueue('timed-out');
    this.#shut ??= 'timed-out';
  }

  #giveUpQueue(failure: AuditFailure): void {
    const waiting = this.#queue;
    this.#queue = [];
    this.#bufferedBytes -= sizeOf(waiting);
    for (const line of waiting) line.settle(failure);
  }

  /** What was cut short is not gone on with: its lines are given up, and the next batch starts on a line of its own. */
  async #writeBatch(batch: Batch): Promise<void> {
    let written = 0;
    let bytes = Buffer.from(END_OF_LINE);
    let offset = 0;
    let code: string | undefined;
    try {
      const preparing = this.#destination.prepare();
      // Most of the time there is nothing to wait for.
      const opened = preparing === undefined ? undefined : await preparing;
      this.#withinLine = opened?.withinLine ?? this.#withinLine;
      if (this.#withinLine) offset = END_OF_LINE.length;
      const lines = batch.lines.map(({ text }) => text).join('');
      bytes = Buffer.from(this.#withinLine ? END_OF_LINE + lines : lines, 'latin1');
      while (written < bytes.length) {
        if (batch.isGivenUp) throw OVER;
        written += await this.#writeSome(bytes.subarray(written), batch);
      }
    } catch (error) {
      code = errorCode(error);
      // Opened anew for the next batch: the fault may lie in what is open.
      await this.#destination.close().catch(() => undefined);
    }
    this.#isFailing = code !== undefined;
    if (written > 0) this.#withinLine = bytes[written - 1] !== END_OF_LINE.charCodeAt(0);
    for (const line of batch.lines) {
      offset += line.text.length;
      if (code === undefined || offset <= written) line.settle('written');
      else line.settle('failed', code);
    }
  }

  async #writeSome(bytes: Uint8Array, batch: Batch): Promise<number> {
    const taken = await this.#destination.write(bytes).catch((error: unknown) => {
      if (errorCode(error) === 'EAGAIN') return 0;
      throw error;
    });
    if (taken === 0) await this.#clock.sleep(ROOM_CHECK_MS, batch.signal);
    return taken;
  }
}

const sizeOf = (lines: readonly Line[]): number => lines.reduce((sum, { text }) => sum + text.length, 0);
