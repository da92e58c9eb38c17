import { plainEnvironment, requireProgram, runCommand } from '../../stack/run-command.ts';
import type { CommandResult } from '../../stack/run-command.ts';

/** Ends with any exit code: 3 of `check metrics` means that it found something to complain about. */
export function promtool(args: readonly string[], input = ''): Promise<CommandResult> {
  const command = requireProgram('promtool', 'the Debian package prometheus');
  return runCommand(command, args, { env: plainEnvironment(), input, timeoutMs: 60_000 });
}
