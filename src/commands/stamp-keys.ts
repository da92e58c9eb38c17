import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type KubernetesOptions,
  kubernetesOptions,
  OPERATOR_EXIT_HELP,
  parseNamespace,
  parseObjectName,
} from './operator/operator-command.ts';
import type { StampKeysRequest } from './stamp-keys/run-stamp-keys.ts';
import { processTerminal, type Terminal } from './terminal.ts';

interface CommonOptions extends KubernetesOptions {
  readonly namespace: string;
  readonly secret: string;
  readonly json?: true;
}

interface RetireOptions extends CommonOptions {
  readonly key: string;
  readonly now?: boolean;
  readonly stolen?: boolean;
}

/** `kerbridge stamp-keys`: rotate the keys that sign for whom pods speak. */
export function stampKeysCommand(terminal: Terminal = processTerminal): Command {
  const run = async (request: StampKeysRequest, given: CommonOptions): Promise<void> => {
    const { kubeconfig, context, namespace, secret, json = false } = given;
    // Loaded only here: `kerbridge fetch` runs in every pod and needs none of it.
    const { stampKeysWithKubeconfig } = await import('./stamp-keys/run-stamp-keys.ts');
    terminal.exitWith(
      await stampKeysWithKubeconfig(
        { kubeconfig, ...(context === undefined ? {} : { context }) },
        { request, secret: { namespace, name: secret }, json },
        terminal,
      ),
    );
  };

  const list = new Command('list')
    .description('show each key, whether it is published, and how many pods carry a stamp of it')
    .action((given: CommonOptions) => run({ action: 'list' }, given));
  const announce = new Command('announce')
    .description('add a new key, which does not sign yet')
    .option('--another', 'though one that was announced does not sign yet')
    .action(({ another = false, ...given }: CommonOptions & { readonly another?: boolean }) =>
      run({ action: 'announce', another }, given),
    );
  const promote = new Command('promote')
    .description('let an announced key sign; the others go on to verify')
    .addOption(keyOption('the key (default: the one that was announced)'))
    .option('--now', 'though some replicas of serve may not have it yet')
    .action(
      ({ key, now = false, ...given }: CommonOptions & { readonly key?: string; readonly now?: boolean }) =>
        run({ action: 'promote', key, now }, given),
    );
  const retire = new Command('retire')
    .description('take a key out: stamps of it are worth nothing from then on')
    .addOption(keyOption('the key').makeOptionMandatory())
    .option('--now', 'though some replicas of decorate may still sign with it')
    .addOption(
      new Option('--stolen', 'at once, whatever the pods that carry a stamp of it lose').conflicts('now'),
    )
    .action(({ key, now = false, stolen = false, ...given }: RetireOptions) =>
      run({ action: 'retire', key, now, stolen }, given),
    );

  const command = new Command('stamp-keys').description(
    'rotate the keys that sign for whom pods speak: announce, promote, retire',
  );
  for (const subcommand of [list, announce, promote, retire]) {
    for (const option of commonOptions()) subcommand.addOption(option);
    command.addCommand(subcommand.addHelpText('after', OPERATOR_EXIT_HELP));
  }
  return command;
}

const commonOptions = (): Option[] => [
  ...kubernetesOptions(),
  new Option('--namespace <name>', 'namespace of kerbridge').argParser(parseNamespace).default('kerbridge'),
  new Option('--secret <name>', 'signing.secret.name of decorate; its ConfigMap has the same name')
    .argParser(parseObjectName)
    .default('kerbridge-stamp-keys'),
  new Option('--json', 'print JSON'),
];

const keyOption = (description: string): Option => new Option('--key <kid>', description).argParser(parseKid);

/** A thumbprint: SHA-256 in base64url. */
function parseKid(text: string): string {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) {
    throw new InvalidArgumentError(
      'want the whole kid, 43 characters, as `kerbridge stamp-keys list` shows it',
    );
  }
  return text;
}
