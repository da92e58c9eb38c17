// Switches every security check off in turn: then exactly the unit tests that are tagged for it must fail.
//   node test/mutants/run.ts [--only id,id]
// A check is the `if` under a line `// check: <id>`, a tag is `[<id>]` at the end of a test's title. Exit code 0 only if
// every check is right. The result is in .results/mutants.json too.
import { glob, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findChecks } from './checks.ts';
import { findProblems, judge, type LocatedCheck, type Verdict } from './judge.ts';
import { runJest } from './run-jest.ts';

const AT_A_TIME = 2;

const root = join(import.meta.dirname, '../..');
const { values } = parseArgs({ options: { only: { type: 'string' } } });
const only = values.only?.split(',');

process.exitCode = (await main()) ? 0 : 1;

async function main(): Promise<boolean> {
  const { checks, problems } = await readSource();
  const unknown = only?.filter((id) => !checks.some((check) => check.id === id)) ?? [];
  if (unknown.length > 0) {
    say(`there is no check ${unknown.join(', ')}`);
    return false;
  }
  const chosen = only === undefined ? checks : checks.filter(({ id }) => only.includes(id));

  say(`${checks.length} checks; first the tests with all of them on ...`);
  const relatedTo = only === undefined ? {} : { relatedTo: chosen.map(({ file }) => file) };
  const unchanged = await runJest(relatedTo);
  if (unchanged.outcome === 'broken') {
    say(`with all checks on: ${unchanged.why}`);
    return false;
  }
  problems.push(...findProblems(checks, unchanged.tests, unchanged.unloaded));

  const verdicts: Verdict[] = [];
  const waiting = chosen.entries();
  const work = async (): Promise<void> => {
    for (const [index, check] of waiting) {
      const run = await runJest({ mutant: check.id, relatedTo: [check.file] });
      const verdict = judge(check, unchanged.tests, run);
      verdicts[index] = verdict;
      const done = verdicts.filter(() => true).length;
      say(
        `${done}/${chosen.length} ${verdict.right ? 'right' : 'WRONG'} ${check.id} ${wrongs(verdict)}`.trimEnd(),
      );
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));

  await mkdir(join(root, '.results'), { recursive: true });
  await writeFile(
    join(root, '.results/mutants.json'),
    `${JSON.stringify({ problems, verdicts }, undefined, 2)}\n`,
  );
  process.stdout.write(report(problems, verdicts));
  return problems.length === 0 && verdicts.length > 0 && verdicts.every(({ right }) => right);
}

async function readSource(): Promise<{ checks: LocatedCheck[]; problems: string[] }> {
  const checks: LocatedCheck[] = [];
  const problems: string[] = [];
  const files: string[] = [];
  for await (const file of glob('src/**/*.ts', { cwd: root })) files.push(file);
  for (const file of files.filter((name) => !name.endsWith('.test.ts')).toSorted()) {
    const found = findChecks(await readFile(join(root, file), 'utf8'));
    checks.push(...found.checks.map((check) => ({ ...check, file })));
    problems.push(...found.problems.map((problem) => `${file}: ${problem}`));
  }
  return { checks, problems };
}

/** What is wrong with it, in a line. */
function wrongs({ tagged, unexpected, missed, error }: Verdict): string {
  const [first] = [...unexpected, ...missed];
  if (error !== undefined) return `(${error.split('\n')[0]})`;
  if (tagged === 0) return '(no test has its tag)';
  return first === undefined ? '' : `(${unexpected.length} unexpected, ${missed.length} missed: ${first})`;
}

function report(problems: readonly string[], verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ id, where, tagged, failedAsExpected, unexpected, missed, right, error }) => [
    right ? '' : 'WRONG',
    id,
    where,
    String(tagged),
    String(failedAsExpected),
    String(unexpected.length),
    String(missed.length),
    error === undefined ? '' : 'error',
  ]);
  const lines = [
    '',
    ...table([['', 'check', 'where', 'tagged', 'failed', 'unexpected', 'missed', ''], ...rows]),
    '',
  ];
  for (const { id, tagged, unexpected, missed, error } of verdicts.filter(({ right }) => !right)) {
    lines.push(`${id}:`);
    if (error !== undefined) lines.push(`  proves nothing: ${error}`);
    if (tagged === 0) lines.push('  no test has its tag');
    for (const name of unexpected) lines.push(`  fails without the tag: ${name}`);
    for (const name of missed) lines.push(`  passes with the tag: ${name}`);
  }
  if (problems.length > 0) lines.push('', 'Problems:', ...problems.map((problem) => `  ${problem}`));
  const right = verdicts.filter((verdict) => verdict.right).length;
  lines.push('', `${right} of ${verdicts.length} checks right, ${problems.length} problems`, '');
  return lines.join('\n');
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function say(text: string): void {
  process.stderr.write(`mutants: ${text}\n`);
}
