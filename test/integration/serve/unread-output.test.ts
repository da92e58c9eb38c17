import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { freePort, waitFor } from '../serve-process.ts';
import { AUDIENCE, ServeWorld } from './serve-world.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');
/** A log line each of some 400 bytes: more than what the buffers of sockets, and our own, hold. */
const REQUESTS = 5_000;

describe('kerbridge serve whose standard output nobody reads', () => {
  let world: ServeWorld;
  let child: ChildProcess | undefined;

  beforeEach(async () => {
    world = await ServeWorld.create();
  }, 60_000);
  afterEach(async () => {
    child?.kill('SIGKILL');
    await world[Symbol.asyncDispose]();
  }, 60_000);

  it('goes on answering, and says how many log lines were dropped once it is read', async () => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const config = join(world.folder, 'unread.yaml');
    await writeFile(
      config,
      stringify({
        admin: { address: '127.0.0.1', port: adminPort },
        listen: { address: '127.0.0.1', port },
        shutdownDrainPeriod: '100ms',
        kubernetes: { kubeconfig: world.kubeconfig, audience: AUDIENCE },
        clusters: [world.cluster()],
        identity: { requireSignature: false, revocationsConfigMap: { namespace: world.namespace.name } },
        audit: { file: join(world.folder, 'audit.log') },
      }),
    );
    const serve = spawn(process.execPath, [MAIN, 'serve', '--config', config], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = serve;
    const adminUrl = `http://127.0.0.1:${adminPort}`;
    await waitFor(async () => (await fetch(`${adminUrl}/livez`).catch(() => undefined))?.status === 200);

    const headers = { Authorization: 'Bearer x.y.z' };
    for (let sent = 0; sent < REQUESTS; sent += 1) {
      const signal = AbortSignal.timeout(10_000);
      const response = await fetch(`http://127.0.0.1:${port}/v1/credentials`, { headers, signal });
      await response.arrayBuffer();
      expect(response.status).toBe(401);
    }
    const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
    const dropped = Number(/^kerbridge_log_lines_dropped_total (\d+)$/m.exec(metrics)?.[1]);
    expect(dropped).toBeGreaterThan(0);

    let output = '';
    serve.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await waitFor(() => output.includes('Log lines dropped'));
    serve.kill('SIGTERM');
    const [exitCode] = (await once(serve, 'close')) as [number | null];
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(exitCode).toBe(0);
    expect(lines.filter(({ message }) => message === 'Log lines dropped')).toEqual([
      expect.objectContaining({ level: 'error', lines: dropped }),
    ]);
    expect(lines.at(-1)).toMatchObject({ message: 'Shut down' });
  }, 120_000);
});
