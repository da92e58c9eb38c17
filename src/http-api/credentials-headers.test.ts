import { describe, expect, it } from '@jest/globals';
import { issued } from '../../test/fakes/api-world.ts';
import { credentialsHeaders } from './credentials-headers.ts';
import { PreparedCredentials } from './prepared-credentials.ts';

const NOW = 1_767_225_600_000;
const NEVER = 9_223_372_036_854_775_807n;
const [held] = issued.tokens;
if (held === undefined) throw new Error('the fake has no token');

const tokens = (...changes: readonly { maxDate?: bigint; sequenceNumber?: number }[]) =>
  changes.map((change) => ({ ...held, token: { ...held.token, ...change } }));

const prepared = new PreparedCredentials({ encodeCredentials: () => Buffer.of(1), etagKey: Buffer.of(2) });

function headersOf(change: Partial<typeof issued>, refreshAfter = NOW): Record<string, string> {
  const flat = credentialsHeaders(prepared.of({ ...issued, ...change }), { now: NOW, refreshAfter });
  const entries = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? '']] : []));
  return Object.fromEntries(entries) as Record<string, string>;
}

describe('credentialsHeaders', () => {
  it.each([
    [NOW + 86_400_000, '86400'],
    [NOW + 1500, '2'],
    [NOW + 1000.5, '2'],
    [NOW + 1, '1'],
    [NOW, '1'],
    [NOW - 60_000, '1'],
  ])('for refreshAfter %d says %s', (refreshAfter, seconds) => {
    expect(headersOf({}, refreshAfter)).toMatchObject({
      'Kerbridge-Refresh-After': seconds,
    });
  });

  it.each([
    ['one', tokens({ maxDate: BigInt(NOW + 604_800_000) }), '604800'],
    ['the first of several', tokens({ maxDate: BigInt(NOW + 9000) }, { maxDate: BigInt(NOW + 5000) }), '5'],
    ['"never" beside a date', tokens({ maxDate: NEVER }, { maxDate: BigInt(NOW + 5000) }), '5'],
    ['a second begun', tokens({ maxDate: BigInt(NOW + 1999) }), '1'],
    ['a date past', tokens({ maxDate: BigInt(NOW - 5000) }), '0'],
  ])('of maxDates that are %s says %s', (_name, held_, seconds) => {
    expect(headersOf({ tokens: held_ })['Kerbridge-Valid-For']).toBe(seconds);
  });

  it.each([
    ['Long.MAX', NEVER],
    ['past the year 9999', 253_402_300_800_000n],
  ])('has no end for a maxDate that is %s', (_name, maxDate) => {
    expect(headersOf({ tokens: tokens({ maxDate }) })).not.toHaveProperty('Kerbridge-Valid-For');
  });

  it('has each sequence number once', () => {
    const three = tokens({ sequenceNumber: 12 }, { sequenceNumber: -7 }, { sequenceNumber: 12 });
    expect(headersOf({ tokens: three })).toMatchObject({
      'Kerbridge-Sequence-Numbers': '12,-7',
    });
  });
});
