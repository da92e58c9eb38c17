import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startSilentKdc } from '../kerberos/silent-kdc.ts';
import { startThrowawayKdc, type ThrowawayKdc } from '../kerberos/throwaway-kdc.ts';
import { freePort } from '../serve-process.ts';
import { CheckWorld } from './check-world.ts';

/** One test a cause: what is found, and which words of the fix. A realm of the test's own, the NameNode of the stack. */
describe('kerbridge check, Kerberos', () => {
  let world: CheckWorld;
  let kdc: ThrowawayKdc;
  let keytab: string;

  beforeAll(async () => {
    world = await CheckWorld.create();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    kdc = await startThrowawayKdc();
    await kdc.addPrincipal('kerbridge', '+requires_preauth');
    await kdc.addPrincipal('HTTP/localhost');
    keytab = await kdc.exportKeytab('kerbridge.keytab', 'kerbridge');
  });

  afterEach(async () => {
    await kdc.stop();
  });

  const check = (change: Readonly<Record<string, unknown>> = {}) =>
    world.check({ keytab, krb5Conf: kdc.krb5Conf, ...change });

  it('finds nothing wrong with a keytab and a KDC that agree', async () => {
    const { of } = await check();
    expect(of(`kdc:stack/127.0.0.1:${kdc.port}`)).toMatchObject({ outcome: 'ok', detail: 'answers' });
    expect(of(`clock-kdc:stack/127.0.0.1:${kdc.port}`).outcome).toBe('ok');
    expect(of('keytab-keys:stack').detail).toBe('version 1: aes256-cts-hmac-sha1-96');
    expect(of('login:stack').outcome).toBe('ok');
  });

  it('names a stale keytab, and makes no second step with it', async () => {
    await kdc.rotateKey('kerbridge');
    const { exitCode, of } = await check();
    expect(of('login:stack')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/Preauthentication failed|Decrypt integrity check failed/),
      fix: expect.stringMatching(/Export the keytab anew \(kadmin: ktadd; Active Directory: ktpass\)/),
    });
    expect(of('keytab:stack').outcome).toBe('ok');
    expect(of('spn:stack/' + nameNode())).toMatchObject({ outcome: 'skipped', detail: 'login:stack failed' });
    expect(exitCode).toBe(1);
    // libkrb5 tries twice within one step.
    expect(await kdc.preauthFailures('kerbridge')).toBeLessThanOrEqual(2);
  });

  it('names a missing keytab, and looks at all that needs none', async () => {
    const { exitCode, of } = await check({
      keytab: '/nonexistent/kerbridge.keytab',
      principal: 'kerbridge@THROWAWAY.TEST',
    });
    expect(of('keytab:stack')).toMatchObject({
      outcome: 'failed',
      detail: 'there is no keytab at /nonexistent/kerbridge.keytab',
      fix: expect.stringMatching(/export one \(kadmin: ktadd -k FILE PRINCIPAL; Active Directory: ktpass\)/),
    });
    expect(of('conf-dir:stack').outcome).toBe('ok');
    expect(of(`kdc:stack/127.0.0.1:${kdc.port}`).outcome).toBe('ok');
    expect(of('namenode:stack/' + nameNode()).outcome).toBe('ok');
    expect(of('login:stack')).toMatchObject({ outcome: 'skipped', detail: 'keytab:stack failed' });
    expect(exitCode).toBe(1);
  });

  it('names a file that is no keytab', async () => {
    const file = join(world.folder, 'base64.keytab');
    await writeFile(file, 'BQIAAABK');
    const { of } = await check({ keytab: file });
    expect(of('keytab:stack')).toMatchObject({
      outcome: 'failed',
      fix: expect.stringContaining('a Secret may hold it in base64 twice'),
    });
  });

  it('names a wrong principal, and those that the keytab has', async () => {
    const { exitCode, of } = await check({ principal: 'kerbridge/gateway.example.com@THROWAWAY.TEST' });
    expect(of('keytab-principal:stack')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('has no key of kerbridge/gateway.example.com@THROWAWAY.TEST'),
      fix: expect.stringMatching(/Set principal of this cluster to .*kerbridge@THROWAWAY\.TEST.*ktadd/),
    });
    expect(of('login:stack').outcome).toBe('skipped');
    expect(exitCode).toBe(1);
  });

  it('names a wrong realm', async () => {
    const { of } = await check({ principal: 'kerbridge@OTHER.TEST' });
    expect(of('keytab-principal:stack').fix).toMatch(
      /realm differs: set principal .* kerbridge@THROWAWAY\.TEST/,
    );
    expect(of('krb5-conf:stack')).toMatchObject({
      outcome: 'failed',
      fix: expect.stringContaining('OTHER.TEST = { kdc = HOST }'),
    });
  });

  it('names a principal that the KDC has not', async () => {
    await kdc.deletePrincipal('kerbridge');
    const { of } = await check();
    expect(of(`kdc:stack/127.0.0.1:${kdc.port}`)).toMatchObject({
      outcome: 'warning',
      fix: expect.stringContaining('kadmin: addprinc'),
    });
    expect(of('login:stack')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('not found in Kerberos database'),
      fix: expect.stringContaining('create it there (kadmin: addprinc) or correct the configured name'),
    });
  });

  it('warns of a keytab that everybody may read', async () => {
    await chmod(keytab, 0o644);
    const { of } = await check();
    expect(of('keytab-permissions:stack')).toMatchObject({
      outcome: 'warning',
      detail: 'mode 0644: everybody on this host may read it',
      fix: expect.stringContaining('defaultMode: 0400'),
    });
  });

  it('names a krb5.conf that is not there', async () => {
    const { of } = await check({ krb5Conf: '/nonexistent/krb5.conf' });
    expect(of('krb5-conf:stack')).toMatchObject({
      outcome: 'failed',
      detail: 'cannot read /nonexistent/krb5.conf (ENOENT)',
      fix: expect.stringContaining('Put the krb5.conf of the realm at /nonexistent/krb5.conf'),
    });
    expect(of('keytab:stack').outcome).toBe('ok');
  });

  it('names a KDC that is down', async () => {
    await kdc.hangUp();
    const { exitCode, of } = await check();
    expect(of(`kdc:stack/127.0.0.1:${kdc.port}`)).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('connection refused (ECONNREFUSED)'),
      fix: expect.stringMatching(
        /Start the KDC there.*or take its kdc entry of THROWAWAY\.TEST out of krb5\.conf/,
      ),
    });
    expect(of('login:stack').outcome).toBe('skipped');
    expect(of('namenode:stack/' + nameNode()).outcome).toBe('ok');
    expect(exitCode).toBe(1);
  });

  it('warns of one of two KDCs that is down, and goes on with the other', async () => {
    const dead = await freePort();
    const krb5Conf = await kdc.writeKrb5Conf('two.conf', [dead, kdc.port]);
    const { of } = await check({ krb5Conf });
    expect(of(`kdc:stack/127.0.0.1:${dead}`)).toMatchObject({
      outcome: 'warning',
      fix: expect.stringContaining('libkrb5 may wait ten seconds for it at each login'),
    });
    expect(of(`kdc:stack/127.0.0.1:${kdc.port}`).outcome).toBe('ok');
    expect(of('login:stack').outcome).toBe('ok');
  });

  it('tells a silent KDC from one that refuses', async () => {
    const silent = await startSilentKdc();
    try {
      const krb5Conf = await kdc.writeKrb5Conf('silent.conf', [kdc.port, silent.port]);
      const { of } = await check({ krb5Conf });
      expect(of(`kdc:stack/127.0.0.1:${silent.port}`)).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining('TCP: no answer'),
      });
      expect(of('login:stack').outcome).toBe('ok');
    } finally {
      await silent.stop();
    }
  });

  it('names a server that is no KDC of the realm', async () => {
    const other = await startThrowawayKdc({ realm: 'OTHER.TEST' });
    try {
      const krb5Conf = await kdc.writeKrb5Conf('other.conf', [other.port]);
      const { of } = await check({ krb5Conf });
      // MIT's answers as if the realm were its own, and knows nobody of it.
      expect(of(`kdc:stack/127.0.0.1:${other.port}`)).toMatchObject({
        outcome: 'warning',
        fix: expect.stringContaining('see that it is a KDC of THROWAWAY.TEST at all'),
      });
      expect(of('login:stack')).toMatchObject({
        outcome: 'failed',
        detail: expect.stringContaining('not found in Kerberos database'),
      });
    } finally {
      await other.stop();
    }
  });

  const nameNode = (): string => {
    const name = world.stack.hdfs.nameNodes[0]?.rpcAddress ?? '';
    return `${name}/${name}`;
  };
});

