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

/** `kerbridge stamp-keys`: rotate the keys that sign for whom pods speak. */
export function stampKeysCommand(terminal: Terminal = processTerminal): Command {
  const subcommand = <O extends object>(
    name: string,
    description: string,
    { options, requestOf }: { options: readonly Option[]; requestOf: (given: O) => StampKeysRequest },
  ): Command => {
    const command = new Command(name).description(description);
    for (const option of [...options, ...commonOptions()]) command.addOption(option);
    return command
      .option('--json', 'print JSON')
      .addHelpText('after', OPERATOR_EXIT_HELP)
      .action(async (given: O & CommonOptions) => {
        const { kubeconfig, context, namespace, secret, json = false } = given;
        // Loaded only here: `kerbridge fetch` runs in every pod and needs none of it.
        const { stampKeysWithKubeconfig } = await import('./stamp-keys/run-stamp-keys.ts');
        terminal.exitWith(
          await stampKeysWithKubeconfig(
            { kubeconfig, ...(context === undefined ? {} : { context }) },
            { request: requestOf(given), secret: { namespace, name: secret }, json },
            terminal,
          ),
        );
      });
  };

  return new Command('stamp-keys')
    .description('rotate the keys that sign for whom pods speak: announce, promote, retire')
    .addCommand(
      subcommand('list', 'show each key, whether it is published, and how many pods carry a stamp of it', {
        options: [],
        requestOf: () => ({ action: 'list' }),
      }),
    )
    .addCommand(
      subcommand<{ readonly another?: true }>('announce', 'add a new key, which does not sign yet', {
        options: [new Option('--another', 'though one that was announced does not sign yet')],
        requestOf: ({ another = false }) => ({ action: 'announce', another }),
      }),
    )
    .addCommand(
      subcommand<{ readonly key?: string; readonly now?: true }>(
        'promote',
        'let an announced key sign; the others go on to verify',
        {
          options: [
            keyOption('the key (default: the one that was announced)'),
            new Option('--now', 'though some replicas of serve may not have it yet'),
          ],
          requestOf: ({ key, now = false }) => ({ action: 'promote', key, now }),
        },
      ),
    )
    .addCommand(
      subcommand<{ readonly key: string; readonly now?: true; readonly stolen?: true }>(
        'retire',
        'take a key out: stamps of it are worth nothing from then on',
        {
          options: [
            keyOption('the key').makeOptionMandatory(),
            new Option('--now', 'though some replicas of decorate may still sign with it'),
            new Option('--stolen', 'at once, whatever the pods that carry a stamp of it lose').conflicts(
              'now',
            ),
          ],
          requestOf: ({ key, now = false, stolen = false }) => ({ action: 'retire', key, now, stolen }),
        },
      ),
    );
}

const commonOptions = (): Option[] => [
  ...kubernetesOptions(),
  new Option('--namespace <name>', 'namespace of kerbridge').argParser(parseNamespace).default('kerbridge'),
  new Option('--secret <name>', 'signing.secret.name of decorate; its ConfigMap has the same name')
    .argParser(parseObjectName)
    .default('kerbridge-stamp-keys'),
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
