import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findMarkedProcesses, isLive, parseStat } from '../../stack/processes.ts';
import { readErrorTable } from '../../fixtures/hadoop-replies/error-row.ts';
import { down, hdfsControl, kdcAdmin, readStack, runHadoopFs, status, up } from '../../stack/stack.ts';
import { openTokenService, temporaryFolder, writeCredentialsFile } from '../hadoop/hdfs-token-service.ts';

const CLI = join(import.meta.dirname, '../../stack/cli.ts');
const quiet = () => undefined;

// A second stack beside the one of the other tests: its own folder, its own ports.
describe('the local stack', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dir: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    dir = join(folder.path, 'stack');
  });

  afterAll(async () => {
    await down({ dir, progress: quiet });
    await folder[Symbol.asyncDispose]();
  });

  const pidOf = async (part: string): Promise<number> => {
    const { parts } = await status({ dir });
    const pid = parts.find((each) => each.part === part)?.pid;
    if (pid === undefined) throw new Error(`${part} does not run`);
    return pid;
  };

  it('a runner killed in the middle leaves nothing that down does not end', async () => {
    const runner = spawn(process.execPath, [CLI, 'up', '--dir', dir], { stdio: 'ignore' });
    while ((await findMarkedProcesses(dir)).length === 0 && runner.exitCode === null) await delay(20);
    runner.kill('SIGKILL');
    await once(runner, 'exit');
    expect((await findMarkedProcesses(dir)).length).toBeGreaterThan(0);
    await down({ dir, progress: quiet });
    expect(await findMarkedProcesses(dir)).toEqual([]);
    await expect(readStack(dir)).rejects.toThrow(/is not up|lacks/);
  });

  it('comes up with short token lives, every port on loopback, and again without a change', async () => {
    const first = await up({
      dir,
      progress: quiet,
      prometheus: true,
      tokenRenewIntervalMs: 20_000,
      tokenMaxLifetimeMs: 60_000,
    });
    expect((await status({ dir })).up).toBe(true);
    const pids = new Set((await findMarkedProcesses(dir)).map(({ pid }) => pid));
    const addresses = await listeningAddresses(pids);
    expect(addresses.length).toBeGreaterThanOrEqual(9);
    expect(addresses.filter((address) => !isLoopback(address))).toEqual([]);

    const again = await up({ dir, progress: quiet });
    expect(again).toEqual(first);
    expect(new Set((await findMarkedProcesses(dir)).map(({ pid }) => pid))).toEqual(pids);
  });

  it('gives tokens of the lives that were asked for', async () => {
    const stack = await readStack(dir);
    await using hdfs = await openTokenService(stack, stack.hdfs);
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    expect(token.maxDate - token.issueDate).toBe(60_000n);
    const known = await hdfsControl(stack.hdfs).tokens();
    expect(known).toEqual([expect.objectContaining({ sequenceNumber: token.sequenceNumber })]);
    expect((known[0]?.renewDate ?? 0) - Number(token.issueDate)).toBe(20_000);
  });

  it.each([
    ['the HDFS JVM', 'hdfs'],
    ['the KDC', 'kdc'],
    ['kube-apiserver', 'kube-apiserver'],
    ['Prometheus', 'prometheus'],
  ])('mends %s after kill -9', async (_name, part) => {
    const killed = await pidOf(part);
    process.kill(killed, 'SIGKILL');
    while (await isRunning(killed)) await delay(20);
    expect((await status({ dir })).up).toBe(false);
    const stack = await up({ dir, progress: quiet });
    expect((await status({ dir })).up).toBe(true);
    expect(await pidOf(part)).not.toBe(killed);

    // Mended means usable: a token, and a client that reads with it what only alice may read.
    await using hdfs = await openTokenService(stack, stack.hdfs);
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    const tokenFile = join(folder.path, `${part}.token`);
    await writeCredentialsFile(tokenFile, token, hdfs.services);
    const args = ['-ls', '/user/alice'];
    expect(await runHadoopFs(stack, { confDir: stack.hdfs.confDir, tokenFile, args })).toMatchObject({
      exitCode: 0,
    });
  });

  // Ruins the realm for the running NameNode, so it is here, on a stack of its own, and next to last.
  it('a NameNode whose HTTP key was changed answers as row server-keytab-stale of the error table says', async () => {
    const row = (await readErrorTable()).find(({ id }) => id === 'server-keytab-stale');
    const stack = await readStack(dir);
    await kdcAdmin(stack).rotateKey(`HTTP/localhost@${stack.realm}`);
    await using hdfs = await openTokenService(stack, stack.hdfs);
    const refused = hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    await expect(refused).rejects.toMatchObject({
      ...row?.expected,
      message: expect.stringContaining('Checksum failed'),
      fix: expect.stringContaining('keytab'),
    });
  });

  it('down ends every process, keeps the logs, and is content when nothing runs', async () => {
    const { logsDir } = await readStack(dir);
    await down({ dir, progress: quiet });
    expect(await findMarkedProcesses(dir)).toEqual([]);
    expect(await readdir(logsDir)).toEqual(
      expect.arrayContaining(['hdfs.log', 'kdc.log', 'kube-apiserver.log']),
    );
    await down({ dir, progress: quiet });
  });
});

async function isRunning(pid: number): Promise<boolean> {
  const stat = parseStat(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
  return stat !== undefined && isLive(stat);
}

/** Local addresses, as the kernel writes them, of the listening TCP sockets of these processes. */
async function listeningAddresses(pids: ReadonlySet<number>): Promise<string[]> {
  const found: string[] = [];
  for (const pid of pids) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const links = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
    const inodes = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
    for (const table of ['tcp', 'tcp6']) {
      for (const line of (await readFile(`/proc/${pid}/net/${table}`, 'utf8')).split('\n').slice(1)) {
        const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
        if (state === '0A' && inodes.has(inode)) found.push(local.split(':')[0] ?? '');
      }
    }
  }
  return found;
}

const isLoopback = (hex: string): boolean =>
  hex === '0100007F' || // 127.0.0.1, IPv4
  hex === '0000000000000000FFFF00000100007F' || // the same, mapped into IPv6
  hex === '00000000000000000000000001000000'; // ::1
