import { describe, expect, it } from '@jest/globals';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLIENTS } from './clients.ts';
import { CA_FILE, credentials, problem } from './fake-serve.ts';
import { expectRow, type FaultRow } from './fault-row.ts';

const SECOND_TRY = ['--deadline=30'];

/** Its own folder of certificates, for the client alone: a mount in a mount namespace. */
const systemTrusts = (...files: readonly string[]): readonly string[] => [
  '/usr/bin/unshare',
  process.getuid?.() === 0 ? '-m' : '-rm',
  '/bin/sh',
  '-c',
  [
    'own=$PATH; PATH=/usr/bin:/bin; mount -t tmpfs none /etc/ssl/certs || exit 99',
    ...files.map((file) => `cat '${file}' >>/etc/ssl/certs/ca-certificates.crt`),
    'openssl rehash /etc/ssl/certs; PATH=$own; exec "$0" "$@"',
  ].join('\n'),
];

const SYSTEM_TRUSTS_OUR_CA = systemTrusts(CA_FILE);

/** Whom the client trusts, and what it shows of itself. */
const ROWS: readonly FaultRow[] = [
  {
    name: 'TLS by --ca-file',
    server: { certificate: 'chain' },
    args: () => ['--ca-file', CA_FILE],
    exit: 0,
    file: 'new',
  },
  {
    name: 'TLS that is not trusted',
    server: { certificate: 'chain' },
    exit: 4,
    file: 'old',
    says: /the certificate of 127\.[\d.]+:\d+ is not trusted.*--ca-file/,
    after: (_world, { asked }) => expect(asked).toEqual([]),
  },
  {
    name: 'TLS of another authority',
    server: { certificate: 'expired' },
    args: () => ['--ca-file', CA_FILE],
    exit: 4,
    file: 'old',
    says: /is not trusted/,
    after: (_world, { asked }) => expect(asked).toEqual([]),
  },
  {
    name: 'TLS that the system trusts, but not --ca-file',
    server: { certificate: 'chain' },
    args: () => ['--ca-file', join(CA_FILE, '../expired.crt')],
    wrapper: SYSTEM_TRUSTS_OUR_CA,
    exit: 4,
    file: 'old',
    says: /is not trusted/,
    after: (_world, { asked }) => expect(asked).toEqual([]),
  },
  {
    name: 'TLS that the system trusts',
    server: { certificate: 'chain' },
    wrapper: SYSTEM_TRUSTS_OUR_CA,
    exit: 0,
    file: 'new',
  },
  {
    name: 'TLS where the system trusts nobody',
    server: { certificate: 'chain' },
    wrapper: systemTrusts(),
    exit: 4,
    file: 'old',
    says: /--ca-file/,
  },
  {
    name: 'TLS that has expired',
    server: { certificate: 'expired' },
    args: () => ['--ca-file', join(CA_FILE, '../expired.crt')],
    exit: 4,
    file: 'old',
    says: /is not trusted/,
  },
  {
    name: 'TLS of another name',
    server: { certificate: 'localhost' },
    args: () => ['--ca-file', CA_FILE],
    exit: 4,
    file: 'old',
    says: /is not trusted/,
    after: (_world, { asked }) => expect(asked).toEqual([]),
  },
  {
    name: 'TLS that the environment turns off',
    server: { certificate: 'chain' },
    env: () => ({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    exit: 4,
    file: 'old',
    says: /is not trusted/,
  },
  {
    name: 'plain HTTP where TLS is expected',
    given: async (_world, { url }) => url.replace('http:', 'https:'),
    exit: 4,
    file: 'old',
  },
  {
    name: 'a service-account token that is not there',
    given: async ({ tokenFile }) => await rm(tokenFile),
    args: () => SECOND_TRY,
    exit: 2,
    file: 'old',
    says: /service-account-token.*projected serviceAccountToken/,
  },
  {
    name: 'a service-account token that is none',
    given: async ({ tokenFile }) => await writeFile(tokenFile, 'hunter2-hunter2\n'),
    args: () => SECOND_TRY,
    exit: 2,
    file: 'old',
    after: (_world, { asked }, output) => {
      expect(output).not.toContain('hunter2');
      expect(asked).toEqual([]);
    },
  },
  {
    name: 'a service-account token with a header in it',
    given: async ({ tokenFile }) => await writeFile(tokenFile, 'aaa.bbb.ccc\r\nX-Evil: 1'),
    exit: 2,
    file: 'old',
    after: (_world, { asked }) => expect(asked).toEqual([]),
  },
  {
    name: 'a service-account token with blanks around it',
    given: async (world) => await writeFile(world.tokenFile, `\n ${await world.rotateToken()} \r\n`),
    exit: 0,
    file: 'new',
  },
  {
    name: 'a service-account token that goes and comes between tries',
    answers: (world) => [
      async (response, asked) => {
        await rm(world.tokenFile);
        await problem(503, 'overloaded')(response, asked);
      },
      credentials(world.new),
    ],
    args: () => SECOND_TRY,
    meanwhile: async (process, world) => {
      await process.says(/cannot read the service-account token/);
      await world.rotateToken();
    },
    exit: 0,
    file: 'new',
  },
  {
    name: 'a service-account token that is replaced between tries',
    answers: (world) => [
      async (response, asked) => {
        await world.rotateToken();
        await problem(503, 'overloaded')(response, asked);
      },
      credentials(world.new),
    ],
    args: () => SECOND_TRY,
    exit: 0,
    file: 'new',
    after: (_world, { fetches }) => {
      expect(fetches[0]?.headers.authorization).not.toBe(fetches[1]?.headers.authorization);
    },
  },
  {
    name: 'a CA file that is replaced between tries',
    server: { certificate: 'chain' },
    given: async (world) => await copyFile(join(CA_FILE, '../expired.crt'), join(world.folder, 'ca.crt')),
    args: (world) => [`--ca-file=${join(world.folder, 'ca.crt')}`, ...SECOND_TRY],
    meanwhile: async (process, world) => {
      await process.says(/is not trusted/);
      await copyFile(CA_FILE, join(world.folder, 'ca.crt'));
    },
    exit: 0,
    file: 'new',
  },
  {
    name: 'a CA file that is not there',
    args: () => ['--ca-file=/nonexistent/ca.crt', ...SECOND_TRY],
    exit: 2,
    file: 'old',
    says: /--ca-file \/nonexistent\/ca\.crt/,
  },
  {
    name: 'a CA file without a certificate',
    server: { certificate: 'chain' },
    args: (world) => [`--ca-file=${world.tokenFile}`, ...SECOND_TRY],
    exit: 2,
    file: 'old',
    says: /--ca-file/,
  },
];

describe.each(CLIENTS)('$name, with', (client) => {
  it.concurrent.each(ROWS)('$name', async (row) => {
    await expectRow(client, row);
  });
});
