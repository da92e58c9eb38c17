// Runs the jest projects named on the command line, unit first, and sums up what jest itself wrote:
//   node test/run-jest.ts unit integration [-- jest options]
// The projects integration and e2e get a local stack of their own, taken down afterwards, unless KERBRIDGE_STACK_DIR
// names one that is up already; before e2e the images are built. Exit code 0 only if every test passed and at least one
// ran.
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

interface JestResult {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly duration?: number | null;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const PROJECTS = ['unit', 'integration', 'e2e'];
const WITH_STACK = ['integration', 'e2e'];
const root = join(import.meta.dirname, '..');
const resultsDir = join(root, '.results');

const separator = process.argv.indexOf('--');
const projects = process.argv.slice(2, separator === -1 ? undefined : separator);
const jestOptions = separator === -1 ? [] : process.argv.slice(separator + 1);
if (projects.length === 0 || projects.some((project) => !PROJECTS.includes(project))) {
  process.stderr.write(`usage: node test/run-jest.ts ${PROJECTS.join('|')}... [-- jest options]\n`);
  process.exit(2);
}

await mkdir(resultsDir, { recursive: true });
const results: JestResult[] = [];
let broken = false;
for (const project of projects) {
  if (project === 'e2e') await buildImages();
  if (project === 'integration') await buildControllerManager();
  const { exitCode, result } = WITH_STACK.includes(project)
    ? await withStack((env) => runJest(project, env))
    : await runJest(project, {});
  if (result !== undefined) results.push(result);
  // jest says 1 for a failed test; a missing file or another code is a runner that did not get through.
  if (result === undefined || (exitCode !== 0 && result.numFailedTests === 0)) broken = true;
}
process.exitCode = (await report()) && !broken ? 0 : 1;

async function runJest(project: string, env: Record<string, string>) {
  const outputFile = join(resultsDir, `${project}.json`);
  await rm(outputFile, { force: true });
  const exitCode = await run(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--experimental-vm-modules',
      join(root, 'node_modules/jest/bin/jest.js'),
      '--selectProjects',
      project,
      // These tests share the servers of one stack and break them on purpose. A test that fails may leave a
      // process or a socket open; the run must end all the same and say so.
      ...(WITH_STACK.includes(project) ? ['--runInBand', '--forceExit'] : []),
      '--json',
      `--outputFile=${outputFile}`,
      ...jestOptions,
    ],
    env,
  );
  const text = await readFile(outputFile, 'utf8').catch(() => undefined);
  return { exitCode, result: text === undefined ? undefined : (JSON.parse(text) as JestResult) };
}

async function buildImages(): Promise<void> {
  if ((await run(process.execPath, [join(import.meta.dirname, 'containers/cli.ts'), 'build'], {})) === 0)
    return;
  process.stderr.write('the images were not built: see above\n');
  process.exit(1);
}

async function withStack<T>(work: (env: Record<string, string>) => Promise<T>): Promise<T> {
  // eslint-disable-next-line no-restricted-properties -- the runner's own knob
  const given = process.env['KERBRIDGE_STACK_DIR'];
  if (given !== undefined && given !== '') return await work({ KERBRIDGE_STACK_DIR: given });
  // eslint-disable-next-line no-restricted-properties -- XDG
  const state = process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state');
  const dir = join(state, 'kerbridge/stack-test');
  const stack = (...args: string[]) =>
    run(process.execPath, [join(import.meta.dirname, 'stack/cli.ts'), ...args, '--dir', dir], {});
  if ((await stack('up', '--ha', '--prometheus')) !== 0) {
    process.stderr.write('the local stack did not come up: see above\n');
    await stack('down');
    process.exit(1);
  }
  try {
    return await work({ KERBRIDGE_STACK_DIR: dir });
  } finally {
    await stack('down');
  }
}

async function buildControllerManager(): Promise<void> {
  const script = join(import.meta.dirname, 'stack/build-controller-manager.ts');
  if ((await run(process.execPath, [script], {})) === 0) return;
  process.stderr.write('kube-controller-manager could not be built: see above\n');
  process.exit(1);
}

/** stdout of the child goes to stderr: jest --json prints the whole result there. */
function run(command: string, args: readonly string[], env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      // eslint-disable-next-line no-restricted-properties -- handed on to the child
      env: { ...process.env, ...env },
      stdio: ['ignore', args.includes('--json') ? 'ignore' : 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

async function report(): Promise<boolean> {
  const suites = results.flatMap((result) => result.testResults);
  const tests = suites.flatMap((suite) =>
    suite.assertionResults.map((test) => ({ ...test, file: suite.name.replace(`${root}/`, '') })),
  );
  const sum = (pick: (result: JestResult) => number) => results.reduce((total, one) => total + pick(one), 0);
  // A file that can't be loaded runs no test; it counts as one failure, not as nothing.
  const unloaded = suites.filter((suite) => suite.status === 'failed' && suite.assertionResults.length === 0);
  const passed = sum((result) => result.numPassedTests);
  const failed = sum((result) => result.numFailedTests) + unloaded.length;
  const skipped = sum((result) => result.numPendingTests + result.numTodoTests);

  const slowest = tests.toSorted((a, b) => (b.duration ?? 0) - (a.duration ?? 0)).slice(0, 10);
  const lines = ['', 'Slowest ten tests:'];
  for (const test of slowest) {
    lines.push(`  ${((test.duration ?? 0) / 1000).toFixed(1).padStart(6)} s  ${test.file}: ${test.fullName}`);
  }
  for (const suite of suites) {
    const seconds = (suite.endTime - suite.startTime) / 1000;
    if (seconds > 60)
      lines.push(`over 60 s: ${suite.name.replace(`${root}/`, '')} took ${seconds.toFixed(0)} s`);
  }
  const failures = tests.filter((test) => test.status === 'failed');
  if (failures.length + unloaded.length > 0) lines.push('', 'Failures:');
  for (const test of failures) lines.push(`  ${test.file}: ${test.fullName}`, ...test.failureMessages);
  for (const suite of unloaded) lines.push(`  ${suite.name.replace(`${root}/`, '')}`, suite.message);
  const closing = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  process.stdout.write(`${lines.join('\n')}\n\n${closing}\n`);
  const name = projects.join('-') === 'unit-integration' ? 'all' : projects.join('-');
  await writeFile(
    join(resultsDir, `summary-${name}.json`),
    JSON.stringify({ passed, failed, skipped, closing }),
  );
  return failed === 0 && passed > 0;
}
