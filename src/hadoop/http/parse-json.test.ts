import { describe, expect, it } from '@jest/globals';

import { memberOf, parseHadoopJson } from './parse-json.ts';

describe('parseHadoopJson', () => {
  it.each([
    ['{"long":9223372036854775807}', { long: 9_223_372_036_854_775_807n }],
    ['{"long":-1}', { long: -1n }],
    ['[0,1.5,1e3,"12",true,null]', [0n, 1.5, 1000, '12', true, null]],
  ])('reads %s', (text, expected) => {
    expect(parseHadoopJson(text)).toEqual(expected);
  });

  it.each(['', '{', '{"Token":{"urlString":"AAA', '<html>', '{"long":01}'])('refuses %j', (text) => {
    expect(() => parseHadoopJson(text)).toThrow(SyntaxError);
  });
});

describe('memberOf', () => {
  it.each([
    [{ a: 1 }, 'a', 1],
    [{ a: 1 }, 'b', undefined],
    [{ a: 1 }, 'toString', undefined],
    [JSON.parse('{"__proto__":1}'), '__proto__', 1],
    [null, 'a', undefined],
    ['text', 'length', undefined],
    [7n, 'a', undefined],
  ])('of %j, %s', (value, name, expected) => {
    expect(memberOf(value, name)).toBe(expected);
  });
});
