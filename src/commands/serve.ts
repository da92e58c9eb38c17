import { Command, Option } from 'commander';
import { LOG_LEVELS } from '../observability/log-levels.ts';
import type { RunOptions } from './serve/run-serve.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** `kerbridge serve`: the token fetcher. */
export function serveCommand(terminal: Terminal = processTerminal): Command {
  return new Command('serve')
    .description("give pods their users' Hadoop delegation tokens")
    .addOption(new Option('--config <file>', 'configuration file (YAML)').env('KERBRIDGE_CONFIG'))
    .option('--hadoop-conf <dir>', 'Hadoop configuration directory of the first cluster')
    .option('--keytab <file>', 'keytab of the first cluster')
    .option('--principal <name>', 'principal of the first cluster (default: the first of the keytab)')
    .option('--kubeconfig <file>', 'kubeconfig (default: the service account of this pod)')
    .option('--listen <address:port>', 'where the API listens')
    .option('--admin-listen <address:port>', 'where /livez, /readyz and /metrics listen')
    .addOption(new Option('--log-level <level>', 'how much is logged').choices(LOG_LEVELS))
    .option(
      '--check-config',
      'check the configuration and the files it names, print what follows from it, and end',
    )
    .addHelpText(
      'after',
      '\nOptions win over the file.\nExit codes: 0 ended as asked, 1 failed, 2 configuration or usage',
    )
    .action(async (options: RunOptions) => {
      // Loaded only here: `kerbridge fetch` runs in every pod and needs none of it.
      const { runServe } = await import('./serve/run-serve.ts');
      await runServe(options, terminal);
    });
}
