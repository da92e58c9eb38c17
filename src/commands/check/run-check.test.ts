import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stringify } from 'yaml';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));

describe('kerbridge check, asked to end', () => {
  let folder: string;
  /** Takes connections and says nothing. */
  let silent: Server;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerbridge-run-check-'));
    silent = createServer((socket) => {
      sockets.push(socket.on('error', () => undefined));
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const kubeconfig = {
      clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${port}` } }],
      users: [{ name: 'u', user: { token: 'none' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    await writeFile(join(folder, 'kubeconfig'), stringify(kubeconfig));
  });

  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ['SIGINT', ['SIGINT']],
    ['SIGTERM', ['SIGTERM']],
    ['SIGHUP, twice and with SIGTERM, as a session does that closes', ['SIGHUP', 'SIGTERM', 'SIGHUP']],
  ] as const)(
    'ends the check under way and skips the rest at %s',
    async (_, signals) => {
      const options = ['--hadoop-conf=/nonexistent', '--keytab=/nonexistent', '--json'];
      const child = spawn(
        process.execPath,
        [MAIN, 'check', ...options, `--kubeconfig=${join(folder, 'kubeconfig')}`],
        { env: {}, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const seen = { out: '', error: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        seen.out += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        seen.error += text;
      });
      const closed = once(child, 'close');
      await once(silent, 'connection');
      for (const signal of signals) child.kill(signal);
      expect(await closed).toEqual([1, null]);
      expect(seen.error).toMatch(/^kerbridge check: ending; .*\n$/);
      const { findings } = JSON.parse(seen.out) as { findings: { outcome: string; detail: string }[] };
      expect(findings.at(-1)).toMatchObject({ outcome: 'skipped', detail: 'the run was ended' });
    },
    60_000,
  );
});
