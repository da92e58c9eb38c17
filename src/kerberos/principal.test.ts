import { describe, expect, it } from '@jest/globals';
import { formatPrincipal, parsePrincipal, PrincipalError, shortName } from './principal.ts';

describe('parsePrincipal', () => {
  it.each([
    ['kerbridge@EXAMPLE.COM', ['kerbridge'], 'EXAMPLE.COM'],
    ['kerbridge/host.example.com@EXAMPLE.COM', ['kerbridge', 'host.example.com'], 'EXAMPLE.COM'],
    ['a/b/c@R', ['a', 'b', 'c'], 'R'],
    ['kerbridge', ['kerbridge'], undefined],
    ['svc\\/x@R', ['svc/x'], 'R'],
    ['svc\\@x@R', ['svc@x'], 'R'],
    ['back\\\\slash@R', ['back\\slash'], 'R'],
    ['tab\\tend@R', ['tab\tend'], 'R'],
    ['nul\\0@R', ['nul\0'], 'R'],
    ['a@R/S', ['a'], 'R/S'],
    ['a@R\\@S', ['a'], 'R@S'],
  ])('reads %s and writes it back', (text, components, realm) => {
    expect(parsePrincipal(text)).toEqual({ components, realm });
    expect(formatPrincipal(parsePrincipal(text))).toBe(text);
  });

  it.each([
    ['', 'empty part'],
    ['@R', 'empty part'],
    ['/host@R', 'empty part'],
    ['a/@R', 'empty part'],
    ['a//b@R', 'empty part'],
    ['a@', 'no realm'],
    ['a@R@S', "more than one '@'"],
    ['a\\', 'lone backslash'],
    ['a@R\\', 'lone backslash'],
  ])('refuses %j', (text, problem) => {
    expect(() => parsePrincipal(text)).toThrow(PrincipalError);
    expect(() => parsePrincipal(text)).toThrow(problem);
  });
});

describe('shortName', () => {
  it.each([
    ['kerbridge@R', 'kerbridge'],
    ['kerbridge/host@R', 'kerbridge'],
    ['a\\/b/host@R', 'a/b'],
    ['kerbridge', 'kerbridge'],
  ])('of %s is %s', (principal, expected) => {
    expect(shortName(principal)).toBe(expected);
  });

  it('has none for what is no principal', () => {
    expect(() => shortName('@R')).toThrow(PrincipalError);
  });
});
