import { describe, expect, it } from '@jest/globals';
import { matchesETag } from './etag.ts';

describe('matchesETag', () => {
  it.each([
    ['"a"', '"a"'],
    ['W/"a"', '"a"'],
    ['"a"', 'W/"a"'],
    ['W/"a"', 'W/"a"'],
    ['*', '"a"'],
    ['"b", W/"a" ,"c"', '"a"'],
  ])('%s names %s', (header, etag) => {
    expect(matchesETag(header, etag)).toBe(true);
  });

  it.each([
    [undefined, '"a"'],
    ['', '"a"'],
    ['"b"', '"a"'],
    ['a', '"a"'],
    ['"A"', '"a"'],
    ['"a', '"a"'],
    ['w/"a"', '"a"'],
    ['W/W/"a"', '"a"'],
    ['"*"', '"a"'],
    ['"a""b"', '"a"'],
  ])('%s does not name %s', (header, etag) => {
    expect(matchesETag(header, etag)).toBe(false);
  });
});
