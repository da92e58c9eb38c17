import { describe, expect, it } from '@jest/globals';
import { parseJsonPath } from './json-path.ts';
import { EACH } from './path-pattern.ts';

const STEPS = 'only names, [n], [*] and a ".." at its start can be taken over';

describe('parseJsonPath', () => {
  it.each<[string, string, string]>([
    ['nothing before the name', 'metadata.annotations', 'it starts with none of "..", ".", "$", "[" and "/"'],
    ['a filter', "..containers[?(@.name=='a')].metadata", STEPS],
    ['a slice', '.spec.list[0:2].template', STEPS],
    ['a union', "..['Ps','Worker'].template.metadata.annotations", STEPS],
    ['a negative index', '.spec.list[-1]', STEPS],
    ['.. in the middle', '.spec..metadata.annotations', STEPS],
    ['.. three times', '...metadata', STEPS],
    ['a dot at the end', '..metadata.', STEPS],
    ['a bracket left open', ".spec['a'", STEPS],
    ['a quote left open', ".spec['a]", STEPS],
    ['empty brackets', '.spec[]', STEPS],
    ['a space', '.spec.a b', STEPS],
    ['braces within', '{.spec}{.metadata}', STEPS],
    ['an escape of something else', String.raw`.spec.a\b`, STEPS],
    ['no pointer', '/spec/~2', 'it is no JSON pointer'],
    ['a pointer too long', '/a'.repeat(33), 'it is no JSON pointer'],
    ['too many steps', '.a'.repeat(33), 'it has more than 32 steps'],
  ])('refuses %s', (_, path, problem) => {
    expect(parseJsonPath(path)).toEqual({ ok: false, problem });
  });

  it.each<[string, boolean, (string | typeof EACH)[]]>([
    ['..metadata.annotations', true, ['metadata', 'annotations']],
    ['{..metadata.annotations}', true, ['metadata', 'annotations']],
    ['$..template.metadata.annotations', true, ['template', 'metadata', 'annotations']],
    ["..['metadata']['annotations']", true, ['metadata', 'annotations']],
    ['..*.metadata', true, [EACH, 'metadata']],
    ['$.spec.template.metadata.annotations', false, ['spec', 'template', 'metadata', 'annotations']],
    ['.spec.list[*].template', false, ['spec', 'list', EACH, 'template']],
    ['.spec.*.template', false, ['spec', EACH, 'template']],
    ["$['spec'][\"a.b\"][0]['*']", false, ['spec', 'a.b', '0', '*']],
    [
      String.raw`.metadata.annotations.iddecorator\.username`,
      false,
      ['metadata', 'annotations', 'iddecorator.username'],
    ],
    ['.spec.a-b_c/d', false, ['spec', 'a-b_c/d']],
    ['/spec/tfReplicaSpecs/Ps/template', false, ['spec', 'tfReplicaSpecs', 'Ps', 'template']],
    ['/spec/*/a~1b', false, ['spec', EACH, 'a/b']],
    ['/', false, []],
    ['$', false, []],
    ['.', false, []],
    ['', false, []],
  ])('reads %s', (path, anywhere, segments) => {
    expect(parseJsonPath(path)).toEqual({ ok: true, anywhere, segments });
  });

  it('takes no time for a path of a megabyte', () => {
    for (const path of [
      '..'.repeat(500_000),
      'a'.repeat(1_000_000),
      `.${'a\\'.repeat(500_000)}`,
      '['.repeat(1_000_000),
    ]) {
      expect(parseJsonPath(path).ok).toBe(false);
    }
    expect(parseJsonPath(`.${'\\.a'.repeat(300_000)}`).ok).toBe(false);
    expect(parseJsonPath(`.a${'\\.a'.repeat(300_000)}`).ok).toBe(true);
  });
});
