import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { copyFile, mkdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpnegoProcessEvent } from '../../../src/kerberos/spnego-process-event.ts';
import { createSpnegoProcess, type SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
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
    // The tickets at hand are still good.
    await spnegoProcess.negotiate('localhost');
    expect(asksOfKdc()).toBe(1);
    await copyFile(await kdc.exportKeytab('new.keytab', 'kerbridge'), keytab);
    await spnegoProcess.negotiate('localhost');
    expect(asksOfKdc()).toBe(2);
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
