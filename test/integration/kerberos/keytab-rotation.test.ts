import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SpnegoProcessEvent } from '../../../src/kerberos/spnego-process-event.ts';
import { createSpnegoProcess, type SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { until } from './child-process.ts';
import { startThrowawayKdc, type ThrowawayKdc } from './throwaway-kdc.ts';

jest.setTimeout(15_000);

describe.each([
  ['without preauthentication', [], 'Decrypt integrity check failed'],
  ['with preauthentication', ['+requires_preauth'], 'Preauthentication failed'],
])('a rotated key, %s', (_, flags, text) => {
  let kdc: ThrowawayKdc;
  let keytab: string;
  let spnegoProcess: SpnegoProcess;
  let events: SpnegoProcessEvent[];

  beforeEach(async () => {
    kdc = await startThrowawayKdc();
    await kdc.addPrincipal('kerbridge', ...flags);
    await kdc.addPrincipal('HTTP/localhost');
    keytab = await kdc.exportKeytab('kerbridge.keytab', 'kerbridge');
    events = [];
    spnegoProcess = await createSpnegoProcess({
      keytab,
      krb5Conf: kdc.krb5Conf,
      ticketsParent: kdc.dir,
      onEvent: (event) => events.push(event),
    });
  });

  afterEach(async () => {
    await spnegoProcess.close();
    await kdc.stop();
  });

  const asksOfKdc = (): number => events.filter(({ type }) => type === 'worker-started').length;

  it('is named as the cause, with the fix', async () => {
    await kdc.rotateKey('kerbridge');
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
      failure: 'credentials',
      message: expect.stringContaining(text),
      fix: expect.stringContaining('Export the keytab anew'),
    });
  });

  it('works again as soon as the new keytab is there', async () => {
    await kdc.rotateKey('kerbridge');
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({ failure: 'credentials' });
    await rename(await kdc.exportKeytab('new.keytab', 'kerbridge'), keytab);
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
    expect(events).toContainEqual({ type: 'keytab-changed', principals: ['kerbridge@THROWAWAY.TEST'] });
    expect(asksOfKdc()).toBe(2);
  });

  it('needs no restart when the keytab changes while all is well', async () => {
    await spnegoProcess.negotiate('localhost');
    await kdc.rotateKey('kerbridge');
    // The tickets at hand are still good: the KDC's key signed them, not ours.
    await spnegoProcess.negotiate('localhost');
    await copyFile(await kdc.exportKeytab('new.keytab', 'kerbridge'), keytab);
    await spnegoProcess.negotiate('localhost');
    await kdc.addPrincipal('HTTP/other.throwaway.test');
    await spnegoProcess.negotiate('other.throwaway.test');
    expect(asksOfKdc()).toBe(1);
    // Without them the key that the KDC has now is needed, and there.
    spnegoProcess.discardTickets();
    await spnegoProcess.negotiate('localhost');
    expect(asksOfKdc()).toBe(2);
  });

  it('exported wrongly, or not at all, does not stop us while the tickets are good', async () => {
    await spnegoProcess.negotiate('localhost');
    await kdc.addPrincipal('HTTP/other.throwaway.test');
    await kdc.addPrincipal('HTTP/another.throwaway.test');
    await kdc.addPrincipal('HTTP/third.throwaway.test');
    const good = await readFile(keytab);
    // Another realm's key under our name: its bytes are changed.
    await writeFile(
      keytab,
      good.map((byte, at) => (at > good.length - 12 && at < good.length - 4 ? byte ^ 0xff : byte)),
    );
    await spnegoProcess.negotiate('other.throwaway.test');
    await rename(await kdc.exportKeytab('foreign.keytab', 'HTTP/localhost'), keytab);
    await spnegoProcess.negotiate('another.throwaway.test');
    await rm(keytab);
    await spnegoProcess.negotiate('third.throwaway.test');
    expect(asksOfKdc()).toBe(1);
    expect(events.filter(({ type }) => type === 'keytab-unusable')).toHaveLength(2);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'keytab-unusable', reason: `there is no keytab at ${keytab}` }),
    );
    spnegoProcess.discardTickets();
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
      failure: 'credentials',
      message: `there is no keytab at ${keytab}`,
    });
    await writeFile(keytab, good);
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
  });

  it('comes in through a Secret volume, whose link swings over', async () => {
    const volume = join(kdc.dir, 'volume');
    await mkdir(join(volume, '..v1'), { recursive: true });
    await mkdir(join(volume, '..v2'));
    await copyFile(keytab, join(volume, '..v1', 'keytab'));
    await symlink('..v1', join(volume, '..data'));
    await symlink('..data/keytab', join(volume, 'keytab'));
    await using mounted = await createSpnegoProcess({
      keytab: join(volume, 'keytab'),
      krb5Conf: kdc.krb5Conf,
      ticketsParent: kdc.dir,
    });
    await kdc.rotateKey('kerbridge');
    await expect(mounted.negotiate('localhost')).rejects.toMatchObject({ failure: 'credentials' });
    await copyFile(await kdc.exportKeytab('new.keytab', 'kerbridge'), join(volume, '..v2', 'keytab'));
    await symlink('..v2', join(volume, '..data_tmp'));
    await rename(join(volume, '..data_tmp'), join(volume, '..data'));
    await expect(mounted.negotiate('localhost')).resolves.toBeDefined();
  });
});

