import type { Check } from './checks.ts';

/** One test as jest reports it. */
export interface TestResult {
  /** Path from the root of the checkout. */
  readonly file: string;
  readonly fullName: string;
  /** Without the titles of the describes around it. */
  readonly title: string;
  readonly status: string;
  readonly failureMessages: readonly string[];
}

export type Run =
  | {
      readonly outcome: 'finished';
      readonly tests: readonly TestResult[];
      readonly unloaded: readonly string[];
    }
  /** Did not end, or left no result. */
  | { readonly outcome: 'broken'; readonly why: string };

export interface LocatedCheck extends Check {
  /** Path from the root of the checkout. */
  readonly file: string;
}

/** What switching one check off did. Right only if some tests are tagged, all those failed, and nothing else is amiss. */
export interface Verdict {
  readonly id: string;
  /** `file:line` of the `if`. */
  readonly where: string;
  readonly tagged: number;
  readonly failedAsExpected: number;
  /** Tests that failed and don't have the tag. */
  readonly unexpected: readonly string[];
  /** Tests that have the tag and passed. */
  readonly missed: readonly string[];
  /** Why the run proves nothing. */
  readonly error?: string;
  readonly right: boolean;
}

/** The ids in brackets at the end of a title: `refuses a finished pod [pod-finished]`. */
export function tagsOf(title: string): string[] {
  const tags = /(?: \[[a-z][a-z0-9-]*\])+$/.exec(title)?.[0] ?? '';
  return [...tags.matchAll(/\[(.+?)\]/g)].map((match) => match[1] ?? '');
}

/** What is wrong before any check is switched off, one sentence each. `tests` are those of the run with all checks on. */
export function findProblems(
  checks: readonly LocatedCheck[],
  tests: readonly TestResult[],
  unloaded: readonly string[],
): string[] {
  const problems = unloaded.map((file) => `${file} can't be loaded`);
  for (const [index, { id, file, line }] of checks.entries()) {
    const first = checks.findIndex((check) => check.id === id);
    if (first !== index) problems.push(`${file}:${line}: there is another check ${id}`);
  }
  const known = new Set(checks.map(({ id }) => id));
  for (const test of tests) {
    const { title, status } = test;
    if (status === 'failed') problems.push(`fails with every check on: ${nameOf(test)}`);
    for (const tag of tagsOf(title)) {
      if (!known.has(tag)) problems.push(`there is no check ${tag}: ${nameOf(test)}`);
      else if (status !== 'passed' && status !== 'failed') problems.push(`does not run: ${nameOf(test)}`);
    }
  }
  return problems;
}

/** Compares the run with the check off with `all`, the tests of the run with all checks on. */
export function judge(check: LocatedCheck, all: readonly TestResult[], run: Run): Verdict {
  const { id } = check;
  const tagged = all.filter(({ title }) => tagsOf(title).includes(id));
  const start = { id, where: `${check.file}:${check.line}`, tagged: tagged.length };
  if (run.outcome === 'broken') {
    return { ...start, failedAsExpected: 0, unexpected: [], missed: [], error: run.why, right: false };
  }
  const failed = run.tests.filter(({ status }) => status === 'failed');
  const expected = failed.filter(({ title }) => tagsOf(title).includes(id));
  const unexpected = failed.filter(({ title }) => !tagsOf(title).includes(id)).map(nameOf);
  const missed = without(tagged.map(nameOf), expected.map(nameOf));
  const error = whatSpoilt(run, all);
  return {
    ...start,
    failedAsExpected: expected.length,
    unexpected,
    missed,
    ...(error === undefined ? {} : { error }),
    right: error === undefined && tagged.length > 0 && missed.length === 0 && unexpected.length === 0,
  };
}

/** A test that never ended, or never started, says nothing about the check. */
function whatSpoilt(run: Run & { outcome: 'finished' }, all: readonly TestResult[]): string | undefined {
  if (run.unloaded.length > 0) return `can't be loaded: ${run.unloaded.join(', ')}`;
  const hanging = run.tests.find(({ failureMessages }) =>
    failureMessages.some((message) => message.includes('Exceeded timeout of')),
  );
  if (hanging !== undefined) return `hangs: ${nameOf(hanging)}`;
  const files = new Set(run.tests.map(({ file }) => file));
  const ran = ({ status }: TestResult): boolean => status === 'passed' || status === 'failed';
  const before = all.filter((test) => files.has(test.file) && ran(test)).map(nameOf);
  const now = run.tests.filter(ran).map(nameOf);
  const [lost] = without(before, now);
  if (lost !== undefined) return `does not run: ${lost}`;
  const [added] = without(now, before);
  return added === undefined ? undefined : `runs only with the check off: ${added}`;
}

/** What is left of the first list; of two equal ones in it the second list has to have both. */
function without(list: readonly string[], taken: readonly string[]): string[] {
  const left = [...list];
  for (const one of taken) {
    const at = left.indexOf(one);
    if (at !== -1) left.splice(at, 1);
  }
  return left;
}

export function nameOf({ file, fullName }: TestResult): string {
  return `${file}: ${fullName}`;
}
