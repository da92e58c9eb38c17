import { Command, Option } from 'commander';
import { LOG_LEVELS } from '../observability/log-levels.ts';
import type { RunDecorateOptions } from './decorate/run-decorate.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** `kerbridge decorate`: the ID decorator. */
export function decorateCommand(terminal: Terminal = processTerminal): Command {
  return new Command('decorate')
    .description('decide at admission which user a pod speaks for, and keep it so')
    .addOption(new Option('--config <file>', 'configuration file (YAML)').env('KERBRIDGE_CONFIG'))
    .option('--kubeconfig <file>', 'kubeconfig (default: the service account of this pod)')
    .option('--listen <address:port>', 'where the webhooks listen')
    .option('--admin-listen <address:port>', 'where /livez, /readyz and /metrics listen')
    .option('--audit-only', 'change and refuse nothing; tell what would be')
    .addOption(new Option('--log-level <level>', 'how much is logged').choices(LOG_LEVELS))
    .option(
      '--check-config',
      'check the configuration and the files it names, print what follows from it, and end',
    )
    .addHelpText(
      'after',
      '\nOptions win over the file.\nExit codes: 0 ended as asked, 1 failed, 2 configuration or usage',
    )
    .action(async (options: RunDecorateOptions) => {
      // Loaded only here: `kerbridge fetch` runs in every pod and needs none of it.
      const { runDecorate } = await import('./decorate/run-decorate.ts');
      await runDecorate(options, terminal);
    });
}
