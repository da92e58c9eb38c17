import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { createProgram, runProgram } from './run-program.ts';

/** A program that writes into `written`. */
function quietProgram() {
  const written: string[] = [];
  const program = createProgram();
  for (const command of [program, ...program.commands]) {
    const write = (text: string) => written.push(text);
    command.configureOutput({ writeOut: write, writeErr: write });
  }
  return { program, written };
}

describe('kerbridge', () => {
  it.each([
    ['no command', [], /Usage/],
    ['an unknown command', ['serf'], /unknown command 'serf'/],
    ['an unknown option', ['serve', '--port', '1'], /unknown option '--port'/],
    ['an option without its value', ['serve', '--config'], /argument missing/],
    [
      'a level that is none',
      ['serve', '--log-level', 'loud'],
      /Allowed choices are debug, info, warn, error/,
    ],
    ['more words than asked for', ['serve', 'now'], /too many arguments/],
  ])('explains %s and ends with 2', async (_name, args, message) => {
    const { program, written } = quietProgram();
    expect(await runProgram(program, args)).toBe(2);
    expect(written.join('')).toMatch(message);
  });

  it.each([[['--help']], [['serve', '--help']], [['--version']]])('%j ends with 0', async (args) => {
    const { program, written } = quietProgram();
    expect(await runProgram(program, args)).toBe(0);
    expect(written.join('')).not.toBe('');
  });

  it('is what main.ts runs, with its exit codes', async () => {
    const main = fileURLToPath(new URL('../main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, 'serf'], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
    expect(await once(child, 'close')).toEqual([2, null]);
  }, 60_000);
});
