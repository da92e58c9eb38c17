import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { createSpnegoProcess, type SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { startAcceptor, type Acceptor } from './acceptor.ts';
import { startThrowawayKdc, type ThrowawayKdc } from './throwaway-kdc.ts';

jest.setTimeout(15_000);

const TICKET_LIFE_MS = 15_000;
const LONG_ENOUGH_MS = 2.2 * TICKET_LIFE_MS;

describe('tickets of 15 seconds', () => {
  let kdc: ThrowawayKdc;
  let acceptor: Acceptor;
  let spnegoProcess: SpnegoProcess;

  beforeAll(async () => {
    kdc = await startThrowawayKdc({ maxLife: `${TICKET_LIFE_MS / 1000}s` });
    await kdc.addPrincipal('kerbridge');
    await kdc.addPrincipal('HTTP/localhost');
    spnegoProcess = await createSpnegoProcess({
      keytab: await kdc.exportKeytab('kerbridge.keytab', 'kerbridge'),
      krb5Conf: kdc.krb5Conf,
      ticketsParent: kdc.dir,
    });
    acceptor = startAcceptor(kdc, await kdc.exportKeytab('http.keytab', 'HTTP/localhost'));
  });

  afterAll(async () => {
    await spnegoProcess.close();
    await acceptor.stop();
    await kdc.stop();
  });

  it('are refreshed without a call ever failing', async () => {
    const end = systemClock.now() + LONG_ENOUGH_MS;
    while (systemClock.now() < end) {
      const spnegoTokens = await Promise.all(
        Array.from({ length: 10 }, () => spnegoProcess.negotiate('localhost')),
      );
      const [one] = spnegoTokens;
      // The acceptor would refuse an expired ticket, which the client might still send.
      await expect(acceptor.accept(one?.reveal() ?? '')).resolves.toEqual({
        user: 'kerbridge@THROWAWAY.TEST',
      });
      await delay(100);
    }
    // The first, and those that took its place; how many calls there were is a matter of the machine.
    expect((await kdc.ticketsIssuedAt('kerbridge')).size).toBeGreaterThanOrEqual(2);
  }, 50_000);
});
