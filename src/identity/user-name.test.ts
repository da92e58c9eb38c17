import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { assertShortName } from '../hadoop/short-name.ts';
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
    expect(compileUserPattern()(name)).toBe('invalid');
  });

  it.each(['alice', 'Alice', '_a', 'a.b-c_d', 'host01$', 'x', 'a'.repeat(MAX_USER_NAME_LENGTH)])(
    'takes %s',
    (name) => {
      expect(compileUserPattern()(name)).toBe('valid');
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
    expect(compileUserPattern('.*')(name)).toBe('invalid');
  });

  it.each([
    ['[a-z]+', 'alice', true],
    ['[a-z]+', 'alice1', false],
    ['[a-z]+', '1alice', false],
    ['a|b', 'a', true],
    ['a|b', 'ax', false],
    ['a|b', 'xb', false],
    ['u[0-9]+', 'u4711', true],
    ['[0-9]+', '4711', false],
    ['.*', 'a+b', false],
  ])('anchors %s: %s is %s', (pattern, name, expected) => {
    expect(compileUserPattern(pattern)(name)).toBe(expected ? 'valid' : 'invalid');
  });

  it.each(['(', 'a)|(?:.*', '[', '*'])('refuses the pattern %s', (pattern) => {
    expect(() => compileUserPattern(pattern)).toThrow(/user pattern is not a regular expression/);
  });

  it.each([
    '([a-z0-9]+[._-]?)+',
    '(a+)+',
    '(?:a|a)*b',
    '(?:[a-z]+)*x',
    '(x+x+)+y',
    '(?:foo|fo+)*-',
    'a*a*a*a*b',
  ])('refuses the pattern %s, which one name could stop the process with', (pattern) => {
    expect(() => compileUserPattern(pattern)).toThrow(/takes too long/);
  });

  it.each(['[a-z][a-z0-9]{1,31}', '[a-z]+(?:[._-][a-z0-9]+)*', '(?:svc|app)-[a-z-]+', '.*'])(
    'takes the pattern %s',
    (pattern) => {
      expect(compileUserPattern(pattern)('svc-a')).not.toBe('undecided');
    },
  );

  it.each([undefined, '.*'])('takes exactly what goes to Hadoop as a short name (pattern %j)', (pattern) => {
    const judge = compileUserPattern(pattern);
    const goesToHadoop = (name: string): boolean => {
      try {
        assertShortName('owner', name);
        return true;
      } catch {
        return false;
      }
    };
    const pieces = fc.constantFrom(
      'a',
      'Z',
      '0',
      '_',
      '.',
      '-',
      '$',
      '+',
      '=',
      '~',
      '#',
      '@',
      '/',
      ' ',
      '\u0430',
    );
    const names = fc.oneof(
      fc.array(pieces, { maxLength: 6 }).map((parts) => parts.join('')),
      fc.integer({ min: 250, max: 260 }).map((length) => 'a'.repeat(length)),
      fc.integer({ min: 250, max: 260 }).map((length) => `${'a'.repeat(length)}$`),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(names, (name) => {
        expect(judge(name) === 'valid').toBe(goesToHadoop(name));
      }),
      { numRuns: 500 },
    );
  });

  it('takes nothing outside short ASCII names, whatever comes', () => {
    const judge = compileUserPattern();
    const nearMiss = fc
      .tuple(fc.constantFrom('alice', 'a.b', '_x', 'host$'), fc.string({ unit: 'binary', maxLength: 3 }))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(nearMiss, fc.string({ unit: 'binary' }), fc.string()), (name) => {
        fc.pre(judge(name) === 'valid');
        expect(name).toMatch(/^[a-zA-Z_]/);
        for (const character of name)
          expect('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-$').toContain(character);
      }),
      { numRuns: 500 },
    );
  });
});
