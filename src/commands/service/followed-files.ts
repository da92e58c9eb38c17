import { ConfigError, type ConfigProblem, formatProblem } from '../../config/config-problem.ts';
import { WatchedFile } from '../../config/watched-file.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Clock } from '../../time/clock.ts';

export interface FileChange<Name extends string> {
  readonly file: Name;
  /** `kept`: what the file says now can't be used. */
  readonly outcome: 'reloaded' | 'kept';
  readonly problems: readonly ConfigProblem[];
}

export interface FollowedFile<T> {
  /** Key of the configuration that names the file. */
  readonly key: string;
  /** undefined: it names none. */
  readonly path: string | undefined;
  /** Throws a {@link ConfigError} of all problems. */
  readonly parse: (text: string) => T;
}

/** Opens files that are read again when they change, and tells one listener of what becomes of them. */
export class FileFollower<Name extends string> {
  readonly #clock: Clock;
  readonly #problems: ConfigProblem[];
  #listener: (change: FileChange<Name>) => void = () => undefined;

  /** @param problems what is wrong with files as they are opened is added here */
  constructor(clock: Clock, problems: ConfigProblem[]) {
    this.#clock = clock;
    this.#problems = problems;
  }

  /** One listener, which must not throw: of each change from now on. */
  readonly follow = (listener: (change: FileChange<Name>) => void): void => {
    this.#listener = listener;
  };

  async open<T>(file: Name, { key, path, parse }: FollowedFile<T>): Promise<WatchedFile<T> | undefined> {
    if (path === undefined) return undefined;
    const onChange = (outcome: FileChange<Name>['outcome'], found: readonly ConfigProblem[]): void => {
      this.#listener({ file, outcome, problems: found.map((problem) => problemBelow(key, problem)) });
    };
    return await WatchedFile.open({ path, parse, clock: this.#clock, onChange }).catch((error: unknown) =>
      noteProblems(error, this.#problems, (problem) => problemBelow(key, problem)),
    );
  }
}

/** Adds what a ConfigError says, put as `say` puts it. Whatever else is thrown goes on. */
export function noteProblems(
  error: unknown,
  problems: ConfigProblem[],
  say: (problem: ConfigProblem) => ConfigProblem = (problem) => problem,
): undefined {
  if (!(error instanceof ConfigError)) throw error;
  problems.push(...error.problems.map(say));
  return undefined;
}

/** A problem within a file, as one of the key that names the file. */
export function problemBelow(key: string, problem: ConfigProblem): ConfigProblem {
  return { path: key, message: formatProblem(problem) };
}

export interface FileNotes {
  readonly metrics: Pick<Metrics, 'fileOk' | 'fileReloads'>;
  readonly logger: Logger;
}

/** Counts and logs changes, and says of each file whether it can be used as it is now: it may have changed since it was opened. */
export function noteFileChanges<Name extends string>(
  files: readonly (readonly [Name, { state: () => { readonly ok: boolean } } | undefined])[],
  { metrics, logger }: FileNotes,
): (change: FileChange<Name>) => void {
  for (const [file, followed] of files) {
    const state = followed?.state();
    if (state !== undefined) metrics.fileOk.set({ file }, state.ok ? 1 : 0);
  }
  return ({ file, outcome, problems }) => {
    metrics.fileReloads.inc({ file, outcome });
    metrics.fileOk.set({ file }, outcome === 'reloaded' ? 1 : 0);
    if (outcome === 'reloaded') logger.info('Changed file is in use', { file });
    else {
      logger.warn('Changed file cannot be used; what it said before stays in use', {
        file,
        problems: problems.map(formatProblem),
      });
    }
  };
}
