import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './hadoop/hdfs-token-service.ts';
import { askCredentials, ServeWorld } from './serve/serve-world.ts';
import { startServe } from './serve-process.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

// Node strips no types below node_modules, so what is published must be JavaScript, the Kerberos child too.
describe('the npm package, as somebody would install it', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let installed: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder.path], { cwd: root });
    const listing = stdout.slice(stdout.search(/^[[{]/m));
    const tarball = /"filename":\s*"([^"]+)"/.exec(listing)?.[1] ?? '';
    const modules = join(folder.path, 'node_modules');
    await mkdir(modules);
    await run('tar', ['-xzf', join(folder.path, tarball), '-C', modules]);
    installed = join(modules, 'kerbridge');
    await run('mv', [join(modules, 'package'), installed]);
    // Its dependencies, without asking the registry again.
    for (const name of await readdir(join(root, 'node_modules'))) {
      if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(modules, name));
    }
  });

  afterAll(async () => {
    await folder[Symbol.asyncDispose]();
  });

  it('holds JavaScript and what a reader needs, and no TypeScript, test or key', async () => {
    const files = await readdir(installed, { recursive: true });
    expect(files).toEqual(
      expect.arrayContaining(['dist/main.js', 'package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']),
    );
    expect(files.filter((file) => /\.ts$|\.test\.|\.key$|fixtures|^test/.test(file))).toEqual([]);
  });

  it('says its version and explains itself', async () => {
    const bin = join(installed, 'dist/main.js');
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    const env = { ...process.env, PATH: `${join(process.execPath, '..')}:${process.env['PATH']}` };
    expect((await run(bin, ['--version'], { env })).stdout.trim()).toBe(version);
    expect((await run(bin, ['--help'], { env })).stdout).toMatch(/serve[\s\S]*fetch/);
  });

  it('serves a token of the real NameNode', async () => {
    await using world = await ServeWorld.create();
    const serve = await startServe({
      dir: world.folder,
      main: join(installed, 'dist/main.js'),
      config: {
        kubernetes: { kubeconfig: world.kubeconfig, audience: 'kerbridge' },
        clusters: [world.cluster()],
        delegationTokens: { storeNamespace: world.namespace.name },
      },
    });
    try {
      const { serviceAccountToken } = await world.pod({ user: 'alice' });
      const answer = await askCredentials(serve, serviceAccountToken);
      expect(answer).toMatchObject({ status: 200, json: { owner: 'alice' } });
    } finally {
      await serve.stop();
    }
  });
});
