import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Run } from './judge.ts';

const root = join(import.meta.dirname, '../..');

/** Of one run. A check may be all that ends a loop. */
const TIMEOUT_MS = { mutant: 180_000, all: 900_000 };

interface JestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

export interface RunOptions {
  /** Id of the check that is off; none is without it. */
  readonly mutant?: string;
  /** Only the test files that import one of these, directly or not; all without it. Paths from the root. */
  readonly relatedTo?: readonly string[];
}

/** Runs unit tests in a process of its own. */
export async function runJest({ mutant = '', relatedTo }: RunOptions): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'kerbridge-mutant-'));
  const outputFile = join(folder, 'report.json');
  try {
    const { end, errors } = await run(
      [
        '--selectProjects=unit',
        // A mutant is one process: nothing is left behind when it must be killed.
        ...(mutant === '' ? [] : ['--runInBand']),
        // A test that fails may leave a server open, and jest would wait for it.
        '--forceExit',
        // Two at a time make each slow: what takes longer than this hangs.
        '--testTimeout=20000',
        '--json',
        `--outputFile=${outputFile}`,
        ...(relatedTo === undefined ? [] : ['--findRelatedTests', ...relatedTo]),
      ],
      // oxlint-disable-next-line no-restricted-properties -- handed on to the child
      { ...process.env, KERBRIDGE_MUTANT: mutant },
      mutant === '' ? TIMEOUT_MS.all : TIMEOUT_MS.mutant,
    );
    const text = await readFile(outputFile, 'utf8').catch(() => undefined);
    // 1 is jest's word for a failed test.
    if (text === undefined || (end !== 0 && end !== 1)) {
      const how = typeof end === 'string' ? end : `ended with code ${end}`;
      return { outcome: 'broken', why: `jest ${how}${errors === '' ? '' : `:\n${errors}`}` };
    }
    return readReport(JSON.parse(text) as JestReport);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readReport({ testResults }: JestReport): Run {
  const files = testResults.map((suite) => ({ ...suite, file: relative(root, suite.name) }));
  return {
    outcome: 'finished',
    tests: files.flatMap(({ file, assertionResults }) =>
      assertionResults.map(({ fullName, title, status, failureMessages }) => ({
        file,
        fullName,
        title,
        status,
        failureMessages: failureMessages ?? [],
      })),
    ),
    unloaded: files
      .filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0)
      .map(({ file }) => file),
  };
}

/** The exit code, or in words why there is none; and the last that jest wrote to stderr. */
function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<{ readonly end: number | string; readonly errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--experimental-vm-modules',
        join(root, 'node_modules/jest/bin/jest.js'),
        ...args,
      ],
      { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' },
    );
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-2000);
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      const end = code ?? (child.killed ? `did not end within ${timeoutMs} ms` : `was ended by ${signal}`);
      resolve({ end, errors: errors.trim() });
    });
  });
}
