import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { MAX_BEARER_TOKEN_LENGTH, parseBearerToken } from './bearer-token.ts';

describe('parseBearerToken', () => {
  it.each([
    ['no header', []],
    ['an empty header', ['']],
    ['another scheme', ['Basic YWxpY2U6cHc=']],
    ['SPNEGO', ['Negotiate YIIabc']],
    ['a scheme that only begins like ours', ['BearerX abc']],
    ['a token without a scheme', ['eyJhbGciOiJSUzI1NiJ9.e30.c2ln']],
    ['a leading space', [' Bearer abc']],
    ['a tab for the space', ['Bearer\tabc']],
    ['a look-alike scheme', ['\u0412earer abc']],
  ])('refuses %s [bearer-scheme]', (_, lines) => {
    expect(parseBearerToken(lines)).toEqual({ outcome: 'refused', reason: 'no-bearer-token' });
  });

  it.each([
    ['two headers', ['Bearer abc', 'Bearer abc']],
    ['two headers, the first of another scheme', ['Basic x', 'Bearer abc']],
    ['two headers, one empty', ['', 'Bearer abc']],
  ])('refuses %s [bearer-single-line]', (_, lines) => {
    expect(parseBearerToken(lines)).toEqual({ outcome: 'refused', reason: 'several-authorization-headers' });
  });

  it.each([
    ['the scheme alone', 'Bearer'],
    ['the scheme and a space', 'Bearer '],
    ['two spaces', 'Bearer  abc'],
    ['a trailing space', 'Bearer abc '],
    ['two tokens', 'Bearer abc def'],
    ['two joined headers', 'Bearer abc, Bearer def'],
    ['parameters', 'Bearer realm="x"'],
    ['padding in the middle', 'Bearer ab=c'],
    ['padding alone', 'Bearer =='],
    ['a line break', 'Bearer abc\ndef'],
    ['a trailing line break', 'Bearer abc\n'],
    ['a NUL', 'Bearer abc\0'],
    ['not ASCII', 'Bearer \u00e4bc'],
  ])('refuses %s [bearer-characters]', (_, line) => {
    expect(parseBearerToken([line])).toEqual({ outcome: 'refused', reason: 'bearer-token-malformed' });
  });

  it('refuses one character too many [bearer-length]', () => {
    expect(parseBearerToken([`Bearer ${'a'.repeat(MAX_BEARER_TOKEN_LENGTH + 1)}`])).toEqual({
      outcome: 'refused',
      reason: 'bearer-token-malformed',
    });
  });

  it.each([
    ['a JWT', 'Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln-_', 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln-_'],
    ['another case of the scheme', 'bEARER abc', 'abc'],
    ['every character of token68', 'Bearer aZ09-._~+/==', 'aZ09-._~+/=='],
    [
      'the greatest length',
      `Bearer ${'a'.repeat(MAX_BEARER_TOKEN_LENGTH)}`,
      'a'.repeat(MAX_BEARER_TOKEN_LENGTH),
    ],
  ])('finds %s', (_, line, expected) => {
    const result = parseBearerToken([line]);
    expect(result.outcome === 'found' && result.serviceAccountToken.reveal()).toBe(expected);
  });

  it('keeps the token wrapped', () => {
    expect(JSON.stringify(parseBearerToken(['Bearer abc']))).not.toContain('abc');
  });

  it('never throws, and finds nothing but token68 in exactly one line [bearer-single-line] [bearer-scheme] [bearer-characters]', () => {
    const bearerish = fc
      .tuple(
        fc.constantFrom('Bearer ', 'bearer ', 'Bearer', 'Basic '),
        fc.oneof(fc.base64String({ minLength: 1 }), fc.string({ unit: 'binary' })),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(fc.oneof(bearerish, fc.string({ unit: 'binary' })), { maxLength: 3 }), (lines) => {
        const result = parseBearerToken(lines);
        if (result.outcome === 'refused') return;
        expect(lines).toHaveLength(1);
        expect(result.serviceAccountToken.reveal()).toMatch(/^[\w\-.~+/]+=*$/);
        expect(`bearer ${result.serviceAccountToken.reveal()}`).toBe(
          `${lines[0]?.slice(0, 6).toLowerCase()}${lines[0]?.slice(6)}`,
        );
      }),
      { numRuns: 1000 },
    );
  });
});
