import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { measureJson } from './json-limits.ts';

const ask = (text: string, depth: number, values: number) =>
  measureJson(Buffer.from(text), { depth, values }).exceeded;

describe('measureJson', () => {
  it.each<[string, string, number, number, string | undefined]>([
    ['a list one too deep', '[[[]]]', 2, 99, 'depth'],
    ['an object one too deep', '{"a":{"b":{}}}', 2, 99, 'depth'],
    ['a mixture one too deep', '[{"a":[]}]', 2, 99, 'depth'],
    ['as deep as may be', '[{"a":1}]', 2, 99, undefined],
    ['many beside one another', '[[],[],[],{}]', 2, 99, undefined],
    ['one value too many', '[1,2,3]', 9, 2, 'values'],
    ['as many as may be', '[1,2,3]', 9, 3, undefined],
    ['objects without commas', '{"a":{"b":{}}}', 9, 2, 'values'],
    ['brackets and commas in a text', '"[[[{{{,,,,,,"', 1, 1, undefined],
    ['a bracket after a text', '["a",[[]]]', 2, 99, 'depth'],
    ['an escaped quote', '"\\"[[["', 1, 1, undefined],
    ['an escaped backslash before the end of a text', '["\\\\",[[]]]', 2, 99, 'depth'],
    ['many backslashes', '["\\\\\\"[[[[","a"]', 1, 99, undefined],
    ['characters of many bytes', '"\u{1F600}é[["', 1, 1, undefined],
    ['a text without an end', '"[[[[', 1, 1, undefined],
    ['a backslash at the end', '"\\', 1, 1, undefined],
    ['nothing', '', 0, 0, undefined],
  ])('%s', (_name, text, depth, values, expected) => {
    expect(ask(text, depth, values)).toBe(expected);
  });

  it('measures any JSON as one does who has parsed it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        const depth = depthOf(JSON.parse(text));
        expect(ask(text, depth, Infinity)).toBeUndefined();
        if (depth > 0) expect(ask(text, depth - 1, Infinity)).toBe('depth');
      }),
    );
  });
});

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
