import { Argument, Command } from 'commander';
import { processTerminal, type Terminal } from './terminal.ts';

/** `kerbridge inspect FILE`: what is in a Hadoop credentials file, never the passwords. */
export function inspectCommand(terminal: Terminal = processTerminal): Command {
  return new Command('inspect')
    .description('print what a Hadoop token file holds: never the passwords')
    .addArgument(
      new Argument('[file]', 'the file; - for standard input (default: $HADOOP_TOKEN_FILE_LOCATION)'),
    )
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 read, 1 it cannot be read or is no Hadoop token file, 2 usage')
    .action(
      async (file: string | undefined, { json = false }: { readonly json?: boolean }, command: Command) => {
        const path = file ?? process.env['HADOOP_TOKEN_FILE_LOCATION'] ?? '';
        if (path === '') command.error('error: name a file, or set HADOOP_TOKEN_FILE_LOCATION');
        // Loaded only here: `kerbridge fetch` runs in every pod and needs none of it.
        const { runInspect } = await import('./inspect/run-inspect.ts');
        terminal.exitWith(await runInspect({ path, json }, terminal));
      },
    );
}