describe('kerbridge check, clocks', () => {
  let world: CheckWorld;

  beforeAll(async () => {
    world = await CheckWorld.create();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const checkWithKdc = async (aheadSeconds: number, libdefaults: string) => {
    const kdc = await startThrowawayKdc({ aheadSeconds });
    try {
      await kdc.addPrincipal('kerbridge', '+requires_preauth');
      await kdc.addPrincipal('HTTP/localhost');
      const result = await world.check({
        keytab: await kdc.exportKeytab('kerbridge.keytab', 'kerbridge'),
        krb5Conf: await kdc.writeKrb5Conf('clock.conf', [kdc.port], libdefaults),
      });
      return { ...result, clock: result.of(`clock-kdc:stack/127.0.0.1:${kdc.port}`) };
    } finally {
      await kdc.stop();
    }
  };

  it('names a clock skew that Kerberos refuses, and what the login says of it', async () => {
    // By default libkrb5 takes the KDC's time for its own, and the login alone would hide what is wrong.
    const { clock, of, exitCode } = await checkWithKdc(600, 'kdc_timesync = 0');
    expect(clock).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/^(?:59\d|60\d) s ahead of ours: clock skew too great for Kerberos$/),
      fix: expect.stringContaining('NTP'),
    });
    expect(of('login:stack')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/Clock skew too great/),
      fix: expect.stringContaining('Synchronise the clocks'),
    });
    expect(exitCode).toBe(1);
  });

  it('warns of one that Kerberos still takes', async () => {
    const { clock, of } = await checkWithKdc(120, '');
    expect(clock).toMatchObject({ outcome: 'warning', fix: expect.stringContaining('NTP') });
    expect(of('login:stack').outcome).toBe('ok');
  });
});
