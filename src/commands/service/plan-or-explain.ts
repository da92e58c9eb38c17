import { ConfigError, formatProblem } from '../../config/config-problem.ts';
import type { Terminal } from '../terminal.ts';

/** What `plan` resolves to; undefined when the configuration has problems, which the terminal then shows. */
export async function planOrExplain<Plan>(
  command: string,
  plan: () => Promise<Plan>,
  terminal: Terminal,
): Promise<Plan | undefined> {
  try {
    return await plan();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.problems.map((problem) => `  ${formatProblem(problem)}\n`);
    terminal.error(
      `kerbridge ${command}: the configuration has ${lines.length} problem(s):\n${lines.join('')}`,
    );
    return undefined;
  }
}
