import { createHash } from 'node:crypto';
import { type FileMark, isStill, type WriteOptions, writeTokenFiles } from './write-token-file.ts';

/** The files of `--output` and `--copy`, of which applications only ever see whole ones. */
export interface TokenFiles {
  /** Replaces them all, or none: rejects with WriteTokenFileError. */
  write(bytes: Uint8Array): Promise<void>;
  /** Whether each is still the one that write() made. */
  areOurs(): Promise<boolean>;
  /** Whether these bytes are what write() made last. */
  holds(bytes: Uint8Array): boolean;
}

export class TokenFilesOnDisk implements TokenFiles {
  readonly #options: WriteOptions;
  #marks: readonly FileMark[] = [];
  /** Not the bytes: they would stay in memory as long as the watcher. */
  #digest = '';

  constructor(options: WriteOptions) {
    this.#options = options;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#marks = await writeTokenFiles(bytes, this.#options);
    this.#digest = digestOf(bytes);
  }

  async areOurs(): Promise<boolean> {
    if (this.#marks.length === 0) return false;
    for (const mark of this.#marks) if (!(await isStill(mark))) return false;
    return true;
  }

  holds(bytes: Uint8Array): boolean {
    return this.#digest === digestOf(bytes);
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}
