import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startThrowawayKdc } from '../kerberos/throwaway-kdc.ts';
import { CheckWorld } from './check-world.ts';
import { startHdfsVariant } from './hdfs-variant.ts';

/** Real NameNodes whose web servers are set up as the stack's is not. */
describe('kerbridge check, the HTTP filter of a NameNode', () => {
  let world: CheckWorld;

  beforeAll(async () => {
    world = await CheckWorld.create();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it('names the settings of a filter that is not kerberized', async () => {
    await using hdfs = await startHdfsVariant(world.stack, { 'hadoop.http.authentication.type': 'simple' });
    const { exitCode, of } = await world.check({ hadoopConf: hdfs.confDir }, '--user', 'alice');
    const nameNode = `stack/${hdfs.rpcAddress}/${hdfs.rpcAddress}`;
    expect(of(`namenode:${nameNode}`).outcome).toBe('ok');
    const finding = of(`http-authentication:${nameNode}`);
    expect(finding.outcome).toBe('failed');
    expect(finding.detail).toMatch(/without Negotiate/);
    for (const property of [
      'hadoop.http.authentication.type = kerberos',
      'hadoop.http.authentication.kerberos.principal',
      'hadoop.http.authentication.kerberos.keytab',
      'dfs.web.authentication.kerberos.principal',
      'dfs.web.authentication.kerberos.keytab',
    ]) {
      expect(finding.fix).toContain(property);
    }
    expect(of(`spnego:${nameNode}`).outcome).toBe('skipped');
    expect(of(`proxy-user:stack/${hdfs.rpcAddress}`).outcome).toBe('skipped');
    expect(exitCode).toBe(1);
  });

  it('names the stale keytab of a NameNode', async () => {
    // The same names in another KDC: keys that the one of the stack never gave.
    const other = await startThrowawayKdc({ realm: world.stack.realm });
    try {
      await other.addPrincipal('HTTP/localhost');
      const keytab = await other.exportKeytab('http.keytab', 'HTTP/localhost');
      await using hdfs = await startHdfsVariant(world.stack, {
        'hadoop.http.authentication.kerberos.keytab': keytab,
        'dfs.web.authentication.kerberos.keytab': keytab,
      });
      const { exitCode, of } = await world.check({ hadoopConf: hdfs.confDir });
      const nameNode = `stack/${hdfs.rpcAddress}/${hdfs.rpcAddress}`;
      expect(of(`spn:${nameNode}`).outcome).toBe('ok');
      expect(of(`spnego:${nameNode}`)).toMatchObject({
        outcome: 'failed',
        detail: expect.stringMatching(/Checksum failed|Cannot find key/),
        fix: expect.stringMatching(
          /key in the keytab of that Hadoop host is not the one the KDC has: export the keytab anew/,
        ),
      });
      expect(exitCode).toBe(1);
    } finally {
      await other.stop();
    }
  });
});
