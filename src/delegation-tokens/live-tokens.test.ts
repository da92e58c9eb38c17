import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeTokenService } from '../../test/fakes/fake-token-service.ts';
import { recordedToken, recordOf } from '../../test/fakes/recorded-token.ts';
import type { TokenSource } from './credentials.ts';
import { type LiveToken, noteExpiry, slotKey } from './live-token.ts';
import { LiveTokens } from './live-tokens.ts';
import type { RecordedToken, RecordId, TokenScope } from './token-record.ts';

const id: RecordId = { namespace: 'science', owner: 'alice' };
const scope: TokenScope = { type: 'namespace', namespace: 'science' };
const source: TokenSource = {
  cluster: 'prod',
  name: 'ns1',
  kind: 'HDFS_DELEGATION_TOKEN',
  renewer: 'kerbridge',
  services: ['ha-hdfs:ns1'],
  tokenService: new FakeTokenService({ clock: new FakeClock() }),
};
const token = (sequenceNumber: number, change: Partial<RecordedToken> = {}): RecordedToken =>
  recordedToken(id, { sequenceNumber, issuedAt: sequenceNumber, ...change });

let tokens: LiveTokens;
let added: number[];
let removed: number[];
let kept: number[];

beforeEach(() => {
  [added, removed, kept] = [[], [], []];
  const numberOf = (live: LiveToken): number => live.recorded.token.sequenceNumber;
  tokens = new LiveTokens({
    sources: [source],
    onAdded: (live) => added.push(numberOf(live)),
    onRemoved: (live) => removed.push(numberOf(live)),
    onKept: (live) => kept.push(numberOf(live)),
  });
});

const apply = (...recorded: RecordedToken[]): void => tokens.apply(id, recordOf(id, { tokens: recorded }));
const slot = (of: { readonly stampedUser?: string; readonly scope?: TokenScope } = {}) =>
  tokens.find(source, slotKey('alice', of.stampedUser ?? 'alice', of.scope ?? scope));
const current = (): number | undefined => slot()?.current?.recorded.token.sequenceNumber;

describe('the tokens of a record', () => {
  it('come and go with it', () => {
    const one = token(1);
    apply(one, token(2));
    expect([added, tokens.size, tokens.countIn('science')]).toEqual([[1, 2], 2, 2]);
    const [live] = tokens.withNumber(1);
    apply({ ...one, retiredAt: 5 });
    expect([removed, tokens.size, tokens.withNumber(2)]).toEqual([[2], 1, []]);
    expect([tokens.withNumber(1)[0] === live, live?.recorded.retiredAt, live?.gone]).toEqual([
      true,
      5,
      false,
    ]);
    tokens.apply(id, undefined);
    expect([removed, tokens.size, tokens.countIn('science'), slot(), live?.gone]).toEqual([
      [2, 1],
      0,
      0,
      undefined,
      true,
    ]);
  });

  it.each([
    ['the newest', [token(1), token(3), token(2)], 3],
    ['the newest that is not retired', [token(1), token(3, { retiredAt: 5 }), token(2)], 2],
    ['the newest without a tombstone', [token(1), token(3, { tombstonedAt: 5 })], 1],
    ['none where all are retired', [token(1, { retiredAt: 5 })], undefined],
  ])('of one slot are generations, of which the current is %s', (_, recorded, number) => {
    apply(...recorded);
    expect([current(), slot()?.generations.length]).toEqual([number, recorded.length]);
  });

  it('whose tombstone is taken away must be proven anew', () => {
    apply(token(1, { tombstonedAt: 5 }), token(2));
    const all = [...tokens.values()];
    for (const live of all) noteExpiry(live, 10n, 10);
    apply(token(1), token(2));
    expect(kept).toEqual([1]);
    expect(all.map(({ cached }) => cached === undefined)).toEqual([true, false]);
  });

  it.each<[string, Partial<RecordedToken>]>([
    ['cluster', { cluster: 'test' }],
    ['source', { source: 'ns2' }],
    ['kind', { kind: 'kms-dt' }],
    ['renewer', { renewer: 'yarn' }],
  ])('of another %s than any that is configured are nobody`s', (_, change) => {
    apply(token(1, change));
    expect([tokens.size, slot()]).toEqual([0, undefined]);
  });

  it.each<[string, { readonly stampedUser?: string; readonly scope?: TokenScope }]>([
    ['stamped user', { stampedUser: 'bob' }],
    ['pod', { scope: { type: 'pod', namespace: 'science', podUid: 'uid-1' } }],
    ['namespace', { scope: { type: 'namespace', namespace: 'other' } }],
    ['user', { scope: { type: 'user' } }],
  ])('are not found by those of another %s', (_, other) => {
    apply(token(1));
    expect(current()).toBe(1);
    expect(slot(other)).toBeUndefined();
  });

  it('of other records are left alone', () => {
    const other: RecordId = { namespace: 'other', owner: 'alice' };
    apply(token(1));
    tokens.apply(other, recordOf(other, { tokens: [recordedToken(other, { sequenceNumber: 1 })] }));
    expect([tokens.size, tokens.countIn('other'), tokens.withNumber(1).length]).toEqual([2, 1, 2]);
    tokens.apply(other, undefined);
    expect([current(), tokens.size, tokens.withNumber(1).length]).toEqual([1, 1, 1]);
  });

  it('are found by themselves in a record of many', () => {
    const many = Array.from({ length: 1_000 }, (_, n) =>
      token(n, { scope: { type: 'pod', namespace: 'science', podUid: `uid-${n}` } }),
    );
    apply(...many);
    const before = [...tokens.values()];
    apply(...many.slice(1));
    expect(removed).toEqual([0]);
    expect([...tokens.values()].every((live, n) => live === before[n + 1])).toBe(true);
  });
});
