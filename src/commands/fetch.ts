import { Command, InvalidArgumentError, Option } from 'commander';
import {
  readServiceAccountToken,
  ServiceAccountTokenFileError,
} from '../fetch-client/read-service-account-token.ts';
import { requestCredentials } from '../fetch-client/request-credentials.ts';
import { writeTokenFile, WriteTokenFileError } from '../fetch-client/write-token-file.ts';
import { CaFileError, readCaFile } from './read-ca-file.ts';

/** Exit codes of `kerbridge fetch`, for scripts. */
export const FETCH_EXIT = { done: 0, usage: 2, refused: 3, notReached: 4, cannotWrite: 5 } as const;

/** Longer than serve takes for Kerberos (with a silent KDC before a good one) and the calls to Hadoop after it. */
const DEFAULT_TIMEOUT_SECONDS = 120;

const DEFAULT_TOKEN_FILE = '/var/run/secrets/kerbridge/serviceaccount/token';

interface FetchOptions {
  readonly url: URL;
  readonly serviceAccountTokenFile: string;
  readonly output: string;
  readonly cluster?: string;
  readonly kind?: string[];
  readonly optional?: string[];
  readonly doAs?: string;
  readonly format: 'writable' | 'protobuf';
  readonly caFile?: string;
  readonly timeout: number;
}

/** `kerbridge fetch`: asks once and writes the Hadoop credentials file. Runs in the pod. */
export function fetchCommand(): Command {
  return new Command('fetch')
    .description("fetch this pod's Hadoop delegation tokens and write them as a Hadoop credentials file")
    .addOption(
      new Option('--url <url>', 'base URL of kerbridge serve')
        .env('KERBRIDGE_URL')
        .argParser(parseUrl)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('-o, --output <file>', 'the file to write')
        .env('HADOOP_TOKEN_FILE_LOCATION')
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--service-account-token-file <file>', 'the projected token with the audience of kerbridge')
        .env('KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE')
        .default(DEFAULT_TOKEN_FILE),
    )
    .addOption(new Option('--cluster <name>', 'Hadoop cluster').env('KERBRIDGE_CLUSTER'))
    .option('--kind <kind...>', 'kinds that must be there (default: all of the cluster)')
    .option('--optional <kind...>', 'kinds that may be missing')
    .option('--do-as <user>', 'be this user instead, where the rules allow it')
    .addOption(
      new Option('--format <format>', 'format of the file: writable (version 0) or protobuf (version 1)')
        .choices(['writable', 'protobuf'])
        .default('writable'),
    )
    .addOption(new Option('--ca-file <file>', 'PEM certificates to trust for --url').env('KERBRIDGE_CA_FILE'))
    .option('--timeout <seconds>', 'time for the whole request', parseSeconds, DEFAULT_TIMEOUT_SECONDS)
    .addHelpText(
      'after',
      '\nExit codes: 0 written, 2 usage, 3 refused, 4 not reached or not now, 5 the file cannot be written',
    )
    .action(async (options: FetchOptions) => {
      process.exitCode = await fetchOnce(options, (line) =>
        process.stderr.write(`kerbridge fetch: ${line}\n`),
      );
    });
}

async function fetchOnce(options: FetchOptions, say: (line: string) => void): Promise<number> {
  try {
    const ca = options.caFile === undefined ? undefined : await readCaFile(options.caFile);
    const reply = await requestCredentials({
      url: options.url,
      serviceAccountToken: await readServiceAccountToken(options.serviceAccountTokenFile),
      format: options.format,
      timeoutMs: options.timeout * 1000,
      ...(options.cluster === undefined ? {} : { cluster: options.cluster }),
      ...(options.kind === undefined ? {} : { kinds: options.kind }),
      ...(options.optional === undefined ? {} : { optionalKinds: options.optional }),
      ...(options.doAs === undefined ? {} : { doAs: options.doAs }),
      ...(ca === undefined ? {} : { ca }),
    });
    const request = reply.requestId === '' ? '' : ` (request ${reply.requestId})`;
    switch (reply.outcome) {
      case 'received':
        await writeTokenFile(options.output, reply.file.reveal());
        say(`${reply.tokenCount} delegation token(s) written to ${options.output}${request}`);
        return FETCH_EXIT.done;
      case 'refused':
        say(`refused: ${reply.status} ${reply.code}: ${reply.title}${request}`);
        return FETCH_EXIT.refused;
      case 'not-reached':
        say(`${reply.reason}${request}`);
        return FETCH_EXIT.notReached;
    }
  } catch (error) {
    if (error instanceof WriteTokenFileError) {
      say(error.message);
      return FETCH_EXIT.cannotWrite;
    }
    if (error instanceof ServiceAccountTokenFileError || error instanceof CaFileError) {
      say(error.message);
      return FETCH_EXIT.usage;
    }
    throw error;
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidArgumentError('want http(s)://host[:port]');
  }
  if (url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('no user or password in the URL');
  return url;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > 3600) {
    throw new InvalidArgumentError('want a number of seconds between 0 and 3600');
  }
  return seconds;
}
