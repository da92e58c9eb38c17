import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { hdfsControl } from '../../stack/stack.ts';
import { waitFor } from '../serve-process.ts';
import { askCredentials, AUDIENCE, ServeWorld } from './serve-world.ts';
import { startSilentKdc } from '../kerberos/silent-kdc.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');

describe('kerbridge serve as a process', () => {
  let world: ServeWorld;

  beforeAll(async () => {
    world = await ServeWorld.create();
    await hdfsControl(world.stack.hdfs).reset();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  function run(args: readonly string[]) {
    return new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
      const env = { PATH: process.env['PATH'] };
      const child = execFile(process.execPath, [MAIN, 'serve', ...args], { env }, (_error, stdout, stderr) =>
        resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
      );
    });
  }

  const childrenOf = async (pid: number): Promise<number[]> => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const parents = await Promise.all(
      pids.map(async (each) => {
        const status = await readFile(`/proc/${each}/status`, 'utf8').catch(() => '');
        return [each, Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1])] as const;
      }),
    );
    return parents.filter(([, parent]) => parent === pid).map(([each]) => each);
  };

  it('--check-config prints what follows from a good configuration and starts nothing', async () => {
    const checked = await run([
      ...['--hadoop-conf', world.stack.hdfs.confDir, '--keytab', world.stack.keytabs.kerbridge],
      ...['--kubeconfig', world.kubeconfig, '--check-config'],
    ]);
    // The conf dir says plain HTTP, which must be allowed by name.
    expect(checked.exitCode).toBe(2);
    expect(checked.stderr).toContain('allowPlainHttp');

    const file = join(world.folder, 'good.yaml');
    await writeFile(
      file,
      stringify({ clusters: [world.cluster()], kubernetes: { kubeconfig: world.kubeconfig } }),
    );
    const good = await run(['--config', file, '--check-config']);
    expect(good).toMatchObject({ exitCode: 0, stderr: '' });
    expect(good.stdout).toContain('configuration ok');
    expect(good.stdout).toContain('kerbridge@KERBRIDGE.TEST');
    expect(good.stdout).toContain(`127.0.0.1:${world.stack.hdfs.nameNodes[0]?.rpcPort}`);
  });

  it('reports every problem of a bad configuration at once and exits 2', async () => {
    const file = join(world.folder, 'bad.yaml');
    await writeFile(
      file,
      stringify({
        listen: { port: 'http' },
        surprise: true,
        shutdownGracePeriod: 30,
        clusters: [{ hadoopConf: 'relative', keytab: '/nonexistent' }],
      }),
    );
    const { exitCode, stderr, stdout } = await run(['--config', file]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    for (const field of ['listen.port', 'surprise', 'shutdownGracePeriod', 'clusters[0].hadoopConf']) {
      expect(stderr).toContain(field);
    }
  });

  it('SIGTERM: not ready first, the request under way is answered, exit 0, no child left', async () => {
    const silent = await startSilentKdc();
    const text = await readFile(world.stack.krb5Conf, 'utf8');
    const krb5Conf = join(world.folder, 'slow.conf');
    await writeFile(
      krb5Conf,
      text.replace(/^\s*kdc = .*$/m, () => `    kdc = 127.0.0.1:${silent.port}`),
    );
    const serve = await world.serve(
      {
        clusters: [world.cluster({ krb5Conf })],
        limits: { kerberosStepTimeout: '4s' },
        shutdownGracePeriod: '20s',
      },
      { untilReady: false },
    );
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const underWay = askCredentials(serve, serviceAccountToken);
    await waitFor(async () => (await childrenOf(serve.pid)).length > 0 && silent.calls() > 0);
    const children = await childrenOf(serve.pid);
    const stopped = serve.stop();
    await waitFor(async () => (await fetch(`${serve.adminUrl}/readyz`)).status === 503);
    await waitFor(async () => (await fetch(serve.url).catch(() => 'refused')) === 'refused');
    expect((await underWay).status).toBe(503); // an answer of ours, not a torn connection
    expect(await stopped).toEqual({ exitCode: 0, signal: null });
    for (const child of children) expect(() => process.kill(child, 0)).toThrow('ESRCH');
    await silent.stop();
  });

  it('a port that is taken: a clear error and exit 1', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const address = squatter.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const file = join(world.folder, 'taken.yaml');
    await writeFile(
      file,
      stringify({
        listen: { address: '127.0.0.1', port },
        admin: { port: 0 },
        clusters: [world.cluster()],
        kubernetes: { kubeconfig: world.kubeconfig, audience: AUDIENCE },
      }),
    );
    const { exitCode, stdout } = await run(['--config', file]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('EADDRINUSE');
    squatter.close();
  });

  it('killed with -9, it leaves no Kerberos child behind', async () => {
    const serve = await world.serve();
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    expect((await askCredentials(serve, serviceAccountToken)).status).toBe(200);
    const children = await childrenOf(serve.pid);
    expect(children.length).toBeGreaterThan(0);
    process.kill(serve.pid, 'SIGKILL');
    await waitFor(() =>
      children.every((child) => {
        try {
          return !process.kill(child, 0);
        } catch {
          return true;
        }
      }),
    );
  });
});
