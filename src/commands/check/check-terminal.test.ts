import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A check that is under way when the output is closed, and undoes what it did: on a real pipe, in a process of its own. */
const UNDOING = `
  const { openCheckTerminal } = await import(${JSON.stringify(at('./check-terminal.ts'))});
  const { CheckRun } = await import(${JSON.stringify(at('../../preflight/check.ts'))});
  const { systemClock } = await import(${JSON.stringify(at('../../time/clock.ts'))});
  const terminal = openCheckTerminal();
  const run = new CheckRun({ clock: systemClock, timeoutMs: 60_000, signal: terminal.closed });
  const undoing = {
    id: 'undoing',
    title: 'Undoing',
    run: (signal) => new Promise((resolve) => {
      terminal.out('done\\n');
      const speak = setInterval(() => terminal.out('still there\\n'), 20);
      signal.addEventListener('abort', () => {
        clearInterval(speak);
        terminal.error('undone\\n');
        resolve([]);
      });
    }),
  };
  for await (const _ of run.run([undoing]));
  // Would keep the process alive.
  setInterval(() => undefined, 1000);
  terminal.exitWith(1);
`;

const start = (args: readonly string[]) => {
  const child = spawn(process.execPath, args, { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
  let error = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    error += text;
  });
  const ended = (async () => ({ code: (await once(child, 'close'))[0] as unknown, error }))();
  return { child, ended };
};

describe('openCheckTerminal', () => {
  it('lets a check undo what it did when the pipe is closed, and then ends the process', async () => {
    const { child, ended } = start(['--input-type=module', '--eval', UNDOING]);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await ended).toEqual({ code: 1, error: 'undone\n' });
  }, 30_000);

  it('is what kerbridge check has: nothing is thrown when nobody reads', async () => {
    const nothing = ['--hadoop-conf=/nonexistent', '--keytab=/nonexistent', '--kubeconfig=/nonexistent'];
    const { child, ended } = start([at('../../main.ts'), 'check', ...nothing]);
    child.stdout.destroy();
    expect(await ended).toEqual({ code: 1, error: '' });
  }, 30_000);
});
