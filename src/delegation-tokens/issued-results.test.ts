import { describe, expect, it } from '@jest/globals';
import { issued } from '../../test/fakes/api-world.ts';
import { earliest, IssuedResults, MAX_RESULTS } from './issued-results.ts';
import type { CachedToken } from './token-cache.ts';

const [held] = issued.tokens;
if (held === undefined) throw new Error('the fake has no token');

const tokenOf = (issuedAt = 0, reusePeriodMs = 10): CachedToken => ({ ...held, issuedAt, reusePeriodMs });

describe('IssuedResults', () => {
  it('is one object for the same tokens in the same order, and tells the earliest time', () => {
    const results = new IssuedResults();
    const [one, other] = [tokenOf(0, 10), tokenOf(5, 3)];
    const both = results.of('prod', [one, other]);
    expect(both).toMatchObject({
      outcome: 'issued',
      cluster: 'prod',
      missing: [],
      refresh: { since: 5, periodMs: 3 },
    });
    expect(results.of('prod', [one, other])).toBe(both);
    expect(results.of('prod', [one])).not.toBe(both);
    expect(results.of('prod', [other, one])).not.toBe(both);
    expect(results.of('prod', [{ ...one }, other])).not.toBe(both);
    expect(results.of('prod', [one, other])).toBe(both);
  });

  it('remembers a few of one token', () => {
    const results = new IssuedResults();
    const first = tokenOf();
    const alone = results.of('prod', [first]);
    for (let n = 0; n < 10; n += 1) results.of('prod', [first, tokenOf()]);
    expect(results.of('prod', [first])).not.toBe(alone);
  });

  it('forgets all past so many', () => {
    const results = new IssuedResults();
    const first = tokenOf();
    const known = results.of('prod', [first]);
    for (let n = 1; n < MAX_RESULTS; n += 1) results.of('prod', [tokenOf()]);
    expect(results.of('prod', [first])).toBe(known);
    results.of('prod', [tokenOf()]);
    expect(results.of('prod', [first])).not.toBe(known);
  });

  it('is made of one token at least', () => {
    expect(() => new IssuedResults().of('prod', [])).toThrow(RangeError);
    expect(earliest([])).toBeUndefined();
  });
});
