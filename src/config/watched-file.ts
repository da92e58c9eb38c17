import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Clock } from '../time/clock.ts';
import { ConfigError, type ConfigProblem } from './config-problem.ts';

/** Far above any real file of rules, revocations or certificates. */
export const MAX_WATCHED_FILE_BYTES = 1024 * 1024;
const DEFAULT_INTERVAL_MS = 1_000;
/** A file that is written in place is whole by then; one that still changes is left for the next look. */
const SETTLE_MS = 250;
/** In case a change shows in nothing that `stat` tells, as on some network file systems. */
const REREAD_MS = 30_000;

/** What is asked of a file system. Both follow symbolic links. */
export interface FileAccess {
  /** Differs when the file is another one or was written to. */
  readonly fingerprint: (path: string) => Promise<string>;
  /** Rejects with the code `EFBIG` for a file of more than `maxBytes`. */
  readonly read: (path: string, maxBytes: number) => Promise<Uint8Array>;
}

/** `reloaded`: `current` is what the files say now; `kept`: they can't be used, so `current` is what they last said. */
export type WatchedFileOutcome = 'reloaded' | 'kept';

interface WatchOptions {
  readonly clock: Clock;
  /** Between two looks. Default: 1,000. A change is in force after this and 250 ms more. */
  readonly intervalMs?: number;
  /** Once for every change, not for every look. What it throws is dropped. */
  readonly onChange?: (outcome: WatchedFileOutcome, problems: readonly ConfigProblem[]) => void;
  readonly files?: FileAccess;
}

export interface WatchedFileOptions<T> extends WatchOptions {
  readonly path: string;
  /** Throws a {@link ConfigError} for a text that can't be used. */
  readonly parse: (text: string) => T;
}

export interface WatchedFileGroupOptions<T> extends WatchOptions {
  readonly paths: readonly string[];
  /**
   * The texts of all `paths`, in their order. Files that are replaced one by one are seen half replaced, so it must
   * throw a {@link ConfigError} if they don't fit each other (a certificate and another one's key).
   */
  readonly parse: (texts: readonly string[]) => T;
}

/**
 * What a file says, or several files together, followed while they change. A file that is missing, too large, not UTF-8
 * or not understood leaves the last good value in force.
 *
 * Looked at again and again instead of watched: Kubernetes replaces the files of a volume by swapping a symbolic link
 * (`..data`) above them, which no watch of the file itself sees.
 */
export class WatchedFile<T> {
  readonly #options: WatchedFileGroupOptions<T>;
  readonly #files: FileAccess;
  readonly #stopped = new AbortController();
  #current: T;
  #loadedAt: number;
  #ok = true;
  /** Of `current`. A digest, because the files may be secret. */
  #digest: string;
  /** Of the last reading, good or not. */
  #lastRead: { readonly fingerprint: string; readonly digest: string; readonly at: number };

  private constructor(options: WatchedFileGroupOptions<T>, fingerprint: string, read: Reading, current: T) {
    this.#options = options;
    this.#files = options.files ?? fileSystem;
    this.#current = current;
    this.#digest = read.digest;
    this.#loadedAt = options.clock.now();
    this.#lastRead = { fingerprint, digest: read.digest, at: this.#loadedAt };
    void this.#follow();
  }

  /** Reads the file and follows it until `stop()`. Rejects with a {@link ConfigError} of all problems. */
  static async open<T>({ path, parse, ...options }: WatchedFileOptions<T>): Promise<WatchedFile<T>> {
    return WatchedFile.openGroup({ ...options, paths: [path], parse: ([text = '']) => parse(text) });
  }

  /** Like `open`, for files that mean something only together. */
  static async openGroup<T>(options: WatchedFileGroupOptions<T>): Promise<WatchedFile<T>> {
    const { files = fileSystem, paths } = options;
    const fingerprint = await fingerprintOf(files, paths);
    const read = await readAll(files, paths);
    const parsed = parseReading(read, options.parse);
    if (!parsed.ok) throw new ConfigError(parsed.problems);
    return new WatchedFile(options, fingerprint, read, parsed.value);
  }

  /** The last good value. */
  get current(): T {
    return this.#current;
  }

