import { describe, expect, it } from '@jest/globals';
import { MAX_CONFIG_BYTES, readYaml } from './read-yaml.ts';

describe('readYaml', () => {
  it.each([
    ['nothing', '', {}],
    ['only comments', '# later\n', {}],
    ['plain data', 'a: {b: [1, x, true]}', { a: { b: [1, 'x', true] } }],
    ['a few aliases', 'a: &x {k: 1}\nb: *x', { a: { k: 1 }, b: { k: 1 } }],
    ['YAML 1.1 booleans as the words they are', 'a: no', { a: 'no' }],
  ])('reads %s', (_name, text, value) => {
    expect(readYaml(text)).toEqual({ ok: true, value });
  });

  const bomb = ['a0: &a0 [x]'];
  for (let level = 1; level < 12; level += 1) {
    bomb.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(',')}]`);
  }

  it.each([
    ['a duplicate key', 'a: 1\na: 2', /line 2.*unique/],
    ['a tag of JavaScript', 'a: !!js/function "() => 1"', /tag/],
    ['an unknown tag', 'a: !secret x', /tag/],
    ['two documents', 'a: 1\n---\nb: 1', /not valid YAML/],
    ['broken syntax', 'a: [1', /line/],
    ['a tab for indentation', 'a:\n\tb: 1', /line/],
    ['an alias to nothing', 'a: *x', /alias/i],
    ['an alias bomb', bomb.join('\n'), /alias/],
    ['a file without end', `# ${'x'.repeat(MAX_CONFIG_BYTES)}`, /larger/],
  ])('refuses %s', (_name, text, message) => {
    const result = readYaml(text);
    expect(result.ok).toBe(false);
    expect(result.ok ? '' : result.problems.map((problem) => problem.message).join()).toMatch(message);
  });

  it('repeats nothing of the file in a message', () => {
    const result = readYaml('password: hunter2\npassword: hunter2\nx: [hunter2');
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it('does not let a key reach the prototype', () => {
    const result = readYaml('__proto__: {polluted: true}');
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(result.ok).toBe(true);
  });
});
