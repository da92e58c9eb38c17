import { describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLIENTS } from './clients.ts';
import {
  answer,
  credentials,
  halfThenEnd,
  halfThenSilence,
  parametersOf,
  problem,
  silence,
} from './fake-serve.ts';
import { expectRow, type FaultRow } from './fault-row.ts';
import { tokensFile } from './tokens-file.ts';

const OCTETS = { 'Content-Type': 'application/octet-stream' };
const SECOND_TRY = ['--deadline=30'];

/** What the server says, or doesn't, and what each client does: one try unless the row says otherwise. */
const ROWS: readonly FaultRow[] = [
  { name: 'the file', exit: 0, file: 'new', says: /1 delegation token\(s\) written to .*\(request r-17\)/ },
  {
    name: 'the file in protobuf',
    answers: (world) => {
      world.new = tokensFile({ format: 'protobuf' });
      return [credentials(world.new)];
    },
    args: () => ['--format=protobuf'],
    exit: 0,
    file: 'new',
    after: (_world, { fetches }) => expect(fetches[0]?.url).toBe('/v1/credentials?format=protobuf'),
  },
  {
    name: 'everything that can be asked for, at a prefix',
    given: async (_world, { url }) => `${url}/kerbridge/`,
    args: () => [
      ...[
        '--cluster',
        'prod',
        '--kind',
        'HDFS_DELEGATION_TOKEN',
        '--kind=kms-dt',
        '--optional',
        'RM_DELEGATION_TOKEN',
      ],
      ...['--do-as', 'etl & co=1', '--format', 'writable'],
    ],
    exit: 0,
    file: 'new',
    after: (_world, { fetches }) => {
      expect(fetches[0]?.url).toMatch(/^\/kerbridge\/v1\/credentials\?/);
      expect(parametersOf(fetches[0])).toEqual([
        ['cluster', 'prod'],
        ['doAs', 'etl & co=1'],
        ['format', 'writable'],
        ['kind', 'HDFS_DELEGATION_TOKEN'],
        ['kind', 'kms-dt'],
        ['optional', 'RM_DELEGATION_TOKEN'],
      ]);
      expect(fetches[0]?.headers).toMatchObject({ accept: 'application/octet-stream' });
    },
  },
  {
    name: '400',
    answers: () => [problem(400, 'invalid-request')],
    exit: 3,
    file: 'old',
    says: /400 invalid-request/,
  },
  {
    name: '401',
    answers: () => [problem(401, 'not-authenticated')],
    args: () => SECOND_TRY,
    exit: 3,
    file: 'old',
    says: /401 not-authenticated: title of not-authenticated.*\(request r-17\)/,
    after: (_world, { asked }) => expect(asked).toHaveLength(1),
  },
  {
    name: '401, and kubelet has put another token there meanwhile',
    env: () => ({ refused_token: 'x' }),
    answers: (world) => [
      async (response, asked) => {
        await world.rotateToken();
        await problem(401, 'not-authenticated')(response, asked);
      },
      credentials(world.new),
    ],
    exit: 0,
    file: 'new',
    after: (_world, { fetches }) => {
      const [first, second] = fetches.map(({ headers }) => headers.authorization);
      expect(fetches).toHaveLength(2);
      expect(second).toMatch(/^Bearer [\w.-]+$/);
      expect(second).not.toBe(first);
    },
  },
  {
    name: '403',
    answers: () => [problem(403, 'not-allowed')],
    exit: 3,
    file: 'old',
    says: /403 not-allowed/,
  },
  {
    name: '404 of Kerbridge',
    answers: () => [problem(404, 'unknown-cluster')],
    exit: 3,
    file: 'old',
    says: /404/,
  },
  {
    name: '404 of something else',
    answers: () => [answer(404, { 'Content-Type': 'text/html' }, '<html>no such page</html>')],
    exit: 4,
    file: 'old',
    says: /HTTP 404 with content type text\/html: not an answer of Kerbridge/,
  },
  {
    name: '408',
    answers: () => [problem(408, 'request-timeout')],
    exit: 4,
    file: 'old',
    says: /408 request-timeout/,
  },
  {
    name: '429 with Retry-After, then the file',
    answers: (world) => [problem(429, 'too-many-requests', { 'Retry-After': '2' }), credentials(world.new)],
    args: () => SECOND_TRY,
    exit: 0,
    file: 'new',
    says: /429 too-many-requests: .*\(request r-17\).*next try in 2(\.0+)? s/,
  },
  { name: '500', answers: () => [problem(500, 'internal')], exit: 4, file: 'old', says: /500 internal/ },
  {
    name: '502, then the file',
    answers: (world) => [problem(502, 'hadoop-denied'), credentials(world.new)],
    args: () => SECOND_TRY,
    exit: 0,
    file: 'new',
    says: /502 hadoop-denied/,
  },
  {
    name: '503 with a Retry-After past the deadline',
    answers: () => [problem(503, 'hadoop-unavailable', { 'Retry-After': '60' })],
    args: () => SECOND_TRY,
    exit: 4,
    file: 'old',
    says: /503 hadoop-unavailable/,
    after: (_world, { asked }) => expect(asked).toHaveLength(1),
  },
  {
    name: '503 of a proxy on the way, then the file',
    answers: (world) => [
      answer(503, { 'Content-Type': 'text/plain' }, 'no upstream'),
      credentials(world.new),
    ],
    args: () => SECOND_TRY,
    exit: 0,
    file: 'new',
  },
  {
    name: 'a Retry-After that is a date, an overflow or a command is none',
    answers: (world) => [
      problem(503, 'a', { 'Retry-After': 'Wed, 21 Oct 2065 07:28:00 GMT' }),
      problem(503, 'b', { 'Retry-After': '-5' }),
      problem(503, 'c', { 'Retry-After': '$(touch pwned)' }),
      credentials(world.new, {
        'Kerbridge-Refresh-After': '1; touch pwned',
        'Kerbridge-Valid-For': '`touch pwned`',
      }),
    ],
    args: () => SECOND_TRY,
    exit: 0,
    file: 'new',
    after: async (world) => expect(await world.read(join(world.folder, 'pwned'))).toBeUndefined(),
  },
  {
    name: 'nobody there',
    given: async (_world, server) => await server.stop(),
    exit: 4,
    file: 'old',
    says: /cannot reach 127\.[\d.]+:\d+/,
  },
  {
    name: 'nobody there at first',
    given: async (_world, server) => await server.stop(),
    args: () => SECOND_TRY,
    meanwhile: async (process, world, server) => {
      await process.says(/next try in [\d.]+ s/);
      await world.serve([credentials(world.new)], { at: server });
    },
    exit: 0,
    file: 'new',
    says: /cannot reach 127\.[\d.]+:\d+/,
  },
  {
    name: 'an answer that takes longer than --timeout',
    answers: () => [silence],
    args: () => ['--timeout=1'],
    exit: 4,
    file: 'old',
    says: /no answer from 127\.[\d.]+:\d+ within 1 s/,
  },
  {
    name: 'a body that takes longer than --timeout, then the file',
    answers: (world) => [halfThenSilence(world.new), credentials(world.new)],
    args: () => ['--timeout=1', ...SECOND_TRY],
    exit: 0,
    file: 'new',
    says: /within 1 s/,
  },
  {
    name: 'a try that would last beyond the deadline',
    answers: () => [silence],
    args: () => ['--timeout=600', '--deadline=1'],
    exit: 4,
    file: 'old',
  },
  {
    name: 'half of the announced length',
    answers: (world) => [halfThenEnd(world.new, 'content-length')],
    exit: 4,
    file: 'old',
    says: /broke off/,
  },
  {
    name: 'chunks without their end',
    answers: (world) => [halfThenEnd(world.new, 'chunked')],
    exit: 4,
    file: 'old',
    says: /broke off/,
  },
  {
    name: 'half of the file as if it were all',
    answers: (world) => [credentials(world.new.subarray(0, world.new.length / 2))],
    exit: 4,
    file: 'old',
    says: /not a credentials file/,
  },
  {
    name: 'more than the file',
    answers: (world) => [credentials(Buffer.concat([world.new, Buffer.of(0)]))],
    exit: 4,
    file: 'old',
    says: /not a credentials file/,
  },
  {
    name: 'another content type',
    answers: (world) => [credentials(world.new, { 'Content-Type': 'application/json' })],
    exit: 4,
    file: 'old',
    says: /content type application\/json: not an answer of Kerbridge/,
  },
  {
    name: 'no content type',
    answers: (world) => [(response) => void response.writeHead(200).end(world.new)],
    exit: 4,
    file: 'old',
    says: /content type none/,
  },
  {
    name: 'a file without tokens',
    answers: () => [credentials(tokensFile({ sequenceNumbers: [] }))],
    exit: 4,
    file: 'old',
    says: /no delegation token in the answer/,
  },
  {
    name: 'a file without tokens in protobuf',
    answers: () => [credentials(tokensFile({ sequenceNumbers: [], format: 'protobuf' }))],
    exit: 4,
    file: 'old',
    says: /no delegation token in the answer/,
  },
  {
    name: 'nothing',
    answers: () => [answer(200, OCTETS)],
    exit: 4,
    file: 'old',
    says: /not a credentials file/,
  },
  {
    name: 'garbage',
    answers: () => [credentials(Buffer.from('<html>this is the login page of a proxy</html>'))],
    exit: 4,
    file: 'old',
    says: /not a credentials file/,
  },
  {
    name: 'garbage after the right beginning',
    answers: () => [credentials(Buffer.concat([Buffer.from('HDTS\0\x01'), Buffer.alloc(300, 0xff)]))],
    exit: 4,
    file: 'old',
    says: /not a credentials file/,
  },
  {
    name: 'a format of the future',
    answers: () => [credentials(Buffer.from('HDTS\x02\x01\x01\x01'))],
    exit: 4,
    file: 'old',
    says: /not a credentials file/,
  },
  {
    name: 'a body without end',
    answers: () => [
      (response) => {
        response.writeHead(200, OCTETS);
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
        };
        response.on('drain', more).on('error', () => undefined);
        more();
      },
    ],
    args: () => ['--timeout=20'],
    exit: 4,
    file: 'old',
    says: /more than|larger than/,
  },
  {
    name: 'a body announced as huge',
    answers: () => [
      (response) => {
        response.writeHead(200, { ...OCTETS, 'Content-Length': '5000000000' });
        response.write('HDTS');
      },
    ],
    args: () => ['--timeout=20'],
    exit: 4,
    file: 'old',
  },
  {
    name: '304 that nobody asked for',
    answers: () => [answer(304, { ETag: '"x"' })],
    exit: 4,
    file: 'old',
  },
  {
    name: 'a redirect: the token must not get to the other server',
    answers: (world) => [
      async (response, asked) => {
        const other = await world.serve([credentials(world.new)]);
        world.onCleanUp(async () => expect(other.asked).toEqual([]));
        await answer(307, { Location: `${other.url}/v1/credentials` })(response, asked);
      },
    ],
    exit: 4,
    file: 'old',
    says: /HTTP 307/,
  },
  {
    name: 'proxies and settings of the environment',
    env: (world) => ({
      HOME: world.folder,
      http_proxy: 'http://127.0.0.1:1',
      HTTPS_PROXY: 'http://127.0.0.1:1',
      ALL_PROXY: 'socks5://127.0.0.1:1',
      // What a client might use as names of its own must not be handed on.
      service_account_token: 'x',
      text: 'x',
      SHELLOPTS: 'allexport:xtrace',
    }),
    given: async (world) => await writeFile(join(world.folder, '.curlrc'), 'request = "DELETE"\nfail\n'),
    exit: 0,
    file: 'new',
    after: (_world, { asked }) => expect(asked.map(({ method }) => method)).toEqual(['GET']),
  },
  {
    name: 'a server that says the token back, with control characters',
    answers: () => [
      (response, { headers }) => {
        const token = headers.authorization ?? '';
        response.writeHead(403, {
          'Content-Type': 'application/problem+json',
          'X-Request-Id': `r${token.slice(7)}`,
        });
        response.end(JSON.stringify({ code: token, title: `a\u001b[31m\u0007\n${token} b` }));
      },
    ],
    exit: 3,
    file: 'old',
    after: (_world, _server, output) => {
      // eslint-disable-next-line no-control-regex -- that is the point
      expect(output.replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f]/);
      expect(output.split('\n').filter((line) => line !== '')).toHaveLength(1);
    },
  },
  {
    name: 'a server that says back a token of short parts, which could be words',
    given: async (world) => await world.putToken('a1b2c3d4.e5f6a7b8.c9d0e1f2'),
    answers: () => [
      async (response, asked) =>
        await problem(403, `not ${asked.headers.authorization}`.slice(0, 60))(response, asked),
    ],
    exit: 3,
    file: 'old',
  },
  {
    name: 'a server that says back a part of the token',
    answers: () => [
      async (response, asked) =>
        await problem(403, `not ${asked.headers.authorization?.split('.')[2]}`)(response, asked),
    ],
    exit: 3,
    file: 'old',
  },
  {
    name: 'a server that says the token back in a content type',
    answers: () => [
      (response, { headers }) => {
        response.writeHead(200, { 'Content-Type': (headers.authorization ?? '').slice(7) }).end();
      },
    ],
    exit: 4,
    file: 'old',
  },
];

describe.each(CLIENTS)('$name is answered with', (client) => {
  it.concurrent.each(ROWS)('$name', async (row) => {
    await expectRow(client, row);
  });
});
