import { describe, expect, it } from '@jest/globals';
import { createProgram, runProgram } from './run-program.ts';
import { revokeCommand } from './revoke.ts';

async function run(...args: readonly string[]) {
  const written: string[] = [];
  const program = createProgram();
  for (const command of [program, ...program.commands]) {
    const write = (text: string) => written.push(text);
    command.configureOutput({ writeOut: write, writeErr: write });
  }
  const code = await runProgram(program, ['revoke', ...args]);
  return { code, text: written.join('') };
}

describe('kerbridge revoke', () => {
  it.each<[string, string[], RegExp]>([
    ['nobody', [], /name --user, --pod or --list/],
    ['a UID alone', ['--uid', 'x'], /name --user, --pod or --list/],
    ['a user and a pod', ['--user', 'alice', '--pod', 'a/b'], /cannot be used with/],
    ['a user with a UID', ['--user', 'alice', '--uid', 'x'], /cannot be used with/],
    ['a list of somebody', ['--list', '--user', 'alice'], /cannot be used with/],
    ['taking back for a time', ['--undo', '--user', 'alice', '--for', '1h'], /cannot be used with/],
    ['a principal', ['--user', 'alice@EXAMPLE.COM'], /short name that Hadoop knows, here perhaps alice;/],
    ['a service principal', ['--user', 'alice/host@EXAMPLE.COM'], /here perhaps alice;/],
    ['a pattern', ['--user', 'al*'], /short name that Hadoop knows; no realm, no pattern/],
    ['a look-alike', ['--user', '\u0430lice'], /short name that Hadoop knows; no realm/],
    ['a pod without namespace', ['--pod', 'job-1'], /want namespace\/name/],
    ['a path for a pod', ['--pod', '../x'], /want namespace\/name/],
    ['a path for a namespace', ['--user', 'alice', '--namespace', '..'], /want the name of a namespace/],
    ['a path for a ConfigMap', ['--user', 'alice', '--config-map', '..'], /want a name/],
    ['an odd UID', ['--pod', 'a/b', '--uid', 'x y'], /want metadata\.uid/],
    ['an odd time', ['--user', 'alice', '--for', 'ever'], /at most 24d; leave it out/],
    ['a long time', ['--user', 'alice', '--for', '30d'], /at most 24d; leave it out/],
    ['a reason of two lines', ['--user', 'alice', '--reason', 'a\nb'], /one line/],
    ['several kubeconfigs', ['--user', 'alice', '--kubeconfig', '/a:/b'], /want one file/],
  ])('explains %s and ends with 2', async (_name, args, message) => {
    const { code, text } = await run(...args);
    expect(text).toMatch(message);
    expect(code).toBe(2);
  });

  it('ends with 2 and the fix for a kubeconfig that is not there', async () => {
    const seen = { out: '', error: '', codes: [] as number[] };
    const command = revokeCommand({
      out: (text) => {
        seen.out += text;
      },
      error: (text) => {
        seen.error += text;
      },
      exitWith: (code) => seen.codes.push(code),
    });
    await command.parseAsync(['--user', 'alice', '--kubeconfig', '/nonexistent'], { from: 'user' });
    expect(seen).toEqual({
      out: '',
      error:
        'kerbridge revoke: cannot read the kubeconfig /nonexistent: ENOENT; name another with --kubeconfig and --context\n',
      codes: [2],
    });
  });
});
