import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createSpnegoProcess, type SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { startSilentKdc, type SilentKdc } from './silent-kdc.ts';
import { startThrowawayKdc, type ThrowawayKdc } from './throwaway-kdc.ts';
import { until } from './child-process.ts';

jest.setTimeout(15_000);

// MIT 1.20 waits ten seconds for the silent one, twice: for the ticket-granting ticket and for the service's.
const TEST_TIMEOUT_MS = 58_000;

describe('a silent KDC before a healthy one', () => {
  let kdc: ThrowawayKdc;
  let silentKdc: SilentKdc;
  let spnegoProcess: SpnegoProcess;

  beforeAll(async () => {
    kdc = await startThrowawayKdc();
    silentKdc = await startSilentKdc();
    await kdc.addPrincipal('kerbridge');
    await kdc.addPrincipal('HTTP/localhost');
    spnegoProcess = await createSpnegoProcess({
      keytab: await kdc.exportKeytab('kerbridge.keytab', 'kerbridge'),
      krb5Conf: await kdc.writeKrb5Conf('both.conf', [silentKdc.port, kdc.port]),
      ticketsParent: kdc.dir,
    });
  });

  afterAll(async () => {
    await spnegoProcess.close();
    await silentKdc.stop();
    await kdc.stop();
  });

  it(
    'does not hide it, and holds up nothing else in this process',
    async () => {
      const order: string[] = [];
      const negotiations = Promise.all(
        // More callers than the pool of this process has threads: if each held one, the rest would stand still.
        Array.from({ length: 6 }, () => spnegoProcess.negotiate('localhost')),
      ).then((spnegoTokens) => {
        order.push('negotiations');
        return spnegoTokens;
      });
      await until(() => silentKdc.calls() > 0);
      const delays = monitorEventLoopDelay({ resolution: 10 });
      delays.enable();
      for (let round = 0; round < 50; round += 1) {
        await Promise.all([readFile(kdc.krb5Conf), lookup('localhost')]);
      }
      order.push('files and names');
      delays.disable();
      expect(await negotiations).toHaveLength(6);
      expect(order).toEqual(['files and names', 'negotiations']);
      expect(silentKdc.calls()).toBeGreaterThanOrEqual(2);
      // A step is ten seconds long: had one run in this event loop, it would show as that.
      expect(delays.max / 1e6).toBeLessThan(5000);
    },
    TEST_TIMEOUT_MS,
  );
});
