import { execFile } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');

export interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `kerbridge …` to its end, with nothing of our environment but the PATH. */
export function kerbridge(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { PATH: process.env['PATH'] } },
      (_error, out, error) => {
        resolve({ exitCode: child.exitCode ?? -1, out, error });
      },
    );
  });
}
