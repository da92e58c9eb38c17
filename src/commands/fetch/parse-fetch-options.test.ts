import { describe, expect, it } from '@jest/globals';
import { parseFetchOptions, type RawFetchOptions } from './parse-fetch-options.ts';

const NEEDED = { url: 'https://kerbridge:8443', output: '/out/token' };

const parse = (raw: RawFetchOptions, env: Record<string, string> = {}) => parseFetchOptions(raw, env);

const settings = (raw: RawFetchOptions, env: Record<string, string> = {}) => {
  const parsed = parse({ ...NEEDED, ...raw }, env);
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  if (parsed.action !== 'fetch') throw new Error('not to fetch');
  return parsed.settings;
};

describe('the options of fetch', () => {
  it.each<[string, RawFetchOptions, RegExp]>([
    ['no URL', { output: '/x' }, /^--url \(or KERBRIDGE_URL\) is missing: where kerbridge serve is/],
    ['no output', { url: 'http://h' }, /^--output \(or HADOOP_TOKEN_FILE_LOCATION\) is missing: the file/],
    [
      'an empty output',
      { url: 'http://h', output: '' },
      /^--output is empty: give it a value or leave it out/,
    ],
    ['no output for --healthy', { healthy: true }, /^--output .* is missing/],
    ['another scheme', { ...NEEDED, url: 'ftp://h' }, /^--url .*: want http\(s\):\/\/host/],
    ['no scheme', { ...NEEDED, url: 'localhost:8443' }, /^--url .*: want http/],
    ['a scheme without a host', { ...NEEDED, url: 'http://' }, /^--url .*: want http/],
    ['a password in the URL', { ...NEEDED, url: 'http://u:never-shown@h' }, /^--url .*: no user or password/],
    ['a query', { ...NEEDED, url: 'http://h/?x=1' }, /^--url .*: no query/],
    ['a format that is none', { ...NEEDED, format: 'v2' }, /^--format .*: want one of writable, protobuf$/],
    [
      'no time for a try',
      { ...NEEDED, timeout: '0' },
      /^--timeout .*: want a whole number of seconds, 1 to 3600/,
    ],
    ['too long a try', { ...NEEDED, timeout: '3601' }, /^--timeout/],
    ['half a second', { ...NEEDED, timeout: '0.5' }, /^--timeout/],
    ['a unit', { ...NEEDED, timeout: '5s' }, /^--timeout/],
    ['a hexadecimal time', { ...NEEDED, timeout: '0x10' }, /^--timeout/],
    [
      'a negative deadline',
      { ...NEEDED, deadline: '-1' },
      /^--deadline .*: want a whole number of seconds, 0 to/,
    ],
    ['too late a deadline', { ...NEEDED, deadline: '86401' }, /^--deadline/],
    [
      'a mode for everybody',
      { ...NEEDED, mode: '0644' },
      /^--mode .*: want one of 0600, 0640, 0660, 0400, 0440$/,
    ],
    ['a mode without its zero', { ...NEEDED, mode: '600' }, /^--mode/],
    ['a group by its name', { ...NEEDED, group: 'staff' }, /^--group .*: want a numeric group/],
    ['a group that means none', { ...NEEDED, group: '4294967295' }, /^--group/],
    ['an empty user', { ...NEEDED, doAs: '' }, /^--do-as is empty/],
    ['an empty kind', { ...NEEDED, kind: ['a', ''] }, /^--kind is empty/],
    ['two things to do', { ...NEEDED, watch: true, rejected: true }, /^--watch and --rejected: choose one$/],
    ['two more', { ...NEEDED, watch: true, healthy: true }, /^--watch and --healthy: choose one$/],
  ])('are refused for %s, with the fix', (_name, raw, problem) => {
    const parsed = parse(raw);
    if (parsed.ok) throw new Error('taken');
    expect(parsed.problems).toEqual([expect.stringMatching(problem)]);
    expect(parsed.problems.join()).not.toContain('never-shown');
  });

  it('name every problem at once, those of the environment too', () => {
    const parsed = parse(
      { timeout: 'x' },
      { KERBRIDGE_DEADLINE: 'y', KERBRIDGE_MODE: 'z', KERBRIDGE_GROUP: 'g', KERBRIDGE_FORMAT: 'f' },
    );
    if (parsed.ok) throw new Error('taken');
    expect(parsed.problems.map((problem) => problem.split(' ')[0])).toEqual(
      expect.arrayContaining([
        '--output',
        '--url',
        '--timeout',
        '--deadline',
        '--mode',
        '--group',
        '--format',
      ]),
    );
  });

  it('have these defaults', () => {
    expect(settings({})).toEqual({
      url: new URL('https://kerbridge:8443'),
      output: '/out/token',
      serviceAccountTokenFile: '/var/run/secrets/kerbridge/serviceaccount/token',
      kinds: [],
      optionalKinds: [],
      format: 'writable',
      timeoutMs: 150_000,
      deadlineMs: 300_000,
      mode: 0o600,
      copies: [],
      watch: false,
      rejected: false,
    });
  });

  const ENVIRONMENT = {
    KERBRIDGE_URL: 'http://env:1/prefix',
    HADOOP_TOKEN_FILE_LOCATION: '/env/token',
    KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE: '/env/sa',
    KERBRIDGE_CA_FILE: '/env/ca',
    KERBRIDGE_CLUSTER: 'env',
    KERBRIDGE_KINDS: 'HDFS_DELEGATION_TOKEN,WEBHDFS delegation',
    KERBRIDGE_OPTIONAL_KINDS: 'kms-dt,',
    KERBRIDGE_DO_AS: 'etl',
    KERBRIDGE_FORMAT: 'protobuf',
    KERBRIDGE_TIMEOUT: '3600',
    KERBRIDGE_DEADLINE: '0',
    KERBRIDGE_MODE: '0440',
    KERBRIDGE_GROUP: '4294967294',
    KERBRIDGE_COPIES: '/a:/b',
  };

  it.each([
    ['KERBRIDGE_KINDS', ' hdfs, yarn ,\t,WEBHDFS delegation\n', ['hdfs', 'yarn', 'WEBHDFS delegation']],
    ['KERBRIDGE_OPTIONAL_KINDS', ' , kms-dt ', ['kms-dt']],
    ['KERBRIDGE_COPIES', '/a : /b: ', ['/a', '/b']],
  ])('take the parts of %s without the blanks around them', (variable, value, parts) => {
    const { kinds, optionalKinds, copies } = settings({}, { [variable]: value });
    expect([...kinds, ...optionalKinds, ...copies]).toEqual(parts);
  });

  it.each<[string, RawFetchOptions, boolean]>([
    ['http', {}, false],
    ['*', { watch: true }, false],
    ['', {}, true],
    // A probe asks no server.
    ['http', { healthy: true }, true],
  ])('with NODE_DEBUG "%s", which prints the token, and %j: taken is %s', (value, raw, isTaken) => {
    const parsed = parse({ ...NEEDED, ...raw }, { NODE_DEBUG: value });
    expect(parsed.ok ? [] : parsed.problems).toEqual(
      isTaken ? [] : ['unset NODE_DEBUG: it would print the service-account token'],
    );
  });

  it('may all come from the environment', () => {
    const parsed = parse({}, ENVIRONMENT);
    expect(parsed).toEqual({
      ok: true,
      action: 'fetch',
      settings: {
        url: new URL('http://env:1/prefix'),
        output: '/env/token',
        serviceAccountTokenFile: '/env/sa',
        caFile: '/env/ca',
        cluster: 'env',
        kinds: ['HDFS_DELEGATION_TOKEN', 'WEBHDFS delegation'],
        optionalKinds: ['kms-dt'],
        doAs: 'etl',
        format: 'protobuf',
        timeoutMs: 3_600_000,
        deadlineMs: 0,
        mode: 0o440,
        group: 4_294_967_294,
        copies: ['/a', '/b'],
        watch: false,
        rejected: false,
      },
    });
  });

  it('win over the environment, and a wrong variable does no harm then', () => {
    const wrong = Object.fromEntries(Object.keys(ENVIRONMENT).map((name) => [name, 'wrong']));
    const given: Required<Omit<RawFetchOptions, 'watch' | 'healthy' | 'rejected'>> = {
      ...NEEDED,
      serviceAccountTokenFile: '/sa',
      caFile: '/ca',
      cluster: 'prod',
      kind: ['kms-dt'],
      optional: ['RM_DELEGATION_TOKEN'],
      doAs: 'bob',
      format: 'protobuf',
      timeout: '1',
      deadline: '86400',
      mode: '0660',
      group: '0',
      copy: ['/c:d'],
    };
    expect(settings(given, wrong)).toEqual({
      url: new URL(NEEDED.url),
      output: '/out/token',
      serviceAccountTokenFile: '/sa',
      caFile: '/ca',
      cluster: 'prod',
      kinds: ['kms-dt'],
      optionalKinds: ['RM_DELEGATION_TOKEN'],
      doAs: 'bob',
      format: 'protobuf',
      timeoutMs: 1000,
      deadlineMs: 86_400_000,
      mode: 0o660,
      group: 0,
      copies: ['/c:d'],
      watch: false,
      rejected: false,
    });
  });

  it('are as if a variable was not set when it is empty', () => {
    const empty = Object.fromEntries(Object.keys(ENVIRONMENT).map((name) => [name, '']));
    expect(settings({}, empty)).toEqual(settings({}));
  });

  it('write each file once', () => {
    expect(settings({ copy: ['/a', '/out/token', '/a'] }).copies).toEqual(['/a']);
  });

  it('need no more than the output for a probe', () => {
    expect(parse({ healthy: true }, { HADOOP_TOKEN_FILE_LOCATION: '/out', KERBRIDGE_MODE: 'wrong' })).toEqual(
      {
        ok: true,
        action: 'healthy',
        output: '/out',
      },
    );
  });
});