  /** `loadedAt` (ms since the epoch) is when `current` was read; `ok` is false while the files say something unusable. */
  state(): { readonly loadedAt: number; readonly ok: boolean } {
    return { loadedAt: this.#loadedAt, ok: this.#ok };
  }

  /** Ends the looking. `current` stays. */
  stop(): void {
    this.#stopped.abort();
  }

  async #follow(): Promise<void> {
    const { clock, intervalMs = DEFAULT_INTERVAL_MS } = this.#options;
    const { signal } = this.#stopped;
    try {
      for (;;) {
        await clock.sleep(intervalMs, signal);
        await this.#look();
      }
    } catch (error) {
      // Everything else is caught where it happens.
      if (!signal.aborted) throw error;
    }
  }

  async #look(): Promise<void> {
    const { clock, paths, parse } = this.#options;
    const fingerprint = await fingerprintOf(this.#files, paths);
    const { fingerprint: last, at } = this.#lastRead;
    if (fingerprint === last && clock.now() - at < REREAD_MS) return;
    await clock.sleep(SETTLE_MS, this.#stopped.signal);
    const read = await readAll(this.#files, paths);
    if ((await fingerprintOf(this.#files, paths)) !== fingerprint) return;
    this.#stopped.signal.throwIfAborted();

    const isKnown = read.digest === this.#lastRead.digest;
    this.#lastRead = { fingerprint, digest: read.digest, at: clock.now() };
    if (isKnown) return;
    const parsed = parseReading(read, parse);
    this.#ok = parsed.ok;
    if (parsed.ok && read.digest !== this.#digest) {
      this.#current = parsed.value;
      this.#digest = read.digest;
      this.#loadedAt = clock.now();
    }
    this.#report(parsed.ok ? 'reloaded' : 'kept', parsed.ok ? [] : parsed.problems);
  }

  #report(outcome: WatchedFileOutcome, problems: readonly ConfigProblem[]): void {
    try {
      this.#options.onChange?.(outcome, problems);
    } catch {
      // A report that fails must not end what it reports on.
    }
  }
}

interface Reading {
  /** One for each file that could be read. */
  readonly texts: readonly string[];
  readonly problems: readonly ConfigProblem[];
  /** Of the texts and the problems. */
  readonly digest: string;
}

type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

function parseReading<T>({ texts, problems }: Reading, parse: (texts: readonly string[]) => T): Parsed<T> {
  if (problems.length > 0) return { ok: false, problems };
  try {
    return { ok: true, value: parse(texts) };
  } catch (error) {
    // Another error may quote the file.
    const unknown = [{ path: '', message: 'cannot be understood' }];
    return { ok: false, problems: error instanceof ConfigError ? error.problems : unknown };
  }
}

async function fingerprintOf(files: FileAccess, paths: readonly string[]): Promise<string> {
  const all = paths.map(async (path) => files.fingerprint(path).catch((error: unknown) => codeOf(error)));
  return (await Promise.all(all)).join(' ');
}

async function readAll(files: FileAccess, paths: readonly string[]): Promise<Reading> {
  const texts: string[] = [];
  const problems: ConfigProblem[] = [];
  const hash = createHash('sha256');
  for (const path of paths) {
    try {
      const bytes = await files.read(path, MAX_WATCHED_FILE_BYTES);
      hash.update(`${bytes.length}:`).update(bytes);
      texts.push(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch (error) {
      const message = explain(path, codeOf(error));
      hash.update(`!${message}:`);
      problems.push({ path: '', message });
    }
  }
  return { texts, problems, digest: hash.digest('hex') };
}

function explain(path: string, code: string): string {
  if (code === 'EFBIG') return `${path} is larger than ${MAX_WATCHED_FILE_BYTES} bytes`;
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return `${path} is not a text in UTF-8`;
  return `cannot read ${path}: ${code}`;
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error
    ? String(error.code)
    : 'unknown error';
}

const fileSystem: FileAccess = {
  fingerprint: async (path) => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  },
  read: async (path, maxBytes) => {
    // Not blocking: a pipe that nobody writes to would hold a thread for ever.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) throw withCode('not a regular file');
    const bytes = new Uint8Array(maxBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      length += bytesRead;
      if (length > maxBytes) throw withCode('EFBIG');
      if (bytesRead === 0) return bytes.slice(0, length);
    }
  },
};

function withCode(code: string): Error {
  return Object.assign(new Error(code), { code });
}
