import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import {
  AUDIT_FIELDS,
  type AuditRecord,
  formatAuditEntry,
  formatAuditLine,
  MAX_LINE_BYTES,
} from './audit-record.ts';
import { CommonFields } from './plain-json.ts';

const page = async () => readFile(new URL('../../docs/audit.md', import.meta.url), 'utf8');

const record: AuditRecord = {
  audit: 1,
  time: '2026-01-01T00:00:00.000Z',
  replica: 'kerbridge-0',
  decision: 'allowed',
  requestId: 'request-1',
  route: '/v1/credentials',
  method: 'GET',
  status: 200,
  code: 'ok',
  reason: 'why',
  detail: 'what',
  dependency: 'hadoop',
  sourceAddress: '10.0.0.1',
  operator: 'system:serviceaccount:kerbridge:operator',
  pod: { namespace: 'team-a', name: 'p', uid: 'fa758c46-8327-4c05-aa40-27d3d4959873', serviceAccount: 's' },
  review: {
    operation: 'CREATE',
    resource: 'pods/binding',
    namespace: 'team-a',
    name: 'p',
    requester: 'system:serviceaccount:team-a:runner',
    dryRun: true,
  },
  user: 'alice',
  requester: 'system:serviceaccount:kube-system:job-controller',
  doAs: 'etl',
  cluster: 'default',
  kinds: ['HDFS_DELEGATION_TOKEN'],
  sequenceNumbers: [1, -2],
  exception: 'AuthorizationException',
  endpoint: 'https://nn1.example.com:9871',
  requests: 1,
};

const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJlLWh1bnRlcjI';

describe('docs/audit.md', () => {
  it('has every field, in order, with what it means', async () => {
    const [, table = ''] = /<!-- fields -->([^]*)<!-- \/fields -->/.exec(await page()) ?? [];
    const rows = [...table.matchAll(/^\| `(\w+)` +\| (always|if known) +\| (.*?) +\|$/gm)].map((row) =>
      row.slice(1, 4),
    );
    expect(rows).toEqual(
      Object.entries(AUDIT_FIELDS).map(([name, { presence, meaning }]) => [name, presence, meaning]),
    );
  });

  it('has an example of each decision, as the program would write it', async () => {
    const examples = (await page()).split('\n').filter((line) => line.startsWith('{"audit"'));
    const records = examples.map((line) => JSON.parse(line) as AuditRecord);
    expect(records.map((each) => formatAuditLine(each).trimEnd())).toEqual(examples);
    expect(records.map(({ decision }) => decision)).toEqual([
      'allowed',
      'refused',
      'limited',
      'could-not-check',
      'malformed',
      'failed',
      'limited',
      'self-test',
    ]);
  });
});

describe('an audit line', () => {
  it('has all that is known, and redacts none of it', () => {
    const line = formatAuditLine(record);
    expect(JSON.parse(line)).toEqual(record);
    expect(Object.keys(JSON.parse(line) as object)).toEqual(Object.keys(AUDIT_FIELDS));
  });

  it('has the fields of the schema and no other', () => {
    const more = { ...record, credentials: 'hunter2', authorization: 'hunter2', note: 'hunter2' };
    expect(formatAuditLine(more)).toBe(formatAuditLine(record));
  });

  it.each(['Svc_DataPlatform_Prod_Ingest_Orders_Daily_1', 'eyJabcde.x', `A1${'a'.repeat(60)}`])(
    'names the user %s, who only looks like a secret',
    (user) => {
      expect(JSON.parse(formatAuditLine({ ...record, user }))).toMatchObject({ user });
    },
  );

  it('names whoever asked and what for, though it looks like a secret', () => {
    const review = {
      operation: 'UPDATE',
      resource: 'pods',
      name: `A1${'a'.repeat(60)}`,
      requester: 'eyJabcde.x@EXAMPLE.COM',
    };
    expect(JSON.parse(formatAuditLine({ ...record, review }))).toMatchObject({ review });
  });

  it('does not hold a requester who is no name', () => {
    const review = { operation: 'UPDATE', resource: 'pods', requester: `Bearer ${JWT}` };
    expect(formatAuditLine({ ...record, review })).not.toContain(JWT.slice(0, 30));
  });

  it.each<[string, Partial<AuditRecord>, string]>([
    ['a JWT', { detail: `got ${JWT}` }, JWT.slice(0, 30)],
    ['a JWT as a user', { doAs: JWT }, JWT.slice(-20)],
    ['a JWT as a kind', { kinds: [JWT] }, JWT.slice(-20)],
    ['a Bearer header', { detail: 'Bearer hunter2hunter2' }, 'hunter2'],
    ['a cookie', { reason: 'hadoop.auth="u=hunter2"' }, 'hunter2'],
    ['a JWT at the end of a long text', { detail: `${'x '.repeat(250)}${JWT}` }, JWT.slice(0, 6)],
  ])('does not hold %s', (_name, change, secret) => {
    expect(formatAuditLine({ ...record, ...change })).not.toContain(secret);
  });

  it.each<[string, Partial<AuditRecord>]>([
    ['a long text', { detail: 'x'.repeat(100_000) }],
    ['much to escape', { detail: '"\\\n\u202e\u0000'.repeat(5_000), user: '"'.repeat(5_000) }],
    ['long lists', { kinds: Array.from({ length: 1_000 }, () => 'k'.repeat(300)) }],
    [
      'everything too long',
      Object.fromEntries(Object.keys(record).map((name) => [name, '\u202e"\\'.repeat(500)])),
    ],
    [
      'many numbers',
      { sequenceNumbers: Array.from({ length: 10_000 }, () => -2_147_483_648), kinds: ['k'.repeat(512)] },
    ],
  ])('of %s is one line of printable ASCII, and not too long', (_name, change) => {
    const line = formatAuditLine({ ...record, ...change });
    expect(line).toMatch(/^[\x20-\x7e]+\n$/);
    expect(line.length).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(Object.keys(JSON.parse(line) as object)).toEqual(Object.keys(AUDIT_FIELDS));
  });
});

describe('an audit line of fields that are common to many', () => {
  const { audit: _audit, time, replica, ...entry } = record;
  const {
    exception: _none,
    endpoint: _nowhere,
    requests: _one,
    operator: _nobody,
    review: _admission,
    ...allowed
  } = entry;

  it.each<[string, Partial<AuditRecord>]>([
    ['as they are', {}],
    ['that look like a secret', { user: 'eyJabcde.x', doAs: JWT, kinds: [JWT] }],
    [
      'that are too long',
      { doAs: 'd'.repeat(5_000), kinds: Array.from({ length: 40 }, () => 'k'.repeat(200)) },
    ],
    ['that are not known', { user: undefined, doAs: undefined, cluster: undefined }],
  ])('is the same as with all fields in the entry: %s', (_name, change) => {
    const { sourceAddress, pod, user, requester, doAs, cluster, kinds, sequenceNumbers, ...own } = {
      ...allowed,
      ...change,
    };
    const common = new CommonFields({
      sourceAddress,
      pod,
      user,
      requester,
      doAs,
      cluster,
      kinds,
      sequenceNumbers,
    });
    expect(formatAuditEntry(own, time, replica, common)).toBe(
      formatAuditLine({ ...allowed, ...change, audit: 1, time, replica }),
    );
  });
});
