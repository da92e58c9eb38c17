import { describe, expect, it } from '@jest/globals';
import type { JsonMap } from '../patch/json-value.ts';
import { leaveOut } from './leave-out.ts';

const ANNOTATIONS = [['podMetadata', 'annotations']];

describe('leaveOut', () => {
  it.each<[string, JsonMap, string[][], unknown]>([
    ['nothing', { a: 1 }, [], { a: 1 }],
    ['what is not there', { a: 1 }, ANNOTATIONS, { a: 1 }],
    ['what is below a text', { podMetadata: 'x' }, ANNOTATIONS, { podMetadata: 'x' }],
    [
      'only that',
      { podMetadata: { annotations: { a: 'b' }, labels: {} } },
      ANNOTATIONS,
      { podMetadata: { labels: {} } },
    ],
    ['the map that held nothing else', { a: 1, podMetadata: { annotations: {} } }, ANNOTATIONS, { a: 1 }],
    ['that map if it was empty before', { podMetadata: {} }, ANNOTATIONS, {}],
    ['that map if it is null', { podMetadata: null }, ANNOTATIONS, {}],
    ['all maps up to the content', { a: { b: { c: 1 } } }, [['a', 'b', 'c']], {}],
    ['an empty map higher up', { a: {} }, [['a', 'b', 'c']], {}],
    [
      'no element of a list',
      { l: [{ a: 1 }, { a: 2, b: 3 }] },
      [
        ['l', '0', 'a'],
        ['l', '1', 'a'],
      ],
      { l: [{}, { b: 3 }] },
    ],
    [
      'two of a map',
      { d: { a: 1, b: 2 } },
      [
        ['d', 'a'],
        ['d', 'b'],
      ],
      {},
    ],
  ])('leaves out %s', (_, content, paths, expected) => {
    const before = JSON.stringify(content);
    expect(leaveOut(content, paths)).toEqual(expected);
    expect(JSON.stringify(content)).toBe(before);
  });
});
