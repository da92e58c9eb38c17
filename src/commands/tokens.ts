import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type KubernetesOptions,
  kubernetesOptions,
  type ObjectId,
  OPERATOR_EXIT_HELP,
  parseNamespace,
  parseObjectId,
} from './operator/operator-command.ts';
import { processTerminal, type Terminal } from './terminal.ts';

interface TokensOptions extends KubernetesOptions {
  readonly url: readonly URL[];
  readonly caFile?: string;
  readonly serverName?: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly serviceAccount?: ObjectId;
  readonly tokenFile?: string;
  readonly audience: string;
  readonly json?: true;
}

/** `kerbridge tokens`: which delegation tokens the replicas of serve hold. */
export function tokensCommand(terminal: Terminal = processTerminal): Command {
  const command = new Command('tokens')
    .description('list the Hadoop delegation tokens that kerbridge serve holds: never the passwords')
    .addOption(
      new Option('--url <url>', 'base URL of one replica of kerbridge serve; repeat it for more')
        .argParser(collectUrl)
        .makeOptionMandatory(),
    )
    .option('--ca-file <file>', 'PEM certificates to trust for --url')
    .option('--server-name <name>', 'the name in the certificate, if --url has another (a port-forward)')
    .option('--user <name>', 'only tokens of this Hadoop user')
    .addOption(
      new Option('--namespace <name>', 'only tokens for pods of this namespace').argParser(parseNamespace),
    )
    .addOption(
      new Option(
        '--service-account <namespace/name>',
        'ask as this service account, with a token of 10 minutes from the Kubernetes API',
      )
        .argParser(parseObjectId)
        .conflicts('tokenFile'),
    )
    .option('--token-file <file>', 'ask with the service-account token in this file')
    .option('--audience <name>', 'kubernetes.adminAudience of serve', 'kerbridge-admin');
  for (const option of kubernetesOptions()) command.addOption(option);
  return command
    .option('--json', 'print JSON')
    .addHelpText('after', OPERATOR_EXIT_HELP)
    .action(async ({ kubeconfig, context, serviceAccount, tokenFile, ...options }: TokensOptions) => {
      const source =
        tokenFile !== undefined
          ? { tokenFile }
          : serviceAccount !== undefined
            ? { serviceAccount, kubeconfig, ...(context === undefined ? {} : { context }) }
            : command.error('error: name --service-account or --token-file: as whom to ask');
      // Loaded only here: `kerbridge fetch` runs in every pod and needs none of it.
      const { runTokens } = await import('./tokens/run-tokens.ts');
      const { json = false, url: urls, ...rest } = options;
      terminal.exitWith(await runTokens({ ...rest, json, urls, source }, terminal));
    });
}

function collectUrl(text: string, earlier: readonly URL[] = []): readonly URL[] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new InvalidArgumentError('want https://host[:port]');
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgumentError('no user or password in the URL');
  }
  // Whoever reads the token on its way can list all tokens for ten minutes.
  if (url.protocol === 'http:' && !/^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)) {
    throw new InvalidArgumentError('plain HTTP is for loopback only');
  }
  return [...earlier, url];
}
