import { describe, expect, it } from '@jest/globals';
import { CLIENTS } from './clients.ts';
import { credentials, parametersOf } from './fake-serve.ts';
import { FetchWorld } from './fetch-world.ts';

interface UsageRow {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The field that has to be mended. */
  readonly names: RegExp;
}

const URL_OPTION = '--url=http://127.0.0.1:1';
const OUTPUT = '--output=hadoop.token';
const BOTH = [URL_OPTION, OUTPUT];

const ROWS: readonly UsageRow[] = [
  { name: 'nothing', names: /--url|--output/ },
  { name: 'no URL', args: [OUTPUT], names: /--url.*KERBRIDGE_URL/ },
  { name: 'no output', args: [URL_OPTION], names: /--output.*HADOOP_TOKEN_FILE_LOCATION/ },
  { name: 'an empty output', args: [URL_OPTION, '--output='], names: /--output/ },
  { name: 'a URL without a scheme', args: [OUTPUT, '--url=kerbridge:8443'], names: /--url/ },
  { name: 'a URL of another scheme', args: [OUTPUT, '--url=file:///etc/passwd'], names: /--url/ },
  { name: 'a URL without a host', args: [OUTPUT, '--url=http://'], names: /--url/ },
  { name: 'a URL with a port that is none', args: [OUTPUT, '--url=http://h:99999'], names: /--url/ },
  {
    name: 'a URL with a password',
    args: [OUTPUT, '--url=http://u:pw-secret@h'],
    names: /--url.*no user|without a user/,
  },
  { name: 'a URL with a query', args: [OUTPUT, '--url=http://h?x=1'], names: /--url/ },
  { name: 'a URL with a fragment', args: [OUTPUT, '--url=http://h#x'], names: /--url/ },
  { name: 'an unknown option', args: [...BOTH, '--colour=red'], names: /unknown option.*--colour/ },
  { name: 'an argument', args: [...BOTH, 'more'], names: /argument/ },
  { name: 'an option without its value', args: [...BOTH, '--cluster'], names: /--cluster/ },
  { name: 'a flag with a value', args: [...BOTH, '--watch=no'], names: /--watch/ },
  ...['0', '3601', 'ten', '-1', '1.5', '1e2', ''].map((text) => ({
    name: `--timeout=${text}`,
    args: [...BOTH, `--timeout=${text}`],
    names: /--timeout/,
  })),
  ...['86401', 'never', '-1', ' 5'].map((text) => ({
    name: `--deadline=${text}`,
    args: [...BOTH, `--deadline=${text}`],
    names: /--deadline/,
  })),
  ...['0644', '600', '0777', 'rw'].map((text) => ({
    name: `--mode=${text}`,
    args: [...BOTH, `--mode=${text}`],
    names: /--mode/,
  })),
  ...['hadoop', '-1', '4294967295', '99999999999999999999'].map((text) => ({
    name: `--group=${text}`,
    args: [...BOTH, `--group=${text}`],
    names: /--group/,
  })),
  { name: 'a format', args: [...BOTH, '--format=json'], names: /--format/ },
  { name: 'a variable', args: BOTH, env: { KERBRIDGE_TIMEOUT: 'ten' }, names: /KERBRIDGE_TIMEOUT|--timeout/ },
  { name: 'two actions', args: [...BOTH, '--watch', '--healthy'], names: /--healthy/ },
  { name: 'two other actions', args: [...BOTH, '--watch', '--rejected'], names: /--rejected/ },
];

describe.each(CLIENTS)('$name', (client) => {
  it.concurrent.each(ROWS)('is not used right: $name', async ({ args = [], env = {}, names }) => {
    await using world = await FetchWorld.create(client);
    const process = await world.startBare([...args], { ...env });
    const exit = await process.end();
    expect({ exit, output: process.output }).toEqual({ exit: 2, output: expect.stringMatching(names) });
    expect(process.output).not.toContain('pw-secret');
    await world.expectClean();
  });

  it.concurrent('takes all of it from the environment', async () => {
    await using world = await FetchWorld.create(client);
    const server = await world.serve([credentials(world.new)]);
    const process = await world.startBare([], {
      KERBRIDGE_URL: server.url,
      HADOOP_TOKEN_FILE_LOCATION: world.output,
      KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE: world.tokenFile,
      KERBRIDGE_CLUSTER: 'prod',
      KERBRIDGE_KINDS: 'HDFS_DELEGATION_TOKEN,,kms-dt',
      KERBRIDGE_OPTIONAL_KINDS: 'RM_DELEGATION_TOKEN',
      KERBRIDGE_DO_AS: 'etl',
      KERBRIDGE_FORMAT: 'protobuf',
      KERBRIDGE_TIMEOUT: '30',
      KERBRIDGE_DEADLINE: '0',
      KERBRIDGE_MODE: '0640',
      // Empty is as good as not there.
      KERBRIDGE_GROUP: '',
      KERBRIDGE_CA_FILE: '',
      KERBRIDGE_COPIES: '',
    });
    await world.expectEnd(process, { exit: 0, file: 'new' });
    expect(parametersOf(server.fetches[0])).toEqual([
      ['cluster', 'prod'],
      ['doAs', 'etl'],
      ['format', 'protobuf'],
      ['kind', 'HDFS_DELEGATION_TOKEN'],
      ['kind', 'kms-dt'],
      ['optional', 'RM_DELEGATION_TOKEN'],
    ]);
  });

  it.concurrent('lets an option win over its variable', async () => {
    await using world = await FetchWorld.create(client);
    const server = await world.serve([credentials(world.new)]);
    const process = await world.start(server.url, ['--kind=a', '--cluster=b'], {
      KERBRIDGE_URL: 'http://127.0.0.1:1',
      HADOOP_TOKEN_FILE_LOCATION: '/nonexistent/x',
      KERBRIDGE_KINDS: 'c,d',
      KERBRIDGE_CLUSTER: 'e',
    });
    await world.expectEnd(process, { exit: 0, file: 'new' });
    expect(parametersOf(server.fetches[0]).filter(([name]) => name !== 'format')).toEqual([
      ['cluster', 'b'],
      ['kind', 'a'],
    ]);
  });

  it.concurrent('explains itself', async () => {
    await using world = await FetchWorld.create(client);
    const process = await world.startBare(['--help']);
    expect(await process.end()).toBe(0);
    for (const option of [
      ...[
        '--url',
        '--output',
        '--service-account-token-file',
        '--ca-file',
        '--cluster',
        '--kind',
        '--optional',
      ],
      ...['--do-as', '--format', '--timeout', '--deadline', '--mode', '--group', '--copy'],
      ...['--watch', '--healthy', '--rejected', '-o,'],
    ]) {
      expect(process.output).toContain(option);
    }
  });
});
