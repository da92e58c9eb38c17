import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { hdfsControl } from '../../stack/stack.ts';
import { waitFor } from '../serve-process.ts';
import { askCredentials, AUDIENCE, ServeWorld } from './serve-world.ts';
import { TamperingProxy } from './tampering-proxy.ts';

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
    const [nameNode] = world.stack.hdfs.nameNodes;
    await using proxy = await TamperingProxy.before(nameNode?.httpUrl ?? '');
    const hadoopConf = await proxy.confDir(world.stack.hdfs, world.folder);
    const serve = await world.serve({
      clusters: [world.cluster({ hadoopConf })],
      shutdownDrainPeriod: '3s',
      shutdownGracePeriod: '15s',
    });
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const held = Promise.withResolvers<void>();
    proxy.hold = held.promise;
    const before = proxy.operations.length; // what comes next is the handshake, or the token
    const underWay = askCredentials(serve, serviceAccountToken);
    await waitFor(() => proxy.operations.length > before);
    const children = await childrenOf(serve.pid);
    expect(children.length).toBeGreaterThan(0);

    const stopped = serve.stop();
    await waitFor(() => serve.logLines().some(({ message }) => message === 'Shutting down'));
    const ready = await fetch(`${serve.adminUrl}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      status: 'shutting-down',
      dependencies: expect.not.arrayContaining([expect.objectContaining({ blocking: true })]),
    });
    // Who is still sent to us by an endpoint that does not know yet is answered, once.
    const late = await askCredentials(serve, undefined);
    expect(late.status).toBe(401);
    expect(late.headers.get('connection')).toBe('close');
    await waitFor(async () => (await fetch(serve.url).catch(() => 'refused')) === 'refused');

    held.resolve();
    expect((await underWay).status).toBe(200);
    expect(await stopped).toEqual({ exitCode: 0, signal: null });
    for (const child of children) expect(() => process.kill(child, 0)).toThrow('ESRCH');
  });

  it('audits at its end what it had turned away unread since the last summary', async () => {
    const serve = await world.serve();
    for (let request = 0; request < 3; request += 1) {
      const socket = connect(Number(new URL(serve.url).port), '127.0.0.1').end('garbage\r\n\r\n');
      socket.resume();
      await once(socket, 'close');
    }
    const audited = () =>
      serve.auditLines().flatMap(({ reason, requests }) => (reason === 'malformed' ? [requests] : []));
    await waitFor(() => audited().length > 0);
    expect(audited()).toEqual([1]);
    await serve.stop();
    expect(audited()).toEqual([1, 2]);
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
