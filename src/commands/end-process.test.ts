import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const SOURCE = fileURLToPath(new URL('./end-process.ts', import.meta.url));

describe('endProcess', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerbridge-end-'));
    execFileSync('mkfifo', [join(folder, 'fifo')]);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ['nothing else is under way', ''],
    ['a timer is set', 'setInterval(() => undefined, 1000);'],
    ['a read hangs', `void readFile('fifo').catch(() => undefined);`],
  ])(
    'ends with the code when %s',
    async (_, work) => {
      const script = `
      const { readFile } = await import('node:fs/promises');
      const { endProcess } = await import(${JSON.stringify(SOURCE)});
      ${work}
      // By then a thread is at it.
      setTimeout(() => endProcess(3), 100);
    `;
      const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
        env: {},
        cwd: folder,
        stdio: 'inherit',
        timeout: 20_000,
        killSignal: 'SIGKILL',
      });
      expect(await once(child, 'close')).toEqual([3, null]);
    },
    30_000,
  );
});
