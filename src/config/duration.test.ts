import { describe, expect, it } from '@jest/globals';
import { MAX_DURATION_MS, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['20s', 20_000],
    ['5m', 300_000],
    ['10h', 36_000_000],
    ['7d', 604_800_000],
    [`${MAX_DURATION_MS}ms`, MAX_DURATION_MS],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    '20',
    's',
    '0s',
    '-5s',
    '+5s',
    '05s',
    '1.5h',
    '5 s',
    ' 5s',
    '5s\n',
    '5S',
    '5y',
    '1h30m',
    '25d',
    '1e3s',
    '٣s',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
