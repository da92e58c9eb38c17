/** One thing that is wrong with the configuration: where, and what to do. */
export interface ConfigProblem {
  /** Path of the key, for example `clusters[0].keytab`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** All that is wrong, together: nobody should have to start a server five times to find five mistakes. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

export function formatProblem({ path, message }: ConfigProblem): string {
  return path === '' ? message : `${path}: ${message}`;
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) =>
      typeof key === 'number' ? `[${key}]` : index === 0 ? String(key) : `.${String(key)}`,
    )
    .join('');
}
