import { Command, CommanderError } from 'commander';
import { checkCommand } from './check.ts';
import { decorateCommand } from './decorate.ts';
import { fetchCommand } from './fetch.ts';
import { inspectCommand } from './inspect.ts';
import { packageVersion } from './package-version.ts';
import { revokeCommand } from './revoke.ts';
import { serveCommand } from './serve.ts';
import { stampKeysCommand } from './stamp-keys.ts';
import { tokensCommand } from './tokens.ts';

const USAGE_ERROR = 2;

/** The command line's entry: `kerbridge <command>`. */
export function createProgram(): Command {
  const program = new Command('kerbridge')
    .description('Lets Kubernetes pods use a kerberized Hadoop as the person who started them')
    .version(packageVersion())
    .showHelpAfterError('(add --help for what can be used here)');
  const commands = [
    serveCommand(),
    decorateCommand(),
    fetchCommand(),
    checkCommand(),
    inspectCommand(),
    revokeCommand(),
    tokensCommand(),
    stampKeysCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  return program;
}

/**
 * Runs a command. Usage errors are explained on standard error.
 * @returns the exit code that follows from the usage; a command may set its own in `process.exitCode`
 */
export async function runProgram(program: Command, args: readonly string[]): Promise<number> {
  // commander's own exit code for usage errors is 1, which here means: it ran, and failed.
  for (const command of withSubcommands(program)) command.exitOverride();
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : USAGE_ERROR;
  }
}

function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}
