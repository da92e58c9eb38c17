import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { oneLine } from './one-line.ts';

describe('oneLine', () => {
  it.each([
    ['a line end', 'a\nb', 'a\\u{a}b'],
    ['a carriage return', 'a\rb', 'a\\u{d}b'],
    ['an escape of a terminal', '\u001b[31mred', '\\u{1b}[31mred'],
    ['the same as one character', '\u009b31m', '\\u{9b}31m'],
    ['other line ends', 'a\u2028b\u2029c', 'a\\u{2028}b\\u{2029}c'],
    ['a reversal of the order', 'a\u202Egpj.exe', 'a\\u{202e}gpj.exe'],
    ['what has no width', 'ad\u200Bmin\uFEFF', 'ad\\u{200b}min\\u{feff}'],
    ['tags', '\u{E0041}', '\\u{e0041}'],
    ['half a character', 'a\uD83D', 'a\\u{d83d}'],
    ['nothing else', 'Größe "5" / ~1 \u{1F600} \\', 'Größe "5" / ~1 \u{1F600} \\'],
    ['not too long a text', 'a'.repeat(40), 'a'.repeat(40)],
    ['too long a text', 'a'.repeat(41), `${'a'.repeat(37)}...`],
    ['a text that is too long with its escapes', '\n'.repeat(11), `${'\\u{a}'.repeat(7)}\\u...`],
    ['a character at the cut', `${'a'.repeat(36)}\u{1F600}${'b'.repeat(9)}`, `${'a'.repeat(36)}...`],
  ])('shows %s', (_name, text, expected) => {
    expect(oneLine(text, 40)).toBe(expected);
  });

  it('is one line, whole and no longer than asked for, whatever it is given', () => {
    const texts = fc
      .array(fc.oneof(fc.nat(0x10_ffff), fc.nat(0x7f)), { maxLength: 300 })
      .map((points) => String.fromCodePoint(...points));
    fc.assert(
      fc.property(texts, fc.integer({ min: 3, max: 100 }), (text, most) => {
        const line = oneLine(text, most);
        expect(line.length).toBeLessThanOrEqual(most);
        expect(line.isWellFormed()).toBe(true);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
