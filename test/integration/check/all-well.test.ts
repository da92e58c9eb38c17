import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { hdfsControl } from '../../stack/stack.ts';
import { kerbridge } from '../operators/kerbridge-process.ts';
import { CheckWorld } from './check-world.ts';

describe('kerbridge check where all is well', () => {
  let world: CheckWorld;

  beforeAll(async () => {
    world = await CheckWorld.create();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  /** Token operations on behalf of alice in a NameNode's audit log, from a place in it on. */
  const auditSince = async (auditLog: string, from: number): Promise<readonly string[]> => {
    const text = (await readFile(auditLog, 'utf8')).slice(from);
    return text.split('\n').flatMap((line) => /cmd=(\w+DelegationToken)\b/u.exec(line)?.[1] ?? []);
  };
  const sizeOf = async (file: string): Promise<number> => (await readFile(file, 'utf8')).length;

  it.each(['plain', 'pair'] as const)(
    'finds nothing wrong with the %s cluster; its token was issued, renewed and cancelled',
    async (name) => {
      const { stack } = world;
      const cluster = name === 'plain' ? stack.hdfs : stack.ha;
      if (cluster === undefined) throw new Error('this test needs a stack with --ha');
      const control = hdfsControl(cluster);
      const [before, from] = [await control.tokens(), await sizeOf(cluster.auditLog)];
      const { exitCode, findings, summary, outcomes } = await world.check(
        { name, hadoopConf: cluster.confDir },
        '--user',
        'alice',
      );
      expect(findings.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
      expect(exitCode).toBe(0);
      expect(summary.failed).toBe(0);
      const ofCluster = outcomes.filter((each) => each.includes(`:${name}`));
      expect(ofCluster.filter((each) => each.endsWith(' warning'))).toEqual([]);
      // What is not configured.
      expect(ofCluster.filter((each) => each.endsWith(' skipped'))).toEqual([`hadoop-ca:${name} skipped`]);
      // No rules file is named, nothing signs pods, and nobody has made the ConfigMap.
      expect(outcomes.filter((each) => each.endsWith(' warning'))).toEqual([
        'identity-rules warning',
        'stamp-keys warning',
        'revocations-config-map warning',
      ]);
      const nameservice = name === 'plain' ? stack.hdfs.nameNodes[0]?.rpcAddress : stack.ha?.nameservice;
      for (const step of ['proxy-user', 'renewal', 'lifetimes', 'cancel', 'active']) {
        expect(outcomes).toContain(`${step}:${name}/${nameservice} ok`);
      }
      for (const { id } of name === 'plain' ? [{ id: nameservice }] : cluster.nameNodes) {
        for (const check of [
          'namenode',
          'http-authentication',
          'spn',
          'spnego',
          'short-name',
          'clock-namenode',
          'state',
        ]) {
          expect(outcomes).toContain(`${check}:${name}/${nameservice}/${id} ok`);
        }
      }
      expect(outcomes).toContain('clock-api-server ok');
      expect(await auditSince(cluster.auditLog, from)).toEqual([
        'getDelegationToken',
        'renewDelegationToken',
        'cancelDelegationToken',
      ]);
      expect(await control.tokens()).toEqual(before);
    },
  );

  it('prints a line for each finding and a line of counts, and leaves the token out without --user', async () => {
    const config = await world.writeConfig([world.cluster()]);
    const { exitCode, out, error } = await kerbridge('check', '--config', config);
    expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' });
    expect(out).toMatch(
      /^ok {7}Login of kerbridge@KERBRIDGE\.TEST with the keytab: the KDC gives a ticket$/m,
    );
    expect(out).toMatch(/^warning {2}Identity rules {2}\[identity-rules\]$/m);
    expect(out).toMatch(
      /^skipped {2}A token of a user.* {2}\[proxy-user:stack\/localhost:\d+\]\n {9}add --user NAME/m,
    );
    expect(out).toMatch(/\n\n0 failed, 3 warning\(s\), \d+ ok, \d+ skipped\n$/);
    expect(out).not.toMatch(/hadoop\.auth|Negotiate [A-Z]/);
  });

  it('looks at a cluster whatever is wrong with the configuration and with the other cluster', async () => {
    const broken = {
      ...world.cluster(),
      name: 'broken',
      hadoopConf: '/nonexistent/conf',
      keytab: '/nonexistent/keytab',
      principal: 'kerbridge@KERBRIDGE.TEST',
    };
    const config = await world.writeConfig([broken, world.cluster()], { listen: { port: 'eighty' } });
    const { exitCode, of, outcomes } = await world.checkFile(config, '--user', 'alice');
    expect(of('configuration:listen.port').outcome).toBe('failed');
    expect(of('conf-dir:broken').detail).toContain('/nonexistent/conf');
    expect(of('keytab:broken').detail).toContain('there is no keytab');
    // What can be known of the broken one all the same.
    expect(outcomes).toContain(`kdc:broken/127.0.0.1:${world.stack.kdc.port} ok`);
    const { rpcAddress = '' } = world.stack.hdfs.nameNodes[0] ?? {};
    expect(outcomes).toContain(`spnego:stack/${rpcAddress}/${rpcAddress} ok`);
    expect(outcomes).toContain(`active:stack/${rpcAddress} ok`);
    // But the broken one could deny that user, as one of its service users: so nobody's token is asked for.
    expect(outcomes).toContain('user skipped');
    expect(outcomes).toContain(`proxy-user:stack/${rpcAddress} skipped`);
    expect(exitCode).toBe(1);
  });

  it('checks one cluster with --cluster, and knows no other than those of the configuration', async () => {
    const broken = { ...world.cluster(), name: 'broken', hadoopConf: '/nonexistent/conf' };
    const config = await world.writeConfig([broken, world.cluster()]);
    const { exitCode, outcomes } = await world.checkFile(config, '--cluster', 'stack');
    expect(outcomes.filter((each) => each.includes(':broken'))).toEqual([]);
    expect(outcomes).toContain('login:stack ok');
    expect(exitCode).toBe(0);
    const unknown = await kerbridge('check', '--config', config, '--cluster', 'nowhere');
    expect(unknown.exitCode).toBe(2);
    expect(unknown.error).toContain('the configuration has no cluster nowhere, only broken, stack');
  });
});
