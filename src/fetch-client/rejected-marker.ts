import { lstat, unlink } from 'node:fs/promises';
import { errorCode } from '../observability/error-code.ts';

/** How an application says that Hadoop refused its token: it makes the file `<output>.rejected`. */
export interface RejectedMarker {
  /** Removes it. True once for each that was there. */
  take(): Promise<boolean>;
}

export class RejectedMarkerOnDisk implements RejectedMarker {
  readonly #path: string;
  readonly #say: (line: string) => void;
  /** One that can't be removed (a folder, another user's) counts once, and not for ever. */
  #stuck = '';

  constructor(output: string, say: (line: string) => void) {
    this.#path = `${output}.rejected`;
    this.#say = say;
  }

  async take(): Promise<boolean> {
    const found = await lstat(this.#path, { bigint: true }).catch(() => undefined);
    if (found === undefined) {
      this.#stuck = '';
      return false;
    }
    const which = `${found.ino}:${found.mtimeNs}`;
    if (which === this.#stuck) return false;
    try {
      await unlink(this.#path);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOENT') return false;
      this.#stuck = which;
      this.#say(`cannot remove ${this.#path}: ${code}; it counts once, remove it`);
    }
    return true;
  }
}
