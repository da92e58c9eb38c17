import type { Command } from 'commander';
import { describe, expect, it } from '@jest/globals';
import { createProgram, runProgram } from './run-program.ts';
import { stampKeysCommand } from './stamp-keys.ts';

const KID = '-_'.padEnd(43, 'a');

async function run(...args: readonly string[]) {
  const written: string[] = [];
  const program = createProgram();
  const quieten = (command: Command): void => {
    const write = (text: string) => written.push(text);
    command.configureOutput({ writeOut: write, writeErr: write });
    command.commands.forEach(quieten);
  };
  quieten(program);
  const code = await runProgram(program, ['stamp-keys', ...args]);
  return { code, text: written.join('') };
}

describe('kerbridge stamp-keys', () => {
  it.each<[string, string[], RegExp]>([
    ['nothing to do', [], /announce[\s\S]*promote[\s\S]*retire/],
    ['what it does not know', ['rotate'], /unknown command 'rotate'/],
    ['a key to announce', ['announce', '--key', KID], /unknown option '--key'/],
    ['no key to retire', ['retire'], /required option '--key <kid>' not specified/],
    ['a part of a kid', ['retire', '--key', KID.slice(1)], /want the whole kid, 43 characters/],
    ['what is no kid', ['promote', '--key', `${KID.slice(1)}!`], /want the whole kid/],
    ['a private key', ['promote', '--key', '{"kty":"OKP"}'], /want the whole kid/],
    ['both ways to retire', ['retire', '--key', KID, '--now', '--stolen'], /cannot be used with/],
    ['a theft to promote', ['promote', '--stolen'], /unknown option '--stolen'/],
    ['a path for a namespace', ['list', '--namespace', '..'], /want the name of a namespace/],
    ['a path for a Secret', ['list', '--secret', '../x'], /want a name/],
    ['several kubeconfigs', ['list', '--kubeconfig', '/a:/b'], /want one file/],
    ['more words than asked for', ['announce', 'now'], /too many arguments/],
  ])('explains %s and ends with 2', async (_name, args, message) => {
    const { code, text } = await run(...args);
    expect(text).toMatch(message);
    expect(code).toBe(2);
  });

  it.each([[['--help']], [['promote', '--help']]])('%j ends with 0', async (args) => {
    expect(await run(...args)).toMatchObject({ code: 0, text: expect.stringContaining('stamp-keys') });
  });

  it.each([['list'], ['announce'], ['promote'], ['retire', '--key', KID]])(
    '%s ends with 2 and the fix for a kubeconfig that is not there',
    async (...args) => {
      const seen = { out: '', error: '', codes: [] as number[] };
      const command = stampKeysCommand({
        out: (text) => {
          seen.out += text;
        },
        error: (text) => {
          seen.error += text;
        },
        exitWith: (code) => seen.codes.push(code),
      });
      await command.parseAsync([...args, '--kubeconfig', '/nonexistent'], { from: 'user' });
      expect(seen).toEqual({
        out: '',
        error:
          'kerbridge stamp-keys: cannot read the kubeconfig /nonexistent: ENOENT; name another with --kubeconfig and --context\n',
        codes: [2],
      });
    },
  );
});
