import { describe, expect, it } from '@jest/globals';
import { findChecks, switchOff } from './checks.ts';

describe('findChecks', () => {
  it.each([
    ['an expression', '// check: a\nreturn x;'],
    ['a block', '// check: a\n{ if (x) y(); }'],
    ['a loop', '// check: a\nwhile (x) y();'],
    ['a conditional expression', '// check: a\nz = x ? 1 : 2;'],
    ['an assignment before the if', '// check: a\nconst z = 1;\nif (x) y();'],
    ['another comment', '// check: a\n// Why.\nif (x) y();'],
    ['a method that is named so', 'const o = {\n// check: a\nif (x: number) { return x; } };'],
    ['the end of the file', 'if (x) y();\n// check: a'],
  ])('finds a marker that stands before %s and not an if', (_, source) => {
    const { checks, problems } = findChecks(`function f() {\n${source}\n}`);
    expect(checks).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(/^line \d+: a has no if directly under it$/)]);
  });

  it('finds the first of two markers before one if', () => {
    const { checks, problems } = findChecks('// check: a\n// check: b\nif (x) y();');
    expect(checks.map(({ id }) => id)).toEqual(['b']);
    expect(problems).toEqual(['line 1: a has no if directly under it']);
  });

  it.each(['', 'A', 'a_b', 'a b', 'a-', '-a', '1', '<id>', 'a, b'])('refuses the id %j', (id) => {
    const { checks, problems } = findChecks(`\n// check: ${id}\nif (x) y();`);
    expect(checks).toEqual([]);
    expect(problems).toEqual([`line 2: ${JSON.stringify(id)} is not in kebab-case`]);
  });

  it.each([
    ['a string', "const s = '// check: a';\nif (x) y();"],
    ['a template', 'const s = `\n// check: a\nif (x) y();`;'],
    ['a regular expression', 'const s = /[/]/ / check; // and: check: a\nif (x) y();'],
    ['a block comment', '/*\n// check: a\n*/\nif (x) y();'],
    ['prose', '// We check: a\nif (x) y();'],
  ])('sees no marker in %s', (_, source) => {
    expect(findChecks(source)).toEqual({ checks: [], problems: [] });
  });

  it('finds several, with the lines of their ifs', () => {
    const source = [
      'function f(this: void, x?: string): x is "(" {',
      '  // check: first',
      '  if (x === undefined) return false;',
      '  if (x) {',
      '    //check: second-2 ',
      '',
      '    if (x) return true;',
      '  }',
      '  return false;',
      '}',
    ].join('\n');
    const { checks, problems } = findChecks(source);
    expect(problems).toEqual([]);
    expect(checks).toMatchObject([
      { id: 'first', line: 3 },
      { id: 'second-2', line: 7 },
    ]);
  });

  it('throws for what is no TypeScript', () => {
    expect(() => findChecks('// check: a\nif (x')).toThrow();
  });
});

describe('switchOff', () => {
  it.each([
    ['a short one', 'if (x) y();', 'if (false) y();'],
    ['a negation', 'if (!x) y();', 'if (false) y();'],
    ['a call', 'if (f(g(1), (2 + 3) * 4)) y();', 'if (false) y();'],
    ['one in parentheses', 'if ((a || b) && (c || d)) y();', 'if (false) y();'],
    ['one with comments', 'if (/* ) */ a /* ( */) y();', 'if (/* ) */ false /* ( */) y();'],
    ['one with a comment inside', 'if (a /* ) */ && b) y();', 'if (false) y();'],
    ['strings', `if (a === ')' || b === "if (" || c === '\\')') y();`, 'if (false) y();'],
    ['a template', 'if (a === `)${f(`(${b}`)}(`) y();', 'if (false) y();'],
    ['a regular expression', 'if (/[)/(]\\)/.test(a) || a / 2 > b / 3) y();', 'if (false) y();'],
    ['types', 'if ((a as (x: string) => boolean)(b!)) y();', 'if (false) y();'],
    ['a function', 'if (a.some((b) => { if (b) return true; return false; })) y();', 'if (false) y();'],
    ['several lines', 'if (\n  a &&\n  // ) why\n  b\n) y();', 'if (\n  false\n\n\n) y();'],
    ['an else', 'if (x) y(); else z();', 'if (false) y(); else z();'],
    ['an else if', 'if (x) y(); else if (z) w();', 'if (false) y(); else if (z) w();'],
    ['an if inside', 'if (x) { if (z) y(); }', 'if (false) { if (z) y(); }'],
  ])('replaces the condition only: %s', (_, statement, expected) => {
    const before = "const text = 'if (x)';\nif (before) b();\n// check: a\n";
    const after = '\nif (after) c();\n';
    expect(switchOff(`${before}${statement}${after}`, 'a')).toBe(`${before}${expected}${after}`);
  });

  it('replaces that of a marked else if', () => {
    const source = (condition: string): string =>
      `if (x) {\n  y();\n}\n// check: a\nelse if (${condition}) {\n  w();\n}`;
    expect(switchOff(source('z'), 'a')).toBe(source('false'));
  });

  it('leaves other checks and other files alone', () => {
    const source = '// check: a\nif (x) y();\n// check: a-b\nif (z) w();';
    expect(switchOff(source, 'a-b')).toBe('// check: a\nif (x) y();\n// check: a-b\nif (false) w();');
    expect(switchOff(source, 'b')).toBe(source);
  });
});
