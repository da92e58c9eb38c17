import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpnegoProcessEvent } from '../../../src/kerberos/spnego-process-event.ts';
import { createSpnegoProcess, type SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { endChild, forkBeside, isRunning, until } from './child-process.ts';
import { startSilentKdc, type SilentKdc } from './silent-kdc.ts';
import { startThrowawayKdc, type ThrowawayKdc } from './throwaway-kdc.ts';

jest.setTimeout(15_000);

describe('the child process', () => {
  let kdc: ThrowawayKdc;
  let silentKdc: SilentKdc;
  let keytab: string;
  let ends: (() => Promise<void>)[];

  beforeEach(async () => {
    ends = [];
    kdc = await startThrowawayKdc();
    silentKdc = await startSilentKdc();
    await kdc.addPrincipal('kerbridge');
    await kdc.addPrincipal('HTTP/localhost');
    keytab = await kdc.exportKeytab('kerbridge.keytab', 'kerbridge');
  });

  afterEach(async () => {
    await Promise.all(ends.map((end) => end()));
    await silentKdc.stop();
    await kdc.stop();
  });

  const ticketDirectories = async (): Promise<string[]> =>
    (await readdir(kdc.dir)).filter((name) => name.startsWith('kerbridge-tickets-'));

  interface Opened {
    readonly spnegoProcess: SpnegoProcess;
    /** Of the workers that were started. */
    readonly pids: number[];
    /** Why workers ended. */
    readonly endReasons: string[];
  }

  const open = async (krb5Conf: string): Promise<Opened> => {
    const pids: number[] = [];
    const endReasons: string[] = [];
    const spnegoProcess = await createSpnegoProcess({
      keytab,
      krb5Conf,
      ticketsParent: kdc.dir,
      environment: { PATH: '/usr/bin:/bin', SECRET_OF_THE_SERVER: 'secret' },
      onEvent: (event) => {
        if (event.type === 'worker-started') {
          pids.push(event.pid ?? 0);
        } else if (event.type === 'worker-ended') {
          endReasons.push(event.reason);
        }
      },
    });
    ends.push(() => spnegoProcess.close());
    return { spnegoProcess, pids, endReasons };
  };

  const startParent = (krb5Conf: string): { parent: ChildProcess; events: SpnegoProcessEvent[] } => {
    const events: SpnegoProcessEvent[] = [];
    const parent = forkBeside('./spnego-parent-process.ts', {
      OPTIONS: [keytab, krb5Conf, kdc.dir].join('\n'),
    });
    parent.on('message', (event) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own process beside this file
      events.push(event as SpnegoProcessEvent);
    });
    ends.push(() => endChild(parent));
    return { parent, events };
  };

  const pidOf = (events: readonly SpnegoProcessEvent[]): number => {
    const started = events.find((event) => event.type === 'worker-started');
    return started?.pid ?? 0;
  };

  it('keeps its tickets where only we can read, and knows nothing of our environment', async () => {
    const { spnegoProcess, pids } = await open(kdc.krb5Conf);
    await spnegoProcess.negotiate('localhost');
    const [directory = ''] = await ticketDirectories();
    expect((await stat(join(kdc.dir, directory))).mode & 0o777).toBe(0o700);
    expect((await stat(join(kdc.dir, directory, 'ccache'))).mode & 0o777).toBe(0o600);
    const environment = await readFile(`/proc/${pids[0]}/environ`, 'utf8');
    expect(environment).toContain('PATH=/usr/bin:/bin');
    expect(environment).not.toContain('SECRET_OF_THE_SERVER');
    expect(
      environment
        .split('\0')
        .map((variable) => variable.replace(/=.*/su, ''))
        .filter((name) => name !== '' && !name.startsWith('NODE_CHANNEL_'))
        .sort(),
    ).toEqual(['KRB5CCNAME', 'KRB5_CLIENT_KTNAME', 'KRB5_CONFIG', 'LC_ALL', 'PATH', 'UV_THREADPOOL_SIZE']);
  });

  it('killed in the middle of a step fails that one, and the next goes well', async () => {
    const krb5Conf = await kdc.writeKrb5Conf('present.conf', [silentKdc.port]);
    const { spnegoProcess, pids } = await open(krb5Conf);
    const first = spnegoProcess.negotiate('localhost');
    const caught = first.catch((error: unknown) => error);
    await until(() => silentKdc.calls() > 0);
    await kdc.writeKrb5Conf('present.conf', [kdc.port]);
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await expect(caught).resolves.toMatchObject({
      failure: 'process',
      message: expect.stringContaining('SIGKILL'),
    });
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
    expect(pids).toHaveLength(2);
  });

  it('killed while idle is not missed', async () => {
    const { spnegoProcess, pids, endReasons } = await open(kdc.krb5Conf);
    await spnegoProcess.negotiate('localhost');
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await until(() => endReasons.length > 0);
    expect(endReasons).toEqual(['it was ended by SIGKILL']);
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
  });

  it('killed while idle is not missed either when the next call comes before the news', async () => {
    const { spnegoProcess, pids, endReasons } = await open(kdc.krb5Conf);
    await spnegoProcess.negotiate('localhost');
    process.kill(pids[0] ?? 0, 'SIGKILL');
    expect(endReasons).toEqual([]);
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
    expect(pids).toHaveLength(2);
  });

  it('gets new tickets when somebody has cleaned up too thoroughly', async () => {
    const { spnegoProcess } = await open(kdc.krb5Conf);
    await spnegoProcess.negotiate('localhost');
    const [directory = ''] = await ticketDirectories();
    await rm(join(kdc.dir, directory), { recursive: true });
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
  });

  it('does not end by the signals of a terminal, which its parent may still need it after', async () => {
    const { spnegoProcess, pids } = await open(kdc.krb5Conf);
    await spnegoProcess.negotiate('localhost');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.kill(pids[0] ?? 0, signal);
    }
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
    expect(pids).toHaveLength(1);
  });

  it('ends with close(), and its tickets with it', async () => {
    const { spnegoProcess, pids } = await open(kdc.krb5Conf);
    await spnegoProcess.negotiate('localhost');
    await spnegoProcess.close();
    expect(isRunning(pids[0] ?? 0)).toBe(false);
    expect(await ticketDirectories()).toEqual([]);
  });

  it('ends with close() in the middle of a step', async () => {
    const krb5Conf = await kdc.writeKrb5Conf('silent.conf', [silentKdc.port]);
    const { spnegoProcess, pids } = await open(krb5Conf);
    const caught = spnegoProcess.negotiate('localhost').catch((error: unknown) => error);
    await until(() => silentKdc.calls() > 0);
    await spnegoProcess.close();
    await expect(caught).resolves.toMatchObject({ failure: 'process' });
    expect(isRunning(pids[0] ?? 0)).toBe(false);
    expect(await ticketDirectories()).toEqual([]);
  });

  it('goes when its parent is killed, and takes the tickets along', async () => {
    const { parent, events } = startParent(kdc.krb5Conf);
    await until(() => events.some(({ type }) => type === 'step'));
    expect(events).toContainEqual(expect.objectContaining({ type: 'step', outcome: 'ok' }));
    const pid = pidOf(events);
    expect(isRunning(pid)).toBe(true);
    expect(await ticketDirectories()).toHaveLength(1);
    parent.kill('SIGKILL');
    await until(() => !isRunning(pid));
    expect(await ticketDirectories()).toEqual([]);
  });

  // As in a container, where the kernel kills the worker together with its parent, process 1.
  const loseWorker = async (events: readonly SpnegoProcessEvent[]): Promise<void> => {
    await until(() => events.some(({ type }) => type === 'step'));
    process.kill(pidOf(events), 'SIGKILL');
    await until(() => events.some(({ type }) => type === 'worker-ended'));
    expect(await ticketDirectories()).toHaveLength(1);
  };

  it('need not be there for the tickets to go when its parent exits without closing', async () => {
    const { parent, events } = startParent(kdc.krb5Conf);
    await loseWorker(events);
    const exited = new Promise((resolve) => {
      parent.once('exit', resolve);
    });
    parent.send('exit');
    expect(await exited).toBe(1);
    expect(await ticketDirectories()).toEqual([]);
  });

  it('leaves tickets behind when both are killed, which the next process removes, and nothing of the living', async () => {
    const first = startParent(kdc.krb5Conf);
    await loseWorker(first.events);
    const [abandoned = ''] = await ticketDirectories();
    await endChild(first.parent);
    expect(await ticketDirectories()).toEqual([abandoned]);
    const second = startParent(kdc.krb5Conf);
    await until(() => second.events.some(({ type }) => type === 'step'));
    const [living = ''] = await ticketDirectories();
    expect(living).not.toBe(abandoned);
    expect(await ticketDirectories()).toEqual([living]);
    const { spnegoProcess } = await open(kdc.krb5Conf);
    await spnegoProcess.negotiate('localhost');
    expect(await ticketDirectories()).toHaveLength(2);
    expect(await ticketDirectories()).toContain(living);
  });

  it('goes when its parent is killed while a KDC holds it up', async () => {
    const { parent, events } = startParent(await kdc.writeKrb5Conf('silent.conf', [silentKdc.port]));
    await until(() => silentKdc.calls() > 0);
    const pid = pidOf(events);
    expect(isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    // Within the test's time-out: the step itself would last much longer.
    await until(() => !isRunning(pid));
    expect(await ticketDirectories()).toEqual([]);
  });
});
