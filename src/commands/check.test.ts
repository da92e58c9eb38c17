import { describe, expect, it } from '@jest/globals';
import { checkCommand } from './check.ts';
import { createProgram, runProgram } from './run-program.ts';

async function check(...args: readonly string[]) {
  const seen = { out: '', error: '', codes: [] as number[] };
  const command = checkCommand(() => ({
    closed: new AbortController().signal,
    out: (text) => {
      seen.out += text;
    },
    error: (text) => {
      seen.error += text;
    },
    exitWith: (code) => seen.codes.push(code),
  }));
  await command.parseAsync(args, { from: 'user' });
  return seen;
}

const NOTHING = [
  '--hadoop-conf=/nonexistent/conf',
  '--keytab=/nonexistent/keytab',
  '--kubeconfig=/nonexistent/k',
];

describe('kerbridge check', () => {
  it('finds all that is missing with the short options, and ends with 1', async () => {
    const { out, error, codes } = await check(...NOTHING);
    expect({ error, codes }).toEqual({ error: '', codes: [1] });
    for (const id of ['conf-dir:default', 'keytab:default', '[a-z-]*api-server']) {
      expect(out).toMatch(new RegExp(`^FAILED {3}.* {2}\\[${id}\\]\\n {9}.+\\n {9}fix: .+`, 'm'));
    }
    expect(out).toMatch(/\n\n\d+ failed, \d+ warning\(s\), \d+ ok, \d+ skipped\n$/);
  });

  it('prints one JSON document', async () => {
    const { out, codes } = await check(...NOTHING, '--json');
    const document = JSON.parse(out) as { findings: { outcome: string }[]; summary: Record<string, number> };
    expect(Object.keys(document)).toEqual(['findings', 'summary']);
    const count = document.findings.filter(({ outcome }) => outcome === 'failed').length;
    expect(document.summary['failed']).toBe(count);
    expect(codes).toEqual([1]);
  });

  it.each([
    ['nothing to check', []],
    ['a time that is none', ['--config=/x', '--timeout=soon']],
    ['no time', ['--config=/x', '--timeout=0']],
    ['an unknown option', ['--config=/x', '--nonsense']],
  ])('ends with 2 for %s', async (_, args) => {
    const program = createProgram();
    for (const each of [program, ...program.commands]) each.configureOutput({ writeErr: () => {} });
    expect(await runProgram(program, ['check', ...args])).toBe(2);
  });
});
