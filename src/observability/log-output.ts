import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Clock } from '../time/clock.ts';
import { errorCode } from './error-code.ts';
import { reopenPipe } from './reopen-pipe.ts';

/** How often a pipe without room is tried. */
export const ROOM_CHECK_MS = 20;
/** Tries of a flush that find no room, each followed by a pause: a second in all. */
export const FLUSH_TRIES = 100;
const FLUSH_PAUSE_MS = 10;
/** Lines that wait for each other make no longer a text than a pipe takes whole (Linux: PIPE_BUF). */
const TOGETHER_BYTES = 4_096;
const END_OF_LINE = 0x0a;

export interface LogOutputOptions {
  /** Open for writing, such as 1. */
  readonly descriptor: number;
  readonly clock: Clock;
  /** Lines that would make more than this wait are dropped; default 1 MiB. */
  readonly maxBufferedBytes?: number;
  /** Blocks the thread; for {@link LogOutput.flush} only. */
  readonly pause?: (ms: number) => void;
}

type TellDropped = (lines: number) => void;

/**
 * Where log lines go. They are written before `write` returns as long as there is room; those of `writeSoon` together, when
 * what runs now has run. What finds no room, in a pipe or a socket that nobody reads, is kept up to a limit; what is beyond
 * that is dropped and counted. Nothing but `flush` ever waits for a reader: the service must not stop because its log is
 * not read.
 */
export class LogOutput {
  readonly #descriptor: number;
  readonly #clock: Clock;
  readonly #maxBufferedBytes: number;
  readonly #pause: (ms: number) => void;
  /** Lines that are to be written soon. */
  #together = '';
  /** One line each, or several. */
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #isWaiting = false;
  #dropped = 0;
  #droppedUntold = 0;
  #onDropped: TellDropped = () => undefined;
  #onFlowing: TellDropped = () => undefined;

  constructor(options: LogOutputOptions) {
    this.#descriptor = withoutWaiting(options.descriptor);
    this.#clock = options.clock;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 1024 * 1024;
    this.#pause = options.pause ?? pauseThread;
  }

  /** @param onDropped told of lines when they are dropped, and now of those that were */
  countDropped(onDropped: TellDropped): void {
    this.#onDropped = onDropped;
    if (this.#dropped > 0) onDropped(this.#dropped);
  }

  /** @param onFlowing told of the lines that were dropped, once there is room again; may write */
  reportDropped(onFlowing: TellDropped): void {
    this.#onFlowing = onFlowing;
  }

  write(line: string): void {
    this.#writeTogether();
    this.#write(line);
  }

  /**
   * For the many lines of every day: after the microtasks that are queued now, with what comes until then, or before any
   * line that is written at once. A process that is killed in between loses them.
   */
  writeSoon(line: string): void {
    if (this.#together.length + line.length > TOGETHER_BYTES) this.#writeTogether();
    if (this.#together === '') queueMicrotask(this.#writeTogether);
    this.#together += line;
  }

  readonly #writeTogether = (): void => {
    if (this.#together === '') return;
    const lines = this.#together;
    this.#together = '';
    this.#write(lines);
  };

  #write(lines: string): void {
    const bytes = Buffer.from(lines);
    // Room may have come since the last try.
    if (!this.#holds(bytes)) this.#drain();
    if (!this.#holds(bytes)) {
      this.#drop(linesIn(bytes));
      return;
    }
    this.#chunks.push(bytes);
    this.#bufferedBytes += bytes.length;
    if (this.#chunks.length > 1) return;
    this.#drain();
    if (this.#chunks.length > 0 && !this.#isWaiting) void this.#drainLater();
  }

  /** For the end of the process: writes what waits, and blocks for a second at most while there is no room. */
  flush(): void {
    this.#writeTogether();
    for (let tries = 0; tries < FLUSH_TRIES; tries += 1) {
      this.#drain();
      if (this.#chunks.length === 0) return;
      this.#pause(FLUSH_PAUSE_MS);
    }
  }

  #holds(bytes: Buffer): boolean {
    return this.#bufferedBytes + bytes.length <= this.#maxBufferedBytes;
  }

  async #drainLater(): Promise<void> {
    this.#isWaiting = true;
    while (this.#chunks.length > 0) {
      await this.#clock.sleep(ROOM_CHECK_MS);
      this.#drain();
    }
    this.#isWaiting = false;
  }

  /** Writes until there is no room. */
  #drain(): void {
    const chunks = this.#chunks;
    let done = 0;
    try {
      for (let chunk = chunks[0]; chunk !== undefined; chunk = chunks[done]) {
        const written = writeSync(this.#descriptor, chunk);
        this.#bufferedBytes -= written;
        if (written < chunk.length) chunks[done] = chunk.subarray(written);
        else done += 1;
      }
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') {
        chunks.splice(0, done);
        return;
      }
      // The reader is gone, or the disk is full. What comes later is tried again.
      this.#chunks = [];
      this.#bufferedBytes = 0;
      this.#drop(chunks.slice(done).reduce((sum, chunk) => sum + linesIn(chunk), 0));
      return;
    }
    this.#chunks = [];
    const untold = this.#droppedUntold;
    this.#droppedUntold = 0;
    if (untold > 0) this.#onFlowing(untold);
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#droppedUntold += lines;
    this.#onDropped(lines);
  }
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(END_OF_LINE); at !== -1; at = bytes.indexOf(END_OF_LINE, at + 1)) lines += 1;
  return lines;
}

/** They would close their descriptors if they were forgotten. */
const sockets: Socket[] = [];

/**
 * The descriptor, or another for the same, whose writes end at once. A socket can't be opened a second time: it is made
 * not to wait for all who share it, as Node itself does with standard output; so is a pipe that another user owns. A
 * file or a terminal is left as it is.
 */
function withoutWaiting(descriptor: number): number {
  const reopened = reopenPipe(descriptor);
  if (reopened !== undefined) return reopened;
  const status = fstatSync(descriptor);
  if (status.isSocket() || status.isFIFO())
    sockets.push(new Socket({ fd: descriptor, readable: false, writable: true }));
  return descriptor;
}

function pauseThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
