import { describe, expect, it } from '@jest/globals';
import { parseDurationMs } from './duration.ts';

describe('parseDurationMs', () => {
  it.each([
    ['500ms', 500],
    ['20s', 20_000],
    ['10m', 600_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ])('reads %s', (text, wanted) => {
    expect(parseDurationMs(text)).toBe(wanted);
  });

  it.each([
    '',
    '20',
    's',
    '0s',
    '-1s',
    '1.5h',
    '1h30m',
    ' 1s',
    '1s ',
    '1S',
    '1w',
    '9999999999s',
    '1constructor',
  ])('refuses %j and says what it wants', (text) => {
    expect(() => parseDurationMs(text)).toThrow(/not a duration: .*as in 20s/);
  });
});
