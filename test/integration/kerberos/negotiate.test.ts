import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSpnegoProcess, type SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { startAcceptor, type Acceptor } from './acceptor.ts';
import { startThrowawayKdc, type ThrowawayKdc } from './throwaway-kdc.ts';

jest.setTimeout(15_000);

describe('SPNEGO with a real KDC and a real acceptor', () => {
  let kdc: ThrowawayKdc;
  let acceptor: Acceptor;
  let keytab: string;
  const opened: SpnegoProcess[] = [];

  const open = async (
    options: Partial<Parameters<typeof createSpnegoProcess>[0]> = {},
  ): Promise<SpnegoProcess> => {
    const spnegoProcess = await createSpnegoProcess({
      keytab,
      krb5Conf: kdc.krb5Conf,
      ticketsParent: kdc.dir,
      ...options,
    });
    opened.push(spnegoProcess);
    return spnegoProcess;
  };

  beforeAll(async () => {
    kdc = await startThrowawayKdc();
    await kdc.addPrincipal('kerbridge', '+requires_preauth');
    await kdc.addPrincipal('kerbridge/host.example.com');
    await kdc.addPrincipal('HTTP/localhost');
    keytab = await kdc.exportKeytab('kerbridge.keytab', 'kerbridge', 'kerbridge/host.example.com');
    acceptor = startAcceptor(kdc, await kdc.exportKeytab('http.keytab', 'HTTP/localhost'));
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((spnegoProcess) => spnegoProcess.close()));
  });

  afterAll(async () => {
    await acceptor.stop();
    await kdc.stop();
  });

  it('proves who we are, once per token', async () => {
    const spnegoProcess = await open();
    expect(spnegoProcess.principal).toBe('kerbridge@THROWAWAY.TEST');
    const spnegoToken = (await spnegoProcess.negotiate('LOCALHOST')).reveal();
    await expect(acceptor.accept(spnegoToken)).resolves.toEqual({ user: 'kerbridge@THROWAWAY.TEST' });
    await expect(acceptor.accept(spnegoToken)).resolves.toEqual({
      error: expect.stringContaining('Request is a replay'),
    });
  });

  it('speaks for the principal it is told to, not for the first one of the keytab', async () => {
    const spnegoProcess = await open({ principal: 'kerbridge/host.example.com@THROWAWAY.TEST' });
    const spnegoToken = (await spnegoProcess.negotiate('localhost')).reveal();
    await expect(acceptor.accept(spnegoToken)).resolves.toEqual({
      user: 'kerbridge/host.example.com@THROWAWAY.TEST',
    });
  });

  it('serves 200 callers at once with tokens that are all different and all good', async () => {
    const spnegoProcess = await open();
    const spnegoTokens = await Promise.all(
      Array.from({ length: 200 }, async () => (await spnegoProcess.negotiate('localhost')).reveal()),
    );
    expect(new Set(spnegoTokens).size).toBe(200);
    const answers = new Set<string>();
    for (const spnegoToken of spnegoTokens) {
      answers.add(JSON.stringify(await acceptor.accept(spnegoToken)));
    }
    expect(answers).toEqual(new Set(['{"user":"kerbridge@THROWAWAY.TEST"}']));
  });

  it('goes on after its tickets were discarded', async () => {
    const spnegoProcess = await open();
    await spnegoProcess.negotiate('localhost');
    spnegoProcess.discardTickets();
    const spnegoToken = (await spnegoProcess.negotiate('localhost')).reveal();
    await expect(acceptor.accept(spnegoToken)).resolves.toEqual({ user: 'kerbridge@THROWAWAY.TEST' });
  });

  it.each([
    ['a host the KDC has no HTTP principal for', 'nn.throwaway.test', 'HTTP principal'],
    ['a host of another realm', 'nn.example.com', '[domain_realm]'],
    ['an address', '127.0.0.1', 'HTTP principal'],
  ])('says that the service is unknown for %s', async (_, host, fix) => {
    const spnegoProcess = await open();
    await expect(spnegoProcess.negotiate(host)).rejects.toMatchObject({
      failure: 'unknown-service',
      message: expect.stringContaining(`HTTP@${host} as kerbridge@THROWAWAY.TEST`),
      fix: expect.stringContaining(fix),
    });
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
  });

  it('says which principals the keytab has when ours is not among them', async () => {
    const spnegoProcess = await open({ principal: 'nobody@THROWAWAY.TEST' });
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
      failure: 'credentials',
      message: expect.stringContaining('no entry of nobody@THROWAWAY.TEST'),
      fix: expect.stringContaining('kerbridge@THROWAWAY.TEST, kerbridge/host.example.com@THROWAWAY.TEST'),
    });
  });

  it('says that the keytab is missing, and takes it when it comes', async () => {
    const late = join(kdc.dir, 'late.keytab');
    const spnegoProcess = await open({ keytab: late, principal: 'kerbridge@THROWAWAY.TEST' });
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
      failure: 'credentials',
      message: `there is no keytab at ${late}`,
    });
    await kdc.exportKeytab('late.keytab', 'kerbridge');
    await expect(spnegoProcess.negotiate('localhost')).resolves.toBeDefined();
  });

  it('says that a file is no keytab', async () => {
    const garbage = join(kdc.dir, 'garbage.keytab');
    await writeFile(garbage, 'this is no keytab');
    const spnegoProcess = await open({ keytab: garbage, principal: 'kerbridge@THROWAWAY.TEST' });
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
      failure: 'credentials',
      message: expect.stringContaining('is no keytab'),
    });
    await expect(open({ keytab: garbage })).rejects.toMatchObject({ failure: 'credentials' });
  });

  it.each([
    ['missing', undefined, 'no readable krb5.conf'],
    ['empty', '', 'Cannot find KDC for realm'],
    ['malformed', '[libdefaults\n= {', 'Improper format'],
  ])('says that krb5.conf is %s', async (name, content, text) => {
    const krb5Conf = join(kdc.dir, `${name}.conf`);
    if (content !== undefined) {
      await writeFile(krb5Conf, content);
    }
    const spnegoProcess = await open({ krb5Conf });
    await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
      failure: 'configuration',
      message: expect.stringContaining(text),
    });
  });

  it('says that a principal is unknown to the KDC, or disabled there', async () => {
    await kdc.addPrincipal('deleted');
    await kdc.addPrincipal('disabled', '-allow_tix');
    const others = await kdc.exportKeytab('others.keytab', 'deleted', 'disabled');
    await kdc.deletePrincipal('deleted');
    for (const [name, text] of [
      ['deleted', 'not found in Kerberos database'],
      ['disabled', 'credentials have been revoked'],
    ] as const) {
      const spnegoProcess = await open({ keytab: others, principal: `${name}@THROWAWAY.TEST` });
      await expect(spnegoProcess.negotiate('localhost')).rejects.toMatchObject({
        failure: 'credentials',
        message: expect.stringContaining(text),
      });
    }
  });
});
