import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');
/** Another checkout's client can be held against the same table. */
const MAIN = process.env['KERBRIDGE_FETCH_MAIN'] ?? join(ROOT, 'src/main.ts');
export const SCRIPT = join(ROOT, 'deploy/fetch-credentials.sh');
const DEBIAN_PATH = '/usr/local/bin:/usr/bin:/bin';

/** One of the two clients, on one of the shells. */
export interface Client {
  readonly name: string;
  readonly command: readonly string[];
  /** What it is to find as PATH; a folder for it to make that in. */
  readonly path: (folder: string) => Promise<string>;
}

/** All that has the contract of docs/fetch.md. */
export const CLIENTS: readonly Client[] = [
  {
    name: 'kerbridge fetch',
    command: [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, 'fetch'],
    path: async () => DEBIAN_PATH,
  },
  { name: 'dash', command: ['dash', SCRIPT], path: async () => DEBIAN_PATH },
  // Nothing but the applets of busybox, its sh too, and curl: what the smallest image has.
  { name: 'busybox', command: ['sh', SCRIPT], path: busyboxPath },
  ...(process.env['KERBRIDGE_FETCH_BASH'] === undefined
    ? []
    : [{ name: 'bash', command: ['bash', '--posix', SCRIPT], path: async () => DEBIAN_PATH }]),
].filter(({ name }) => (process.env['KERBRIDGE_FETCH_CLIENTS'] ?? name).split(',').includes(name));

async function busyboxPath(folder: string): Promise<string> {
  const find = async (name: string) => (await run('sh', ['-c', `command -v ${name}`])).stdout.trim();
  const bin = join(folder, 'busybox');
  await mkdir(bin);
  await run(await find('busybox'), ['--install', '-s', bin]);
  await symlink(await find('curl'), join(bin, 'curl'));
  return bin;
}
