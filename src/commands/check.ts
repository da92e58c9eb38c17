import { Command, InvalidArgumentError, Option } from 'commander';
import { type CheckTerminal, openCheckTerminal } from './check/check-terminal.ts';
import type { CheckOptions } from './check/run-check.ts';

/** `kerbridge check`: would `kerbridge serve` work like this, and if not, what is to be done? */
export function checkCommand(openTerminal: () => CheckTerminal = openCheckTerminal): Command {
  const command = new Command('check')
    .description(
      'check files, Kerberos, Hadoop and Kubernetes from end to end, and say how to mend what is wrong',
    )
    .addOption(new Option('--config <file>', 'configuration file of serve (YAML)').env('KERBRIDGE_CONFIG'))
    .option('--hadoop-conf <dir>', 'Hadoop configuration directory of the first cluster')
    .option('--keytab <file>', 'keytab of the first cluster')
    .option('--principal <name>', 'principal of the first cluster (default: the first of the keytab)')
    .option('--kubeconfig <file>', 'kubeconfig (default: the service account of this pod)')
    .option('--user <name>', 'issue, renew and cancel a delegation token of this Hadoop user')
    .addOption(
      new Option(
        '--url <url>',
        'also the running serve, as its clients have it: https://kerbridge.kerbridge:8443',
      ).argParser(parseUrl),
    )
    .option('--ca-file <file>', 'PEM certificates that clients trust for that')
    .option('--cluster <name>', 'check only this Hadoop cluster of the configuration')
    .option('--json', 'print one JSON document: findings and summary')
    .addOption(new Option('--timeout <seconds>', 'the longest time for each check').argParser(parseSeconds))
    .addHelpText('after', '\nExit codes: 0 nothing failed, 1 something failed, 2 usage')
    .action(async (options: CheckOptions) => {
      if (options.config === undefined && options.hadoopConf === undefined) {
        command.error('error: name --config, or --hadoop-conf and --keytab: what is to be checked');
      }
      // Loaded only here: `kerbridge fetch` runs in every pod and needs none of it.
      const { runCheck } = await import('./check/run-check.ts');
      const terminal = openTerminal();
      terminal.exitWith(await runCheck(options, terminal, process.env));
    });
  return command;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '') {
    throw new InvalidArgumentError('want https://host[:port][/prefix], without a user in it');
  }
  return url;
}

const MAX_SECONDS = 3_600;

function parseSeconds(text: string): number {
  const seconds = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > MAX_SECONDS) {
    throw new InvalidArgumentError(`want whole seconds, 1 to ${MAX_SECONDS}`);
  }
  return seconds;
}
