import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyBytes } from '../../../test/fixtures/hadoop-codec/arbitraries.ts';
import { codecErrorOf } from '../../../test/fixtures/hadoop-codec/codec-error-of.ts';
import { toHex } from '../../../test/fixtures/hadoop-codec/vectors.ts';
import { decodeBase64url, encodeBase64url } from './base64url.ts';

describe('base64url', () => {
  it.each([
    ['', ''],
    ['00', 'AA'],
    ['0000', 'AAA'],
    ['000000', 'AAAA'],
    ['fbffbf', '-_-_'],
    ['fbff', '-_8'],
    ['ff', '_w'],
  ])('%s is %j', (hex, text) => {
    expect(encodeBase64url(Uint8Array.from(Buffer.from(hex, 'hex')))).toBe(text);
    expect(toHex(decodeBase64url(text, 'string'))).toBe(hex);
  });

  it.each([
    ['padding', '_w==', 'ff'],
    ['one padding character', '-_8=', 'fbff'],
    ['the standard alphabet', '+/+/', 'fbffbf'],
    ['both alphabets', '-/8', 'fbff'],
    ['a line break after it', '_w\r\n', 'ff'],
    ['white space around it', ' \t\n_w==\n ', 'ff'],
    ['nothing but white space', '\n', ''],
  ])('takes %s', (_name, text, hex) => {
    expect(toHex(decodeBase64url(text, 'string'))).toBe(hex);
  });

  it.each([
    ['a single digit', 'A', 0],
    ['five digits', 'AAAAA', 4],
    ['a line break inside', 'AA\nAA', 2],
    ['a blank inside', 'AA AA', 2],
    ['a comma', 'AA,A', 2],
    ['a percent sign', '%41A', 0],
    ['a letter outside ASCII', 'AAÄA', 2],
    ['a character whose low byte is a digit', 'AA\u0141A', 2],
    ['a character outside the basic plane', 'AA\u{1f600}', 2],
    ['NUL', 'AA\0A', 2],
    ['leftover bits of one byte', '_x', 1],
    ['leftover bits of two bytes', '-_9', 2],
    ['too much padding', '_w===', 2],
    ['too little padding', '_w=', 2],
    ['padding where none fits', 'AAAA=', 4],
    ['a full group of padding', 'AAAA====', 4],
    ['padding only', '==', 0],
    ['padding inside', '_w==_w==', 2],
    ['white space before padding', '_w ==', 3],
  ])('refuses %s', (_name, text, offset) => {
    expect(codecErrorOf(() => decodeBase64url(text, 'string'))).toMatchObject({
      code: 'invalid-base64url',
      offset,
    });
  });

  it('reads what it and Node write, in every form', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const standard = Buffer.from(bytes).toString('base64');
        for (const text of [
          encodeBase64url(bytes),
          standard,
          standard.replaceAll('=', ''),
          `${standard}\n`,
        ]) {
          expect(toHex(decodeBase64url(text, 'string'))).toBe(toHex(bytes));
        }
        expect(encodeBase64url(bytes)).toMatch(/^[\w-]*$/);
      }),
    );
  });

  it('has one string for one value, but for alphabet, padding and white space', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\w-]{0,12}$/), (text) => {
        let bytes: Uint8Array;
        try {
          bytes = decodeBase64url(text, 'string');
        } catch {
          return;
        }
        expect(encodeBase64url(bytes)).toBe(text);
      }),
    );
  });

  it('encodes a window on a larger buffer', () => {
    expect(encodeBase64url(Uint8Array.of(1, 0xff, 2).subarray(1, 2))).toBe('_w');
  });
});
