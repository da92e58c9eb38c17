import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { claimOf, recordedToken, recordOf, revealed } from '../../test/fakes/recorded-token.ts';
import type { RecordId } from '../delegation-tokens/token-record.ts';
import { encodeTokenIdentifier } from '../hadoop/codec/token-identifier.ts';
import { decodeRecord, encodeRecord, nameOfRecord } from './record-format.ts';

const ID: RecordId = { namespace: 'team-a', owner: 'alice' };
const whole = recordOf(ID, {
  tokens: [recordedToken(ID, { retiredAt: 5 }), recordedToken(ID, { sequenceNumber: 2 })],
  claims: [claimOf(ID)],
});

type Json = Record<string, unknown>;
const parsed = (): Json & { tokens: Json[]; claims: Json[] } =>
  JSON.parse(encodeRecord(whole)) as Json & { tokens: Json[]; claims: Json[] };
const problemOf = (value: unknown): string => {
  const decoded = decodeRecord(typeof value === 'string' ? value : JSON.stringify(value));
  if (!('problem' in decoded)) throw new Error('it was read');
  return decoded.problem;
};

describe('the format of records', () => {
  it('gives back what was written', () => {
    const decoded = decodeRecord(encodeRecord(whole));
    if (!('record' in decoded)) throw new Error(decoded.problem);
    expect(revealed(decoded.record)).toEqual(revealed(whole));
  });

  it('is as it was when the first release wrote it', () => {
    const identifier = 'AAVhbGljZQlrZXJicmlkZ2UJa2VyYnJpZGdligGbdtqoAIoBm5rnLAAHAg==';
    const written = {
      version: 1,
      namespace: 'team-a',
      owner: 'alice',
      tokens: [
        {
          cluster: 'prod',
          source: 'ns1',
          kind: 'HDFS_DELEGATION_TOKEN',
          renewer: 'kerbridge',
          scope: { type: 'namespace', namespace: 'team-a' },
          stampedUser: 'alice',
          service: 'ha-hdfs:ns1',
          identifier,
          password: 'AQIDBAUGBwgJCgsMDQ4PEBESExQ=',
          issuedAt: 1767225600000,
          retiredAt: 1767225600001,
          tombstonedAt: 1767225600002,
        },
      ],
      claims: [
        {
          cluster: 'prod',
          source: 'ns1',
          kind: 'HDFS_DELEGATION_TOKEN',
          renewer: 'kerbridge',
          scope: { type: 'pod', namespace: 'team-a', podUid: 'uid-1' },
          stampedUser: 'carol',
          replica: 'kerbridge-0/1',
          claimedAt: 1767225600000,
        },
      ],
    };
    const decoded = decodeRecord(JSON.stringify(written));
    if (!('record' in decoded)) throw new Error(decoded.problem);
    expect(JSON.parse(encodeRecord(decoded.record))).toEqual(written);
    expect(decoded.record.tokens[0]?.token).toMatchObject({
      owner: 'alice',
      renewer: 'kerbridge',
      sequenceNumber: 7,
      maxDate: 1767830400000n,
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['no JSON', '{"version":1', /no JSON/],
    ['nothing', '', /no JSON/],
    ['null', null, /no version/],
    ['a list', [1], /no version/],
    ['no version', { ...parsed(), version: undefined }, /no version/],
    ['a version that is no number', { ...parsed(), version: '1' }, /no version/],
    ['the version after this', { ...parsed(), version: 2 }, /of version 2, and known is 1/],
    ['a later version of another form', { version: 9, sealed: 'x' }, /of version 9/],
    ['the version before this', { ...parsed(), version: 0 }, /of version 0/],
    ['a field that nobody knows', { ...parsed(), more: 1 }, /not of the form/],
    ['no owner', { ...parsed(), owner: undefined }, /not of the form/],
    ['an empty owner', { ...parsed(), owner: '' }, /not of the form/],
    ['an empty namespace', { ...parsed(), namespace: '' }, /not of the form/],
    ['no namespace, with tokens of one', { ...parsed(), namespace: undefined }, /another namespace/],
    ['no tokens', { ...parsed(), tokens: undefined }, /not of the form/],
    ['no claims', { ...parsed(), claims: undefined }, /not of the form/],
    ['another owner', { ...parsed(), owner: 'bob' }, /another owner/],
    ['another namespace', { ...parsed(), namespace: 'team-b' }, /another namespace/],
  ])('is not read with %s', (_, value, problem) => {
    expect(problemOf(value)).toMatch(problem);
  });

  it.each<[string, Json, RegExp]>([
    ['a field that nobody knows', { more: 1 }, /not of the form/],
    ['no password', { password: undefined }, /not of the form/],
    ['a password that is no base64', { password: 'AQI*' }, /not of the form/],
    ['a password with bits that no encoder writes', { password: 'AQJ=' }, /not of the form/],
    ['a password in base64url', { password: '-_8=' }, /not of the form/],
    ['an identifier that is cut', { identifier: 'AAVh' }, /cannot be read/],
    ['an empty identifier', { identifier: '' }, /cannot be read/],
    ['a kind that nobody knows', { kind: 'HBASE_AUTH_TOKEN' }, /cannot be read/],
    ['another renewer', { renewer: 'yarn' }, /another renewer/],
    ['a scope of another namespace', { scope: { type: 'namespace', namespace: 'b' } }, /another namespace/],
    ['a scope of all namespaces', { scope: { type: 'user' } }, /another namespace/],
    ['an unknown scope', { scope: { type: 'cluster' } }, /not of the form/],
    [
      'a scope with more in it',
      { scope: { type: 'namespace', namespace: 'team-a', x: 1 } },
      /not of the form/,
    ],
    ['a time that is no number', { issuedAt: '5' }, /not of the form/],
    ['a time before all', { retiredAt: -1 }, /not of the form/],
    ['half a millisecond', { tombstonedAt: 0.5 }, /not of the form/],
    ['a retirement that is null', { retiredAt: null }, /not of the form/],
    [
      "another's identifier",
      {
        identifier: Buffer.from(
          encodeTokenIdentifier(
            {
              owner: 'bob',
              renewer: 'kerbridge',
              realUser: '',
              issueDate: 1n,
              maxDate: 2n,
              sequenceNumber: 3,
              masterKeyId: 4,
            },
            'writable',
          ),
        ).toString('base64'),
      },
      /another owner/,
    ],
  ])('is not read with a token with %s, not even the others', (_, change, problem) => {
    const value = parsed();
    expect(problemOf({ ...value, tokens: [value.tokens[0], { ...value.tokens[1], ...change }] })).toMatch(
      problem,
    );
  });

  it('says nothing of the content', () => {
    const value = parsed();
    for (const text of [
      JSON.stringify({ ...value, version: 'SEKRIT' }),
      JSON.stringify({ ...value, SEKRIT: 1 }),
      JSON.stringify({ ...value, owner: 'SEKRIT' }),
      '{"SEKRIT',
    ]) {
      expect(problemOf(text)).not.toContain('SEKRIT');
    }
  });

  it('is of a size that lets a Secret hold a thousand', () => {
    const thousand = recordOf(ID, { tokens: Array.from({ length: 1_000 }, () => recordedToken(ID)) });
    expect(Buffer.byteLength(encodeRecord(thousand))).toBeLessThan(600_000);
  });
});

describe('nameOfRecord', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 6 });
  const ids = fc.record({ namespace: fc.option(text, { nil: undefined }), owner: text });

  it('is another for every other id, and a DNS label', () => {
    fc.assert(
      fc.property(ids, ids, (one, other) => {
        expect(nameOfRecord(one)).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
        const isSame = one.namespace === other.namespace && one.owner === other.owner;
        expect(nameOfRecord(one) === nameOfRecord(other)).toBe(isSame);
      }),
    );
  });

  it.each<[RecordId, RecordId]>([
    [
      { namespace: 'a', owner: 'bc' },
      { namespace: 'ab', owner: 'c' },
    ],
    [
      { namespace: undefined, owner: 'a' },
      { namespace: '', owner: 'a' },
    ],
    [
      { namespace: 'all-namespaces', owner: 'a' },
      { namespace: undefined, owner: 'a' },
    ],
  ])('tells %j from %j', (one, other) => {
    expect(nameOfRecord(one)).not.toBe(nameOfRecord(other));
  });

  it('never changes: another name would be another record', () => {
    expect(nameOfRecord({ namespace: 'team-a', owner: 'alice' })).toBe(
      'kerbridge-tokens-dfa28037f99eb5ce860d82c59602ed9a',
    );
    expect(nameOfRecord({ namespace: undefined, owner: 'alice' })).toBe(
      'kerbridge-tokens-26e1e8712209193a09c8e4f82006d350',
    );
  });
});
