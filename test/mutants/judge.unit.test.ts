import { describe, expect, it } from '@jest/globals';
import { findProblems, judge, type LocatedCheck, type Run, tagsOf, type TestResult } from './judge.ts';

const check: LocatedCheck = { id: 'a', file: 'src/a.ts', line: 3, condition: { start: 0, end: 1 } };

function test(title: string, status = 'passed', rest: Partial<TestResult> = {}): TestResult {
  return { file: 'src/a.test.ts', fullName: `a ${title}`, title, status, failureMessages: [], ...rest };
}

function finished(tests: readonly TestResult[], unloaded: readonly string[] = []): Run {
  return { outcome: 'finished', tests, unloaded };
}

const all = [test('refuses [a]'), test('refuses that too [b] [a]'), test('works')];

describe('tagsOf', () => {
  it.each([
    ['refuses [a]', ['a']],
    ['refuses [a-b2] [c]', ['a-b2', 'c']],
    ['refuses', []],
    ['refuses [a] sometimes', []],
    ['refuses[a]', []],
    ['refuses []', []],
    ['refuses [A]', []],
    ['refuses [a b]', []],
    ['refuses [a-z][a-z0-9]', []],
  ])('of %j', (title, tags) => {
    expect(tagsOf(title)).toEqual(tags);
  });
});

describe('findProblems', () => {
  const clean = [test('refuses [a]')];

  it.each([
    [
      'two checks of one id',
      [check, { ...check, line: 9 }],
      clean,
      [],
      'src/a.ts:9: there is another check a',
    ],
    ['a tag without a check', [check], [test('no [b]')], [], 'there is no check b: src/a.test.ts: a no [b]'],
    ['a failing test', [check], [test('no', 'failed')], [], 'fails with every check on: src/a.test.ts: a no'],
    [
      'a tagged test that is skipped',
      [check],
      [test('no [a]', 'pending')],
      [],
      'does not run: src/a.test.ts: a no [a]',
    ],
    ['a file that can not be loaded', [check], clean, ['src/b.test.ts'], "src/b.test.ts can't be loaded"],
  ])('finds %s', (_, checks, tests, unloaded, problem) => {
    expect(findProblems(checks, tests, unloaded)).toEqual([problem]);
  });

  it('finds none where all is well', () => {
    expect(findProblems([check, { ...check, id: 'b' }], [...all, test('later', 'pending')], [])).toEqual([]);
  });
});

describe('judge', () => {
  const right = [test('refuses [a]', 'failed'), test('refuses that too [b] [a]', 'failed'), test('works')];

  it.each([
    [
      'a tagged test that passes',
      [right[0], all[1], all[2]],
      { missed: ['src/a.test.ts: a refuses that too [b] [a]'] },
    ],
    [
      'another test that fails',
      [right[0], right[1], test('works', 'failed')],
      { unexpected: ['src/a.test.ts: a works'] },
    ],
    ['a test that does not run', [right[0], right[1]], { error: 'does not run: src/a.test.ts: a works' }],
    [
      'a test that is skipped',
      [right[0], right[1], test('works', 'pending')],
      { error: 'does not run: src/a.test.ts: a works' },
    ],
    [
      'a test of another name',
      [...right, test('more')],
      { error: 'runs only with the check off: src/a.test.ts: a more' },
    ],
    [
      'a test that hangs',
      [
        test('refuses [a]', 'failed', {
          failureMessages: ['thrown: "Exceeded timeout of 5000 ms for a test.'],
        }),
        right[1],
        right[2],
      ],
      { error: 'hangs: src/a.test.ts: a refuses [a]' },
    ],
  ])('is wrong for %s', (_, tests, expected) => {
    const verdict = judge(check, all, finished(tests.filter((one) => one !== undefined)));
    expect(verdict).toMatchObject({ ...expected, right: false });
  });

  it('is wrong for a test file that can not be loaded', () => {
    expect(judge(check, all, finished(right, ['src/b.test.ts']))).toMatchObject({
      error: "can't be loaded: src/b.test.ts",
      right: false,
    });
  });

  it('is wrong for a run without a result', () => {
    expect(judge(check, all, { outcome: 'broken', why: 'killed' })).toMatchObject({
      tagged: 2,
      error: 'killed',
      right: false,
    });
  });

  it('is wrong for a check without a test', () => {
    const untagged = [test('works')];
    expect(judge(check, untagged, finished(untagged))).toMatchObject({ tagged: 0, right: false });
  });

  it('is wrong for a tagged test in a file that was not run', () => {
    const elsewhere = test('elsewhere [a]', 'passed', { file: 'src/c.test.ts' });
    expect(judge(check, [...all, elsewhere], finished(right))).toMatchObject({
      missed: ['src/c.test.ts: a elsewhere [a]'],
      right: false,
    });
  });

  it('counts tests of one name one by one', () => {
    const twice = [test('refuses [a]'), test('refuses [a]')];
    expect(judge(check, twice, finished([test('refuses [a]', 'failed'), test('refuses [a]')]))).toMatchObject(
      {
        tagged: 2,
        failedAsExpected: 1,
        missed: ['src/a.test.ts: a refuses [a]'],
        right: false,
      },
    );
  });

  it('is right when exactly the tagged tests fail', () => {
    expect(judge(check, all, finished(right))).toEqual({
      id: 'a',
      where: 'src/a.ts:3',
      tagged: 2,
      failedAsExpected: 2,
      unexpected: [],
      missed: [],
      right: true,
    });
  });

  it('does not mind tests of files that were not run, nor tests that are always skipped', () => {
    const more = [...all, test('later', 'pending'), test('elsewhere', 'passed', { file: 'src/c.test.ts' })];
    expect(judge(check, more, finished([...right, test('later', 'pending')])).right).toBe(true);
  });
});