describe('a key rotated while tickets of 12 seconds last', () => {
  let kdc: ThrowawayKdc;

  beforeEach(async () => {
    kdc = await startThrowawayKdc({ maxLife: '12s' });
  });

  afterEach(async () => {
    await kdc.stop();
  });

  it('is taken from the new keytab before they end, and no call fails', async () => {
    await kdc.addPrincipal('kerbridge', '+requires_preauth');
    await kdc.addPrincipal('HTTP/localhost');
    const keytab = await kdc.exportKeytab('kerbridge.keytab', 'kerbridge');
    const { krb5Conf, dir: ticketsParent } = kdc;
    await using spnegoProcess = await createSpnegoProcess({ keytab, krb5Conf, ticketsParent });
    await spnegoProcess.negotiate('localhost');
    await kdc.rotateKey('kerbridge');
    await rename(await kdc.exportKeytab('new.keytab', 'kerbridge'), keytab);
    await until(async () => {
      await spnegoProcess.negotiate('localhost');
      await delay(100);
      return (await kdc.ticketsIssuedAt('kerbridge')).size > 1;
    });
    expect(await kdc.preauthFailures('kerbridge')).toBe(0);
  }, 30_000);
});

describe('a key that the KDC refuses', () => {
  let kdc: ThrowawayKdc;

  beforeEach(async () => {
    kdc = await startThrowawayKdc();
  });

  afterEach(async () => {
    await kdc.stop();
  });

  it('is not shown to it again, however many call, until the keytab changes', async () => {
    await kdc.addPrincipal('kerbridge', '+requires_preauth');
    await kdc.addPrincipal('HTTP/localhost');
    const keytab = await kdc.exportKeytab('kerbridge.keytab', 'kerbridge');
    const { krb5Conf, dir: ticketsParent } = kdc;
    await using spnegoProcess = await createSpnegoProcess({ keytab, krb5Conf, ticketsParent });
    await kdc.rotateKey('kerbridge');
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({ failure: 'credentials' });
    // More than once: libkrb5 may repeat itself within one step.
    const shown = await kdc.preauthFailures('kerbridge');
    expect(shown).toBeGreaterThan(0);
    const calls = Array.from({ length: 20 }, () => spnegoProcess.negotiate('localhost'));
    const results = await Promise.allSettled(calls);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(await kdc.preauthFailures('kerbridge')).toBe(shown);
    await rename(await kdc.exportKeytab('new.keytab', 'kerbridge'), keytab);
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
    expect(await kdc.preauthFailures('kerbridge')).toBe(shown);
  });
});
