import { lstat, lutimes } from 'node:fs/promises';
import type { Clock } from '../time/clock.ts';
import { readRegularFile } from './read-regular-file.ts';
import { formatStatus, parseStatus, type WatchStatus } from './watch-status.ts';
import { type FileAccess, writeTokenFiles } from './write-token-file.ts';

export const statusPath = (output: string): string => `${output}.status`;

/** Where the watcher says how it stands. Its time of change is the sign of life. */
export interface StatusFile {
  write(status: WatchStatus): Promise<void>;
  /** The sign of life alone; rejects when the file is not there any more, or something else is in its place. */
  renew(): Promise<void>;
}

export class StatusFileOnDisk implements StatusFile {
  readonly #path: string;
  readonly #access: FileAccess;
  readonly #clock: Clock;

  constructor(output: string, access: FileAccess, clock: Clock) {
    this.#path = statusPath(output);
    this.#access = access;
    this.#clock = clock;
  }

  async write(status: WatchStatus): Promise<void> {
    await writeTokenFiles(Buffer.from(formatStatus(status)), { ...this.#access, paths: [this.#path] });
  }

  async renew(): Promise<void> {
    if (!(await lstat(this.#path)).isFile()) throw new Error(`${this.#path} is no file`);
    const seconds = this.#clock.now() / 1000;
    await lutimes(this.#path, seconds, seconds);
  }
}

export interface FoundStatus {
  readonly status: WatchStatus;
  /** ms since the epoch: the last sign of life. */
  readonly aliveAt: number;
}

export async function readStatus(output: string): Promise<FoundStatus | undefined> {
  try {
    const { bytes, mtimeMs } = await readRegularFile(statusPath(output));
    const status = parseStatus(bytes.toString('utf8'));
    return status === undefined ? undefined : { status, aliveAt: mtimeMs };
  } catch {
    return undefined;
  }
}
