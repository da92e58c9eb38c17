import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { redactText } from './redact.ts';

const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl';
const RUN = 'JAAFYWxpY2UJa2VyYnJpZGdlAIoBogSLfHuKAaIomAB7ji3_AhQKEeE8c0-L9jjW';

/** Begins no pattern and ends none, is never escaped, and no plain text has it: behind it the long way is taken. */
const MARK = ' ';
const theLongWay = (text: string): string => redactText(MARK + text).slice(MARK.length);

describe('redactText', () => {
  const pieces = fc.constantFrom(
    // What plain texts are made of, secrets that were put in lower case among it.
    ...[
      'a',
      'f',
      '0',
      '9',
      '.',
      '_',
      ':',
      '/',
      '@',
      '-',
      'alice',
      'team-a/train-0',
      '10.0.0.7',
      'hadoop.auth',
    ],
    ...[
      'bearer',
      'token',
      JWT.toLowerCase(),
      RUN.toLowerCase(),
      'x'.repeat(250),
      '-----begin-private-key-----',
    ],
    // What makes them something else.
    ...[
      '=',
      's=',
      '?token=',
      'hadoop.auth=',
      'Bearer ',
      'negotiate ',
      'J',
      'eyJ',
      JWT,
      RUN,
      ' ',
      '\n',
      '\t',
      '"',
    ],
    ...['-----BEGIN PRIVATE KEY-----', '\u0085', '\u007f', '+', '~', '%', 'ı', 'K'],
  );
  const texts = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''));

  it('gives what the patterns give, also for the texts that it does not show to them', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(redactText(text)).toBe(theLongWay(text));
      }),
      { numRuns: 2_000 },
    );
  });

  const plain = fc.string({ unit: fc.constantFrom(...'abcsefjwt0189._:/@-'.split('')), maxLength: 400 });

  it('leaves plain texts as they are, as the patterns would', () => {
    fc.assert(
      fc.property(plain, (text) => {
        expect(theLongWay(text)).toBe(text);
        expect(redactText(text)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['a capital letter', `user-${RUN}`, RUN],
    ['an equals sign', 's=abcdefghijklmnopqrstuvwxyz', 'abcdefghijkl'],
    ['white space', 'bearer hunter2hunter2', 'hunter2'],
    ['a line break before the rest', `a\n${RUN}`, RUN],
    ['a line break at the end', 'bearer hunter2hunter2\n', 'hunter2'],
  ])('is not misled by a text that is plain but for %s', (_name, text, secret) => {
    expect(redactText(text)).not.toContain(secret);
  });

  it.each([
    [8_000, 8_000],
    [8_001, 8_003],
  ])('of %d plain characters gives %d', (length, shown) => {
    expect(redactText('a'.repeat(length))).toHaveLength(shown);
  });
});
