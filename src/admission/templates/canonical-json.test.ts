import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { sameJson } from '../patch/json-value.ts';
import { canonicalJson, MAX_DEPTH } from './canonical-json.ts';
import { digestOf } from './digest-of.ts';

const textOf = (value: unknown): string => {
  const result = canonicalJson(value);
  if (!result.ok) throw new Error(result.problem);
  return result.text;
};

const nested = (depth: number, [open, close]: readonly [string, string] = ['[', ']']): unknown =>
  JSON.parse(`${open.repeat(depth)}${open === '[' ? '' : '1'}${close.repeat(depth)}`);

function byHand(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(byHand).join()}]`;
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${byHand(member)}`).join()}}`;
}

describe('canonicalJson', () => {
  it.each<[string, unknown, string]>([
    ['a number beyond all', JSON.parse('{"a":1e400}'), 'it has a number that is too large to be held'],
    ['the negative one', [JSON.parse('-1e400')], 'it has a number that is too large to be held'],
    ['no number', { a: Number.NaN }, 'it has a number that is too large to be held'],
    ['undefined', { a: undefined }, 'it holds nothing of JSON'],
    ['nothing at all', undefined, 'it holds nothing of JSON'],
    ['a bigint', [1n], 'it holds nothing of JSON'],
    ['lists too deep', nested(MAX_DEPTH + 1), 'it is nested more than 100 deep: make it flatter'],
    [
      'maps too deep',
      nested(MAX_DEPTH + 1, ['{"a":', '}']),
      'it is nested more than 100 deep: make it flatter',
    ],
    ['lists as deep as no stack', nested(200_000), 'it is nested more than 100 deep: make it flatter'],
  ])('refuses %s', (_, value, problem) => {
    expect(canonicalJson(value)).toEqual({ ok: false, problem });
  });

  it('takes what is just deep enough', () => {
    expect(textOf(nested(MAX_DEPTH))).toBe(JSON.stringify(nested(MAX_DEPTH)));
  });

  it.each<[string, unknown, string]>([
    ['sorts keys at all depths', { b: [{ d: 1, c: 2 }], a: null }, '{"a":null,"b":[{"c":2,"d":1}]}'],
    // The vector of RFC 8785, section 3.2.3: U+FB33 comes after U+1F600, whose first code unit is U+D83D.
    [
      'sorts by UTF-16 code units',
      { '€': 1, '\r': 2, '\ufb33': 3, '1': 4, '😀': 5, '\u0080': 6, ö: 7 },
      '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    ],
    ['sorts no numbers as numbers', { 10: 1, 9: 2 }, '{"10":1,"9":2}'],
    [
      'prints numbers as JavaScript',
      JSON.parse('[1E21, 1.0, -0, 1e-7, 0.10, 333333333.33333329]'),
      '[1e+21,1,0,1e-7,0.1,333333333.3333333]',
    ],
    ['escapes what JSON must', ['"\\/\b\n\u001f\u2028'], '["\\"\\\\/\\b\\n\\u001f\u2028"]'],
    [
      'keeps half a surrogate pair apart from others',
      ['\ud800', '\udfff', '\ufffd'],
      '["\\ud800","\\udfff","\ufffd"]',
    ],
    ['takes __proto__ for a key', JSON.parse('{"b":1,"__proto__":{"a":[]}}'), '{"__proto__":{"a":[]},"b":1}'],
    [
      'sorts __proto__ and numbers below one',
      JSON.parse('{"a":{"__proto__":{"9":1,"10":[{"b":1,"a":2}]},"A":0}}'),
      '{"a":{"A":0,"__proto__":{"10":[{"a":2,"b":1}],"9":1}}}',
    ],
    [
      'calls nothing of a tenant',
      { toJSON: 'x', length: 1, constructor: null },
      '{"constructor":null,"length":1,"toJSON":"x"}',
    ],
    ['tells empty from null', [{}, [], null, '', false], '[{},[],null,"",false]'],
  ])('%s', (_, value, text) => {
    expect(textOf(value)).toBe(text);
  });

  it('says the same of two values if and only if they are the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (one, other) => {
        const normal: unknown = JSON.parse(JSON.stringify(one));
        expect(textOf(one) === textOf(other)).toBe(sameJson(normal, JSON.parse(JSON.stringify(other))));
        expect(JSON.parse(textOf(one))).toEqual(normal);
      }),
    );
  });

  it('writes what one would write by hand, whatever the keys are', () => {
    const keys = fc.constantFrom(
      'a',
      'b',
      '',
      'Z',
      'ö',
      '9',
      '10',
      '1a',
      '-1',
      '__proto__',
      'toJSON',
      'valueOf',
    );
    const { tree } = fc.letrec<{ readonly tree: string }>((tie) => ({
      // As text: what JSON.parse makes has a key __proto__ of its own.
      tree: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.jsonValue({ maxDepth: 0 }).map((value) => JSON.stringify(value)),
        fc.array(tie('tree'), { maxLength: 3 }).map((elements) => `[${elements.join()}]`),
        fc
          .uniqueArray(fc.tuple(keys, tie('tree')), { selector: ([key]) => key, maxLength: 6 })
          .map((members) => `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join()}}`),
      ),
    }));
    fc.assert(
      fc.property(tree, (text) => {
        const value: unknown = JSON.parse(text);
        expect(textOf(value)).toBe(byHand(value));
      }),
    );
  });

  it('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })), (map) => {
        expect(textOf(Object.fromEntries(Object.entries(map).toReversed()))).toBe(textOf(map));
      }),
    );
  });
});

describe('digestOf', () => {
  it('says what is wrong with a template', () => {
    expect(digestOf(nested(MAX_DEPTH + 1))).toEqual({
      ok: false,
      problem: 'the template cannot be hashed: it is nested more than 100 deep: make it flatter',
    });
  });

  it('is SHA-256 in base64url', () => {
    // printf '{"a":1}' | openssl dgst -sha256 -binary | basenc --base64url, without the padding
    expect(digestOf({ a: 1 })).toEqual({ ok: true, digest: 'AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX-GI' });
  });
});
