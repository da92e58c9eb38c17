import { Command, Option } from 'commander';
import { parseFetchOptions, type RawFetchOptions } from './fetch/parse-fetch-options.ts';
import { processTerminal, type Terminal } from './terminal.ts';

const USAGE_ERROR = 2;

const EXIT_HELP = `
Exit codes: 0 written, 1 --healthy: not healthy, 2 usage, 3 refused, 4 not reached or not now until the deadline,
5 a file can't be written, 143 or 130 ended by a signal before the file was there`;

/** `kerbridge fetch`: writes the Hadoop credentials file, and keeps it fresh. Runs in the pod. */
export function fetchCommand(terminal: Terminal = processTerminal): Command {
  const say = (line: string): void => terminal.error(`kerbridge fetch: ${line}\n`);
  const collect = (text: string, earlier: readonly string[] = []): readonly string[] => [...earlier, text];
  const command = new Command('fetch').description(
    "fetch this pod's Hadoop delegation tokens and write them as a Hadoop credentials file",
  );
  // Variables are read with all else in parseFetchOptions: commander takes an empty one for a value.
  for (const [flags, description, isRepeatable] of [
    ['--url <url>', 'base URL of kerbridge serve (env: KERBRIDGE_URL)'],
    ['-o, --output <file>', 'the file to write (env: HADOOP_TOKEN_FILE_LOCATION)'],
    [
      '--service-account-token-file <file>',
      'the projected token with the audience of kerbridge (env: KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE,' +
        ' default: /var/run/secrets/kerbridge/serviceaccount/token)',
    ],
    ['--ca-file <file>', "PEM certificates to trust instead of the system's (env: KERBRIDGE_CA_FILE)"],
    ['--cluster <name>', "Hadoop cluster (env: KERBRIDGE_CLUSTER, default: the server's first)"],
    ['--kind <kind>', 'a kind that must be there (env: KERBRIDGE_KINDS, default: all of the cluster)', true],
    ['--optional <kind>', 'a kind that may be missing (env: KERBRIDGE_OPTIONAL_KINDS)', true],
    ['--do-as <user>', 'be this user instead, where the rules allow it (env: KERBRIDGE_DO_AS)'],
    ['--format <format>', 'writable (version 0) or protobuf (env: KERBRIDGE_FORMAT, default: writable)'],
    ['--timeout <seconds>', 'for one try (env: KERBRIDGE_TIMEOUT, default: 120)'],
    ['--deadline <seconds>', 'for all tries; 0: one try (env: KERBRIDGE_DEADLINE, default: 300)'],
    ['--mode <mode>', '0600, 0640, 0660, 0400 or 0440 (env: KERBRIDGE_MODE, default: 0600)'],
    ['--group <number>', 'group of the files (env: KERBRIDGE_GROUP, default: what the folder gives)'],
    ['--copy <file>', 'a further file with the same content (env: KERBRIDGE_COPIES, colons between)', true],
  ] as const) {
    const option = new Option(flags, description);
    command.addOption(isRepeatable === true ? option.argParser(collect) : option);
  }
  return command
    .option('--watch', 'stay, and keep the file fresh')
    .option('--healthy', 'ask about the watcher of --output and end (for probes)')
    .option('--rejected', 'Hadoop refused the tokens of --output: say so to the server, then fetch anew')
    .addHelpText('after', EXIT_HELP)
    .action(async (raw: RawFetchOptions) => {
      const parsed = parseFetchOptions(raw, process.env);
      if (!parsed.ok) {
        for (const problem of parsed.problems) say(problem);
        say('see kerbridge fetch --help');
        terminal.exitWith(USAGE_ERROR);
        return;
      }
      // Each loaded only when it is needed: this runs in every pod, and the probe every few seconds.
      if (parsed.action === 'healthy') {
        const { runHealthy } = await import('./fetch/run-healthy.ts');
        terminal.exitWith(await runHealthy(parsed.output, say));
      } else {
        const { runFetch } = await import('./fetch/run-fetch.ts');
        // Not by exitCode: a look-up of a name, which nothing ends, would keep the process.
        process.exit(await runFetch(parsed.settings, say));
      }
    });
}
