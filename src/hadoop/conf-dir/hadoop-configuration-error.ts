/** One thing that is wrong with a Hadoop configuration, for the operator. */
export interface ConfigurationProblem {
  /** Path of the file, or of the directory when no file is to blame. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** Name of the Hadoop property. */
  readonly property?: string;
  /** What is wrong and what to change. Never holds a property's value, except addresses and other public settings. */
  readonly message: string;
}

/**
 * What everything in `hadoop/conf-dir` rejects with. Holds every problem that was found, at least one; `file` and
 * `property` are those of the first.
 */
export class HadoopConfigurationError extends Error {
  override readonly name = 'HadoopConfigurationError';
  readonly problems: readonly ConfigurationProblem[];
  readonly file: string | undefined;
  readonly property: string | undefined;

  constructor(problems: ConfigurationProblem | readonly [ConfigurationProblem, ...ConfigurationProblem[]]) {
    const all: readonly ConfigurationProblem[] = 'message' in problems ? [problems] : problems;
    super(all.map(problemText).join('\n'));
    this.problems = Object.freeze([...all]);
    this.file = all[0]?.file;
    this.property = all[0]?.property;
  }
}

/** `file:line: property: message`, with what is known. */
export function problemText(problem: ConfigurationProblem): string {
  const line = problem.line === undefined ? '' : `:${problem.line}`;
  const file = problem.file === undefined ? '' : `${problem.file}${line}: `;
  const property = problem.property === undefined ? '' : `${problem.property}: `;
  return `${file}${property}${problem.message}`;
}

/** Collects problems so that an operator sees them all at once. */
export class ProblemCollector {
  readonly #problems: ConfigurationProblem[] = [];

  add(problem: ConfigurationProblem): void {
    this.#problems.push(problem);
  }

  /** The result of `step`, or undefined after taking in the HadoopConfigurationError that it threw. */
  attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      this.#take(error);
      return undefined;
    }
  }

  async attemptAsync<T>(step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.#take(error);
      return undefined;
    }
  }

  throwIfAny(): void {
    const [first, ...rest] = this.#problems;
    if (first !== undefined) throw new HadoopConfigurationError([first, ...rest]);
  }

  #take(error: unknown): void {
    if (!(error instanceof HadoopConfigurationError)) throw error;
    for (const problem of error.problems) {
      // The same broken property may be read for several NameNodes.
      if (!this.#problems.some((known) => problemText(known) === problemText(problem))) {
        this.#problems.push(problem);
      }
    }
  }
}
