import { describe, expect, it } from '@jest/globals';
import { array, assert, constantFrom, property, string } from 'fast-check';
import { compileNameGlob } from './name-glob.ts';

const match = (glob: string, name: string) => compileNameGlob(glob)(name);

describe('a glob for names', () => {
  it.each([
    ['alice', 'Alice'],
    ['alice', 'alice '],
    ['', 'a'],
    ['*', ''],
    ['*@example.com', '@example.com'],
    ['*@example.com', 'alice@example.com.evil.org'],
    ['*@example.com', 'alice@exampleXcom'],
    ['*@example.com', 'alice@EXAMPLE.COM'],
    ['oidc:*', 'oidc:'],
    ['oidc:*', 'x-oidc:alice'],
    ['a*a', 'aa'],
    ['a*a', 'a'],
    ['*-*', '-'],
    ['*-*', 'a-'],
    ['*-*', '-a'],
    ['*ab*ab*', '1ab2ab'],
    ['*ab*ab*', '1abab2'],
    ['a.c', 'abc'],
    ['[ab]', 'a'],
  ])('%j does not fit %j', (glob, name) => {
    expect(match(glob, name)).toBeUndefined();
  });

  it.each<[string, string, string[]]>([
    ['alice', 'alice', []],
    ['*', 'a', ['a']],
    ['*@example.com', 'alice@example.com', ['alice']],
    ['*@example.com', 'a@example.com@example.com', ['a@example.com']],
    ['CORP\\*', 'CORP\\alice', ['alice']],
    ['*/*@R', 'alice/admin@R', ['alice', 'admin']],
    ['x*y', 'x\ny', ['\n']],
    ['*__proto__*', '1__proto__2', ['1', '2']],
  ])('%j fits %j, with %j', (glob, name, captures) => {
    expect(match(glob, name)).toEqual({ captures, isAmbiguous: false });
  });

  it.each([
    ['*@*', 'a@b@c'],
    ['*-*-*', 'a-b-c-d'],
    ['*aa*', 'baaab'],
    ['*@*.com', 'hdfs@x.com@evil.com'],
  ])('%j fits %j in more than one way', (glob, name) => {
    expect(match(glob, name)).toMatchObject({ isAmbiguous: true });
  });

  it('refuses two stars in a row', () => {
    expect(() => compileNameGlob('a**')).toThrow(RangeError);
  });

  it('fits, and is ambiguous, exactly when trying every division says so', () => {
    const letters = string({ unit: constantFrom('a', 'b', '-'), maxLength: 8 });
    const globs = array(string({ unit: constantFrom('a', 'b', '-'), minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 3,
    });
    const ends = constantFrom('', 'a', '-');
    assert(
      property(globs, ends, ends, letters, (parts, start, end, name) => {
        const glob = `${start}*${parts.join('*')}*${end}`;
        const all = divisions(glob, name);
        const found = match(glob, name);
        expect(found !== undefined).toBe(all.length > 0);
        if (found !== undefined) {
          expect(all).toContainEqual(found.captures);
          expect(found.isAmbiguous).toBe(all.length > 1);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes no longer for a name that nearly fits in many ways', () => {
    const glob = compileNameGlob(`${'*a'.repeat(400)}*b`);
    expect(glob('a'.repeat(1_024))).toBeUndefined();
    expect(glob(`${'a'.repeat(1_022)}b`)).toMatchObject({ isAmbiguous: true });
  });
});

/** Every way in which the stars can be given a character or more of the name. */
function divisions(glob: string, name: string): string[][] {
  if (glob === '') return name === '' ? [[]] : [];
  if (!glob.startsWith('*')) return glob[0] === name[0] ? divisions(glob.slice(1), name.slice(1)) : [];
  return Array.from({ length: name.length }, (_, index) => index + 1).flatMap((length) =>
    divisions(glob.slice(1), name.slice(length)).map((rest) => [name.slice(0, length), ...rest]),
  );
}
