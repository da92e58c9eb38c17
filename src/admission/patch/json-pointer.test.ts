import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { formatPointer, parsePointer, showPointer } from './json-pointer.ts';

describe('parsePointer', () => {
  it.each(['a', 'a/b', '~', '/~', '/~2', '/a~', '/~01~', '#/a'])('refuses %j', (text) => {
    expect(parsePointer(text)).toBeUndefined();
  });

  it.each([
    ['', []],
    ['/', ['']],
    ['/a//b', ['a', '', 'b']],
    ['/~01', ['~1']],
    ['/kerbridge.dev~1stamp/~0~1', ['kerbridge.dev/stamp', '~/']],
  ])('reads %j', (text, path) => {
    expect(parsePointer(text)).toEqual(path);
  });

  it('reads what formatPointer writes', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('~', '/', '0', '1', 'a') })), (path) => {
        expect(parsePointer(formatPointer(path))).toEqual(path);
      }),
    );
  });
});

describe('showPointer', () => {
  it('has a word for the root, and no control characters', () => {
    expect(showPointer([])).toBe('the object');
    expect(showPointer(['a/b', 'c\n"'])).toBe(String.raw`/a~1b/c\n\"`);
  });
});
