import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { MAX_BEARER_TOKEN_LENGTH, parseBearerToken } from './bearer-token.ts';

describe('parseBearerToken', () => {
  it.each([
    ['no header', [], 'no-bearer-token'],
    ['an empty header', [''], 'no-bearer-token'],
    ['another scheme', ['Basic YWxpY2U6cHc='], 'no-bearer-token'],
    ['SPNEGO', ['Negotiate YIIabc'], 'no-bearer-token'],
    ['a scheme that only begins like ours', ['BearerX abc'], 'no-bearer-token'],
    ['a token without a scheme', ['eyJhbGciOiJSUzI1NiJ9.e30.c2ln'], 'no-bearer-token'],
    ['a leading space', [' Bearer abc'], 'no-bearer-token'],
    ['a tab for the space', ['Bearer\tabc'], 'no-bearer-token'],
    ['a look-alike scheme', ['\u0412earer abc'], 'no-bearer-token'],
    ['two headers', ['Bearer abc', 'Bearer abc'], 'several-authorization-headers'],
    ['two headers, the first of another scheme', ['Basic x', 'Bearer abc'], 'several-authorization-headers'],
    ['two headers, one empty', ['', 'Bearer abc'], 'several-authorization-headers'],
    ['the scheme alone', ['Bearer'], 'bearer-token-malformed'],
    ['the scheme and a space', ['Bearer '], 'bearer-token-malformed'],
    ['two spaces', ['Bearer  abc'], 'bearer-token-malformed'],
    ['a trailing space', ['Bearer abc '], 'bearer-token-malformed'],
    ['two tokens', ['Bearer abc def'], 'bearer-token-malformed'],
    ['two joined headers', ['Bearer abc, Bearer def'], 'bearer-token-malformed'],
    ['parameters', ['Bearer realm="x"'], 'bearer-token-malformed'],
    ['padding in the middle', ['Bearer ab=c'], 'bearer-token-malformed'],
    ['padding alone', ['Bearer =='], 'bearer-token-malformed'],
    ['a line break', ['Bearer abc\ndef'], 'bearer-token-malformed'],
    ['a trailing line break', ['Bearer abc\n'], 'bearer-token-malformed'],
    ['a NUL', ['Bearer abc\0'], 'bearer-token-malformed'],
    ['not ASCII', ['Bearer \u00e4bc'], 'bearer-token-malformed'],
    [
      'one character too many',
      [`Bearer ${'a'.repeat(MAX_BEARER_TOKEN_LENGTH + 1)}`],
      'bearer-token-malformed',
    ],
  ])('refuses %s', (_, lines, reason) => {
    expect(parseBearerToken(lines)).toEqual({ outcome: 'refused', reason });
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

  it('never throws, and finds nothing but token68 in exactly one line', () => {
    const bearerish = fc
      .tuple(fc.constantFrom('Bearer ', 'bearer ', 'Bearer'), fc.string({ unit: 'binary' }))
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
