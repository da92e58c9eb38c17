import { describe, expect, it } from '@jest/globals';
import { issued } from '../../test/fakes/api-world.ts';
import { FILE_TYPE, JSON_TYPE, MAX_PREPARED, PreparedCredentials } from './prepared-credentials.ts';

function setUp() {
  let encoded = 0;
  const prepared = new PreparedCredentials({
    encodeCredentials: () => {
      encoded += 1;
      return Buffer.from('file \xff', 'latin1');
    },
    etagKey: Buffer.of(1),
  });
  return { prepared, encoded: () => encoded };
}

const textOf = ({ start, end }: { start: string; end: string | undefined }) =>
  end === undefined ? start : `${start}2026-01-01T00:00:00.000Z${end}`;

describe('PreparedCredentials', () => {
  it('makes each body of a result once, and another for another owner, type or format', () => {
    const { prepared, encoded } = setUp();
    const of = prepared.of(issued);
    const body = of.body('alice', FILE_TYPE, 'writable');
    expect(prepared.of(issued).body('alice', FILE_TYPE, 'writable')).toBe(body);
    expect(encoded()).toBe(1);
    const others = [
      of.body('bob', FILE_TYPE, 'writable'),
      of.body('alice', JSON_TYPE, 'writable'),
      of.body('alice', FILE_TYPE, 'protobuf'),
    ];
    expect(new Set([body, ...others]).size).toBe(4);
    expect(of.body('bob', JSON_TYPE, 'writable').start).toContain('"owner":"bob"');
  });

  it('has one byte for each character, also of names that are not ASCII', () => {
    const { prepared } = setUp();
    const text = textOf(
      prepared.of({ ...issued, cluster: 'gro\u00df \u{1f600}' }).body('alice', JSON_TYPE, 'writable'),
    );
    expect(text).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(text)).toMatchObject({
      cluster: 'gro\u00df \u{1f600}',
      refreshAfter: '2026-01-01T00:00:00.000Z',
    });
  });

  it('forgets all past so many results, and makes them again', () => {
    const { prepared, encoded } = setUp();
    const first = prepared.of(issued);
    for (let n = 1; n < MAX_PREPARED; n += 1) prepared.of({ ...issued });
    expect(prepared.of(issued)).toBe(first);
    prepared.of({ ...issued });
    expect(prepared.of(issued)).not.toBe(first);
    expect(prepared.of(issued).body('alice', FILE_TYPE, 'writable')).toEqual(
      first.body('alice', FILE_TYPE, 'writable'),
    );
    expect(encoded()).toBe(2);
  });
});
