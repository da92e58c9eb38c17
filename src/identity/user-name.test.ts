import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { compileUserPattern, MAX_USER_NAME_LENGTH } from './user-name.ts';

describe('compileUserPattern', () => {
  it.each([
    ['nothing', ''],
    ['a space', ' '],
    ['a leading space', ' alice'],
    ['a trailing space', 'alice '],
    ['a trailing line break', 'alice\n'],
    ['a second line', 'alice\nhdfs'],
    ['a NUL', 'alice\0'],
    ['a dot', '.'],
    ['two dots', '..'],
    ['a leading dot', '.alice'],
    ['a leading dash', '-alice'],
    ['a leading digit', '1alice'],
    ['a principal', 'alice@EXAMPLE.COM'],
    ['a service principal', 'hdfs/nn@EXAMPLE.COM'],
    ['a path', 'a/b'],
    ['a comma', 'alice,bob'],
    ['a colon', 'system:alice'],
    ['a query parameter', 'alice&doas=hdfs'],
    ['an escape', 'alice%20'],
    ['a Cyrillic look-alike', '\u0430lice'],
    ['a full-width look-alike', '\uff41lice'],
    ['the Kelvin sign', '\u212aevin'],
    ['an umlaut', 'j\u00fcrgen'],
    ['a combining mark', 'alic\u00e9'],
    ['a zero-width space', 'ali\u200bce'],
    ['a dollar in the middle', 'a$b'],
    ['two dollars', 'a$$'],
    ['a dollar alone', '$'],
    ['one character too many', 'a'.repeat(MAX_USER_NAME_LENGTH + 1)],
  ])('does not take %s', (_, name) => {
    expect(compileUserPattern()(name)).toBe(false);
  });

  it.each(['alice', 'Alice', '_a', 'a.b-c_d', 'host01$', 'x', 'a'.repeat(MAX_USER_NAME_LENGTH)])(
    'takes %s',
    (name) => {
      expect(compileUserPattern()(name)).toBe(true);
    },
  );

  it.each([
    ['@', 'hdfs@EXAMPLE.COM'],
    ['/', 'hdfs/nn'],
    ['a space', 'al ice'],
    ['dots', '..'],
    ['other letters', 'j\u00fcrgen'],
    ['a comma', 'a,b'],
  ])('lets no pattern widen it to %s', (_, name) => {
    expect(compileUserPattern('.*')(name)).toBe(false);
  });

  it.each([
    ['[a-z]+', 'alice', true],
    ['[a-z]+', 'alice1', false],
    ['[a-z]+', '1alice', false],
    ['a|b', 'a', true],
    ['a|b', 'ax', false],
    ['a|b', 'xb', false],
    ['[0-9]+', '4711', true],
  ])('anchors %s: %s is %s', (pattern, name, expected) => {
    expect(compileUserPattern(pattern)(name)).toBe(expected);
  });

  it.each(['(', 'a)|(?:.*', '[', '*'])('refuses the pattern %s', (pattern) => {
    expect(() => compileUserPattern(pattern)).toThrow(/user pattern .* is not a regular expression/);
  });

  it('takes nothing outside short ASCII names, whatever comes', () => {
    const isUserName = compileUserPattern();
    const nearMiss = fc
      .tuple(fc.constantFrom('alice', 'a.b', '_x', 'host$'), fc.string({ unit: 'binary', maxLength: 3 }))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(nearMiss, fc.string({ unit: 'binary' }), fc.string()), (name) => {
        fc.pre(isUserName(name));
        expect(name).toMatch(/^[a-zA-Z_]/);
        for (const character of name)
          expect('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-$').toContain(character);
      }),
      { numRuns: 500 },
    );
  });
});
