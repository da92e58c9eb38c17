import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createGlobTable } from './glob-table.ts';

describe('createGlobTable', () => {
  it.each([
    ['b', ['a', 'aa', 'a*']],
    ['A', ['a', 'a*']],
    ['', ['a', 'a*']],
    ['constructor', ['a']],
    ['__proto__', ['a', '_']],
    ['a.b', ['a?b', 'a[.]b', 'axb']],
  ])('has nothing for %j among %j', (name, globs) => {
    expect(createGlobTable(globs.map((glob) => [glob, glob]))(name)).toBeUndefined();
  });

  it.each([
    ['ab', ['ab', 'a*'], 0],
    ['ab', ['a*', 'ab'], 0],
    ['ab', ['b*', '*b', 'ab', 'a*'], 1],
    ['ab', ['b*', 'ab', '*b'], 1],
    ['ab', ['x', 'ab', 'ab'], 1],
    ['', ['a', '*'], 1],
    ['__proto__', ['a', '__proto__'], 1],
    ['constructor', ['constructor'], 0],
  ])('has for %j among %j the first that matches: number %d', (name, globs, first) => {
    expect(createGlobTable(globs.map((glob, index) => [glob, index]))(name)).toBe(first);
  });

  it('agrees with trying them one by one', () => {
    const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 4 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 });
    const matches = (pattern: string, text: string): boolean =>
      new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text);
    fc.assert(
      fc.property(fc.array(glob, { maxLength: 8 }), name, (globs, text) => {
        const table = createGlobTable(globs.map((pattern, index) => [pattern, index]));
        const first = globs.findIndex((pattern) => matches(pattern, text));
        expect(table(text)).toBe(first === -1 ? undefined : first);
      }),
      { numRuns: 500 },
    );
  });
});
