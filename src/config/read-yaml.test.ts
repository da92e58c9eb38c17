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

  it.each([
    'password: hunter2\npassword: hunter2\nx: [hunter2',
    'password: !hunter2secret x',
    'password: !!hunter2secret x',
    'password: !hunter2secret [x]',
    'password: !<hunter2> x',
    'password: !hunter2!x y',
    'password: *hunter2',
    'password: &hunter2: x',
    'password: "\\hunter2"',
    '%hunter2 x\n---\na: 1',
    '%TAG ! hunter2 x\n---\na: 1',
    '%YAML hunter2\n---\na: 1',
    'password: @hunter2',
    'password: a: hunter2',
    'hunter2',
    '? [hunter2]\n: x',
    'password: |hunter2\n  x',
    'password: "hunter2',
  ])('repeats nothing of the file in a message: %j', (text) => {
    const result = readYaml(text);
    if (result.ok) expect(text).toMatch(/^hunter2$|^\?/);
    else expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it.each(['!hunter2secret x', '!!hunter2secret x', '!hunter2secret [x]'])(
    'still names the place where %s is',
    (value) => {
      expect(readYaml(`a: 1\npassword: ${value}`)).toMatchObject({
        ok: false,
        problems: [{ message: expect.stringMatching(/at line 2: a tag/) }],
      });
    },
  );

  it('does not let a key reach the prototype', () => {
    const result = readYaml('__proto__: {polluted: true}');
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(result.ok).toBe(true);
  });
});
