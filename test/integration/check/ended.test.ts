import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { hdfsControl } from '../../stack/stack.ts';
import { CheckWorld } from './check-world.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');
/** Longer than the grace of most checks. */
const DELAY_MS = 5_500;

/** A real NameNode whose reply with the token comes late; by then somebody has ended the check. */
describe('kerbridge check, ended while a token is issued', () => {
  let world: CheckWorld;
  let slow: Server;
  let config: string;
  /** Resolves each time when a token was asked for. */
  let onIssue: () => void = () => undefined;

  beforeAll(async () => {
    world = await CheckWorld.create();
    const { hdfs } = world.stack;
    const hdfsSite = await readFile(join(hdfs.confDir, 'hdfs-site.xml'), 'utf8');
    const address = /<name>dfs\.namenode\.http-address<\/name>\s*<value>localhost:(\d+)</u.exec(hdfsSite);
    const port = Number(address?.[1]);
    slow = createServer((incoming, outgoing) => {
      const { method, url, headers } = incoming;
      const isIssue = url?.includes('op=GETDELEGATIONTOKEN') === true;
      const upstream = request({ host: 'localhost', port, method, path: url, headers }, (reply) => {
        void (async () => {
          if (isIssue && reply.statusCode === 200) {
            onIssue();
            await wait(DELAY_MS);
          }
          outgoing.writeHead(reply.statusCode ?? 500, reply.headers);
          reply.pipe(outgoing);
        })();
      });
      upstream.on('error', () => outgoing.destroy());
      incoming.pipe(upstream);
    }).listen(0, 'localhost');
    await once(slow, 'listening');
    const confDir = join(world.folder, 'conf');
    await cp(hdfs.confDir, confDir, { recursive: true });
    const slowPort = (slow.address() as AddressInfo).port;
    await writeFile(
      join(confDir, 'hdfs-site.xml'),
      hdfsSite.replaceAll(`localhost:${port}<`, `localhost:${slowPort}<`),
    );
    config = await world.writeConfig([world.cluster({ hadoopConf: confDir })]);
  });

  afterAll(async () => {
    slow.closeAllConnections();
    slow.close();
    await world[Symbol.asyncDispose]();
  });

  const start = (...args: readonly string[]) => {
    const child = spawn(process.execPath, [MAIN, 'check', '--config', config, '--user', 'alice', ...args], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const seen = { out: '', error: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      seen.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      seen.error += text;
    });
    return { child, seen, closed: once(child, 'close') };
  };

  const issued = (): Promise<void> =>
    new Promise((resolve) => {
      onIssue = resolve;
    });

  it.each(['SIGINT', '--timeout'] as const)(
    'cancels the token at %s, and says so',
    async (how) => {
      const control = hdfsControl(world.stack.hdfs);
      const before = await control.tokens();
      const asked = issued();
      const { child, seen, closed } = start(...(how === '--timeout' ? ['--timeout', '2'] : []));
      await asked;
      expect(await control.tokens()).toHaveLength(before.length + 1);
      if (how !== '--timeout') child.kill(how);
      expect(await closed).toEqual([1, null]);
      expect(seen.out).toMatch(/^ok {7}Cancellation of that token: cancelled/m);
      expect(seen.out).toMatch(/^(?:FAILED|skipped) {2} ?Renewal of that token/m);
      expect(await control.tokens()).toEqual(before);
    },
    60_000,
  );

  it('cancels the token when nobody reads any more', async () => {
    const control = hdfsControl(world.stack.hdfs);
    const before = await control.tokens();
    const { child, seen, closed } = start();
    // The finding after this one meets a closed pipe.
    child.stdout.on('data', () => {
      if (seen.out.includes('SPNEGO to')) child.stdout.destroy();
    });
    expect(await closed).toEqual([1, null]);
    expect(seen.error).toBe('');
    expect(await control.tokens()).toEqual(before);
  }, 60_000);
});
