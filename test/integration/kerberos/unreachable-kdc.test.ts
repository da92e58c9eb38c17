import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { SpnegoProcessEvent } from '../../../src/kerberos/spnego-process-event.ts';
import { createSpnegoProcess, type SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { isRunning, until } from './child-process.ts';
import { startSilentKdc, type SilentKdc } from './silent-kdc.ts';
import { startThrowawayKdc, type ThrowawayKdc } from './throwaway-kdc.ts';

jest.setTimeout(15_000);

describe('a realm without a KDC that answers', () => {
  let kdc: ThrowawayKdc;
  let silentKdc: SilentKdc;
  let spnegoProcess: SpnegoProcess;
  let events: SpnegoProcessEvent[];

  beforeEach(async () => {
    kdc = await startThrowawayKdc();
    silentKdc = await startSilentKdc();
    await kdc.addPrincipal('kerbridge');
    await kdc.addPrincipal('HTTP/localhost');
    await kdc.addPrincipal('HTTP/other.throwaway.test');
    events = [];
    spnegoProcess = await createSpnegoProcess({
      keytab: await kdc.exportKeytab('kerbridge.keytab', 'kerbridge'),
      krb5Conf: await kdc.writeKrb5Conf('present.conf', [silentKdc.port]),
      ticketsParent: kdc.dir,
      stepTimeoutMs: 1500,
      waitTimeoutMs: 30_000,
      onEvent: (event) => events.push(event),
    });
  });

  afterEach(async () => {
    await spnegoProcess.close();
    await silentKdc.stop();
    await kdc.stop();
  });

  const startedPids = (): number[] =>
    events.flatMap((event) => (event.type === 'worker-started' ? [event.pid ?? 0] : []));

  it('fails in time, ends the child that hangs, and works again once there is one', async () => {
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
      failure: 'kdc-unreachable',
      message: expect.stringContaining('within 1500 ms'),
      fix: expect.stringContaining('KDCs listed in krb5.conf'),
    });
    expect(silentKdc.calls()).toBeGreaterThan(0);
    const [first] = startedPids();
    await until(() => first !== undefined && !isRunning(first));
    await kdc.writeKrb5Conf('present.conf', [kdc.port]);
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
    expect(startedPids()).toHaveLength(2);
  });

  it('fails everybody who waits, each after a try of his own', async () => {
    const results = await Promise.allSettled([1, 2, 3].map(() => spnegoProcess.negotiate('localhost')));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(startedPids()).toHaveLength(3);
  });

  it('says so at once when the connection is refused', async () => {
    await kdc.writeKrb5Conf('present.conf', [kdc.port]);
    await kdc.hangUp();
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
      failure: 'kdc-unreachable',
      message: expect.stringContaining('Cannot contact any KDC'),
    });
    await kdc.listen();
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
    expect(startedPids()).toHaveLength(1);
  });

  it('does not matter to a server whose ticket is there already, even after a child had to be ended', async () => {
    await kdc.writeKrb5Conf('present.conf', [kdc.port]);
    await spnegoProcess.negotiate('localhost');
    await kdc.hangUp();
    const fallenSilent = await startSilentKdc(kdc.port);
    await expect(spnegoProcess.negotiate('other.throwaway.test')).rejects.toMatchObject({
      failure: 'kdc-unreachable',
    });
    expect(startedPids()).toHaveLength(1);
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
    expect(startedPids()).toHaveLength(2);
    expect(fallenSilent.calls()).toBeGreaterThan(0);
    await fallenSilent.stop();
  });
});
