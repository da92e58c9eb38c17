import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { applyJsonPatch } from '../../../test/fakes/apply-json-patch.ts';
import { Draft } from './draft.ts';
import type { JsonValue } from './json-value.ts';
import type { PatchOperation } from './patch-operation.ts';

type Edit = (draft: Draft) => void;

/** Finishes the draft; every patch in these tests is applied, and must give what the draft says it wants. */
function patchFor(object: unknown, edit: Edit): readonly PatchOperation[] {
  const before = JSON.stringify(object);
  const draft = new Draft(object);
  edit(draft);
  const result = draft.finish();
  if (!result.ok) throw new Error(result.problem);
  expect(JSON.stringify(object)).toBe(before);
  expect(applyJsonPatch(object, result.operations)).toEqual(result.wanted);
  return result.operations;
}

function problemOf(object: unknown, edit: Edit): string {
  const draft = new Draft(object);
  edit(draft);
  const result = draft.finish();
  if (result.ok) throw new Error('there was no problem');
  return result.problem;
}

const STAMP = ['metadata', 'annotations', 'kerbridge.dev/stamp'];

describe('Draft', () => {
  it.each<[string, unknown, Edit, string]>([
    [
      'a list where the map should be',
      { metadata: [] },
      (d) => d.set(STAMP, 'x'),
      '/metadata/annotations is not in its list',
    ],
    ['a text there', { metadata: 'x' }, (d) => d.set(STAMP, 'x'), '/metadata is a text, not a map'],
    [
      'a number there',
      { metadata: { annotations: 5 } },
      (d) => d.set(STAMP, 'x'),
      '/metadata/annotations is a number, not a map',
    ],
    [
      'a boolean there',
      { metadata: { annotations: false } },
      (d) => d.set(STAMP, 'x'),
      '/metadata/annotations is a boolean, not a map',
    ],
    ['an object that is a text', 'x', (d) => d.set(STAMP, 'x'), 'the object is a text, not a map'],
    ['the object as a whole', {}, (d) => d.set([], 'x'), 'the object cannot be replaced as a whole'],
    ['the object as a whole, to be removed', {}, (d) => d.remove([]), 'the object cannot be removed'],
    [
      'an element beyond the end',
      { l: [1] },
      (d) => d.set(['l', '1'], 2),
      '/l/1 is beyond the end of its list',
    ],
    [
      'an element of no number',
      { l: [1] },
      (d) => d.set(['l', '-'], 2),
      '/l/- is beyond the end of its list',
    ],
    [
      'an index with a leading zero',
      { l: [1, 2] },
      (d) => d.set(['l', '01'], 2),
      '/l/01 is beyond the end of its list',
    ],
    [
      'something in an element that is missing',
      { l: [{}] },
      (d) => d.set(['l', '1', 'a'], 2),
      '/l/1 is not in its list',
    ],
    [
      'a map where the list should be',
      { l: {} },
      (d) => d.insert(['l'], 1, 'back'),
      '/l is a map, not a list',
    ],
    [
      'a text where the list should be',
      { l: 'x' },
      (d) => d.put(['l'], { name: 'x' }, 'front'),
      '/l is a text, not a list',
    ],
  ])('refuses %s', (_, object, edit, problem) => {
    expect(problemOf(object, edit)).toBe(problem);
  });

  it('keeps to the first problem, and does nothing more', () => {
    const edit: Edit = (draft) => {
      draft.set(['a', 'x'], 1);
      draft.set(['b', 'x'], 1);
      draft.insert(['c'], 1, 'back');
      draft.remove(['d']);
    };
    expect(problemOf({ a: 'x', b: 'x', d: 1 }, edit)).toBe('/a is a text, not a map');
  });

  it('shows no value, and of a key as long as a pod only the beginning', () => {
    const key = `${'k'.repeat(1_000_000)}\nforged line`;
    expect(problemOf({ [key]: 'secret' }, (draft) => draft.set([key, 'x'], 1))).toBe(
      `/${'k'.repeat(299)}… is a text, not a map`,
    );
    expect(problemOf({ 'a\nb': 'secret' }, (draft) => draft.set(['a\nb', 'x'], 1))).toBe(
      String.raw`/a\nb is a text, not a map`,
    );
  });

  it.each<[string, unknown, Edit]>([
    ['nothing was edited', { a: 1 }, () => undefined],
    [
      'the value is there',
      { metadata: { annotations: { 'kerbridge.dev/stamp': 'x' } } },
      (d) => d.set(STAMP, 'x'),
    ],
    ['the same map is there', { a: { b: [1, { c: null }] } }, (d) => d.set(['a'], { b: [1, { c: null }] })],
    ['what is to be removed is not there', { a: {} }, (d) => d.remove(['a', 'b'])],
    ['its parent is not there', {}, (d) => d.remove(['a', 'b'])],
    ['its parent is a text', { a: 'x' }, (d) => d.remove(['a', 'length'])],
    ['its parent is null', { a: null }, (d) => d.remove(['a', 'b'])],
    ['what is to be removed is only a prototype’s', { a: {} }, (d) => d.remove(['a', 'constructor'])],
    [
      'an element of that name is the same',
      { l: [{ name: 'a', v: 1 }] },
      (d) => d.put(['l'], { name: 'a', v: 1 }, 'front'),
    ],
    [
      'one edit takes the other back',
      { a: { b: 1 }, l: [1] },
      (d) => {
        d.set(['a', 'b'], 2);
        d.set(['a', 'c'], 2);
        d.insert(['l'], 0, 'front');
        d.remove(['a', 'c']);
        d.set(['a', 'b'], 1);
        d.remove(['l', '0']);
      },
    ],
  ])('says nothing if %s', (_, object, edit) => {
    expect(patchFor(object, edit)).toEqual([]);
  });

  it.each<[string, unknown, Edit, PatchOperation[]]>([
    [
      'a key with a slash',
      { metadata: { annotations: { a: 'b' } } },
      (d) => d.set(STAMP, 'x'),
      [{ op: 'add', path: '/metadata/annotations/kerbridge.dev~1stamp', value: 'x' }],
    ],
    [
      'a key with tildes and slashes',
      { m: { '~1/~0': 'old', '~': 1 } },
      (d) => {
        d.set(['m', '~1/~0'], 'new');
        d.remove(['m', '~']);
      },
      [
        { op: 'replace', path: '/m/~01~1~00', value: 'new' },
        { op: 'remove', path: '/m/~0' },
      ],
    ],
    [
      'two keys of a map that is missing, in one',
      { metadata: {} },
      (d) => {
        d.set(['metadata', 'annotations', 'a'], '1');
        d.set(['metadata', 'annotations', 'b'], '2');
      },
      [{ op: 'add', path: '/metadata/annotations', value: { a: '1', b: '2' } }],
    ],
    [
      'a key below nothing at all',
      {},
      (d) => d.set(['metadata', 'annotations', 'a'], '1'),
      [{ op: 'add', path: '/metadata', value: { annotations: { a: '1' } } }],
    ],
    [
      'a key of a map that is null',
      { metadata: { annotations: null } },
      (d) => d.set(['metadata', 'annotations', 'a'], '1'),
      [{ op: 'replace', path: '/metadata/annotations', value: { a: '1' } }],
    ],
    [
      'a name',
      { metadata: { generateName: 'a-' } },
      (d) => d.set(['metadata', 'name'], 'a-x'),
      [{ op: 'add', path: '/metadata/name', value: 'a-x' }],
    ],
    ['an empty key', { '': { a: 1 } }, (d) => d.set(['', ''], 1), [{ op: 'add', path: '//', value: 1 }]],
    [
      'an element at the front',
      { l: [{ a: 1 }] },
      (d) => d.insert(['l'], { b: 1 }, 'front'),
      [{ op: 'add', path: '/l/0', value: { b: 1 } }],
    ],
    [
      'an element at the back',
      { l: [1] },
      (d) => d.insert(['l'], 2, 'back'),
      [{ op: 'add', path: '/l/1', value: 2 }],
    ],
    [
      'elements of a list that is missing',
      { spec: {} },
      (d) => {
        d.insert(['spec', 'volumes'], { name: 'b' }, 'back');
        d.insert(['spec', 'volumes'], { name: 'a' }, 'front');
      },
      [{ op: 'add', path: '/spec/volumes', value: [{ name: 'a' }, { name: 'b' }] }],
    ],
    [
      'an element of an empty list',
      { l: [] },
      (d) => d.put(['l'], { name: 'a' }, 'front'),
      [{ op: 'add', path: '/l/0', value: { name: 'a' } }],
    ],
    [
      'an element of that name where it stands',
      { l: [{ name: 'a' }, { name: 'b', v: 1 }] },
      (d) => d.put(['l'], { name: 'b', v: 2 }, 'front'),
      [{ op: 'replace', path: '/l/1', value: { name: 'b', v: 2 } }],
    ],
    [
      'within an element that another one was put before',
      { l: [{ name: 'a' }, { name: 'b' }] },
      (d) => {
        d.set(['l', '0', 'env'], []);
        d.insert(['l'], { name: 'first' }, 'front');
        d.insert(['l'], { name: 'last' }, 'back');
      },
      [
        { op: 'add', path: '/l/0', value: { name: 'first' } },
        { op: 'add', path: '/l/1/env', value: [] },
        { op: 'add', path: '/l/3', value: { name: 'last' } },
      ],
    ],
    [
      'a text among equal ones',
      { args: ['-v', 'x', '-v'] },
      (d) => d.insert(['args'], '-v', 'front'),
      [{ op: 'add', path: '/args/1', value: '-v' }],
    ],
    [
      'a number twice that was there once',
      { l: [1, 2, 3, 4] },
      (d) => {
        d.set(['l', '0'], 9);
        d.set(['l', '1'], 3);
        d.set(['l', '3'], 8);
      },
      [
        { op: 'replace', path: '/l/0', value: 9 },
        { op: 'remove', path: '/l/1' },
        { op: 'replace', path: '/l/2', value: 3 },
        { op: 'add', path: '/l/3', value: 8 },
      ],
    ],
    [
      'several things of a list at once',
      { l: [{ a: 1 }, { b: 1 }, { c: 1 }, { d: 1 }] },
      (d) => {
        d.remove(['l', '1']);
        d.set(['l', '1', 'c'], 2);
        d.set(['l', '2'], { e: 1 });
        d.insert(['l'], 0, 'front');
      },
      [
        { op: 'add', path: '/l/0', value: 0 },
        { op: 'remove', path: '/l/2' },
        { op: 'replace', path: '/l/2/c', value: 2 },
        { op: 'replace', path: '/l/3', value: { e: 1 } },
      ],
    ],
    [
      'an element out of the middle',
      { l: [1, 2, 3, 4] },
      (d) => {
        d.remove(['l', '1']);
        d.remove(['l', '1']);
      },
      [
        { op: 'remove', path: '/l/1' },
        { op: 'remove', path: '/l/1' },
      ],
    ],
  ])('sets %s', (_, object, edit, operations) => {
    expect(patchFor(object, edit)).toEqual(operations);
  });

  it('takes __proto__ and constructor for keys like others', () => {
    const object = JSON.parse('{"__proto__":{"a":1},"constructor":null}') as unknown;
    const operations = patchFor(object, (draft) => {
      draft.set(['__proto__', 'polluted'], true);
      draft.set(['new', '__proto__'], 'x');
      draft.set(['constructor', 'prototype'], 'y');
    });
    expect(JSON.stringify(operations)).toBe(
      '[{"op":"add","path":"/__proto__/polluted","value":true},{"op":"replace","path":"/constructor","value":{"prototype":"y"}},{"op":"add","path":"/new","value":{"__proto__":"x"}}]',
    );
    expect({}).not.toHaveProperty('polluted');
  });

  it('edits an object that is deeper than the stack', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`) as JsonValue;
    const draft = new Draft({ deep, metadata: {} });
    draft.set(['metadata', 'name'], 'x');
    draft.set(['deep'], structuredCloneOf(deep));
    expect(draft.finish()).toMatchObject({
      ok: true,
      operations: [{ op: 'add', path: '/metadata/name', value: 'x' }],
    });
  });

  it('gives a patch that makes exactly what is wanted', () => {
    const keys = fc.constantFrom('a', 'b', '0', '1', '/', '~', '~1', '', '__proto__', 'name');
    const value = fc.letrec<{ tree: JsonValue }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<JsonValue>(null, true, 0, 1, 'x'),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc
          .uniqueArray(fc.tuple(keys, tie('tree')), { maxLength: 4, selector: ([key]) => key })
          .map(
            (entries) =>
              JSON.parse(
                `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join()}}`,
              ) as JsonValue,
          ),
      ),
    })).tree;
    const path = fc.array(keys, { minLength: 1, maxLength: 3 });
    const where = fc.constantFrom<'front' | 'back'>('front', 'back');
    const edit = fc.oneof(
      fc.tuple(path, value).map(
        ([at, v]): Edit =>
          (d) =>
            d.set(at, v),
      ),
      path.map(
        (at): Edit =>
          (d) =>
            d.remove(at),
      ),
      fc.tuple(path, value, where).map(
        ([at, v, end]): Edit =>
          (d) =>
            d.insert(at, v, end),
      ),
      fc.tuple(path, keys, value, where).map(
        ([at, name, v, end]): Edit =>
          (d) =>
            d.put(at, { name, v }, end),
      ),
    );
    fc.assert(
      fc.property(value, fc.array(edit, { maxLength: 6 }), (object, edits) => {
        const before = JSON.stringify(object);
        const draft = new Draft(object);
        // Each edit on its own as well: only one that can be made is made.
        for (const each of edits) {
          const alone = new Draft(draft.get([]));
          each(alone);
          if (alone.finish().ok) each(draft);
        }
        const result = draft.finish();
        if (!result.ok) throw new Error(result.problem);
        expect(JSON.stringify(object)).toBe(before);
        expect(applyJsonPatch(object, result.operations)).toEqual(JSON.parse(JSON.stringify(result.wanted)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('changes nothing the second time, and has no operation more than there are edits', () => {
    const name = fc.constantFrom('a', 'b', 'c/d', 'e~f');
    const element = name.map((each) => ({ name: each, image: 'old' }));
    const pod = fc
      .tuple(
        fc.option(fc.dictionary(name, fc.constantFrom('old', 'new'))),
        fc.uniqueArray(element, { selector: (each) => each.name }),
      )
      .map(([annotations, containers]) => ({ metadata: { annotations }, spec: { containers } }));
    const where = fc.constantFrom<'front' | 'back'>('front', 'back');
    const edits = fc.tuple(
      fc.uniqueArray(fc.tuple(name, fc.constantFrom('new', undefined)), { selector: ([key]) => key }),
      fc.uniqueArray(fc.tuple(name, where, fc.constantFrom('old', 'new')), { selector: ([key]) => key }),
      fc.subarray(['volumes', 'initContainers']),
    );
    const edit = (
      draft: Draft,
      [annotations, containers, lists]: typeof edits extends fc.Arbitrary<infer E> ? E : never,
    ): void => {
      for (const [key, value] of annotations) {
        const path = ['metadata', 'annotations', key];
        if (value === undefined) draft.remove(path);
        else draft.set(path, value);
      }
      for (const [each, end, image] of containers)
        draft.put(['spec', 'containers'], { name: each, image }, end);
      for (const list of lists) draft.put(['spec', list], { name: 'kerbridge' }, 'front');
    };
    fc.assert(
      fc.property(pod, edits, (object, todo) => {
        const first = new Draft(object);
        edit(first, todo);
        const once = first.finish();
        if (!once.ok) throw new Error(once.problem);
        expect(applyJsonPatch(object, once.operations)).toEqual(once.wanted);
        expect(once.operations.length).toBeLessThanOrEqual(todo.flat().length);
        const second = new Draft(applyJsonPatch(object, once.operations));
        edit(second, todo);
        expect(second.finish()).toMatchObject({ ok: true, operations: [] });
      }),
      { numRuns: 500 },
    );
  });
});

/** structuredClone recurses. */
function structuredCloneOf(value: JsonValue): JsonValue {
  const texts: string[] = [];
  let inner: JsonValue = value;
  while (typeof inner === 'object' && inner !== null && 'a' in inner) {
    texts.push('{"a":');
    inner = inner['a'];
  }
  return JSON.parse(`${texts.join('')}1${'}'.repeat(texts.length)}`) as JsonValue;
}
