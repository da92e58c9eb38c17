import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');

/** All that git has, new ones too. */
async function shellScripts(): Promise<string[]> {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', '*.sh'];
  const { stdout } = await run('git', args, { cwd: ROOT });
  return stdout.split('\n').filter((path) => path !== '');
}

/** What a checker says against a script; nothing if it is content. */
async function complaint(command: string, ...args: readonly string[]): Promise<string> {
  try {
    await run(command, args, { cwd: ROOT });
    return '';
  } catch (error) {
    const { message, stdout = '' } = error as Error & { stdout?: string };
    return `${message}\n${stdout}`;
  }
}

describe('the shell scripts of the repository', () => {
  it('are there', async () => {
    expect(await shellScripts()).toEqual(
      expect.arrayContaining(['deploy/fetch-credentials.sh', 'test/bootstrap.sh']),
    );
  });

  it('have nothing that shellcheck minds', async () => {
    expect(await complaint('shellcheck', ...(await shellScripts()))).toBe('');
  });

  it.each([
    ['dash', ['-n']],
    ['busybox', ['sh', '-n']],
    ['bash', ['--posix', '-n']],
  ])('are understood by %s', async (shell, args) => {
    for (const script of await shellScripts()) {
      expect(`${script} ${await complaint(shell, ...args, script)}`).toBe(`${script} `);
    }
  });
});
