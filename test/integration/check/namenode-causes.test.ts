import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsControl, type HdfsCluster, type HdfsControl } from '../../stack/stack.ts';
import { CheckWorld } from './check-world.ts';

/** One test a cause, on the NameNodes of the stack: what is found, and which words of the fix. */
describe('kerbridge check, NameNodes', () => {
  let world: CheckWorld;
  let control: HdfsControl;
  let ha: HdfsCluster & { readonly nameservice: string };
  let haControl: HdfsControl;

  beforeAll(async () => {
    world = await CheckWorld.create();
    control = hdfsControl(world.stack.hdfs);
    if (world.stack.ha === undefined) throw new Error('these tests need a stack with --ha');
    ha = world.stack.ha;
    haControl = hdfsControl(ha);
  });

  afterEach(async () => {
    await Promise.all([control.reset(), haControl.reset()]);
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const nameservice = (): string => world.stack.hdfs.nameNodes[0]?.rpcAddress ?? '';

  it('names the SPN that the KDC has not, and the property that it comes from', async () => {
    const conf = join(world.folder, 'address');
    await mkdir(conf);
    await copyFile(join(world.stack.hdfs.confDir, 'core-site.xml'), join(conf, 'core-site.xml'));
    const site = await readFile(join(world.stack.hdfs.confDir, 'hdfs-site.xml'), 'utf8');
    // As somebody writes it who takes addresses for names.
    await writeFile(
      join(conf, 'hdfs-site.xml'),
      site
        .replace(/(dfs\.namenode\.http-address<\/name><value>)localhost/, '$1127.0.0.1')
        .replace(/HTTP\/localhost@/, 'HTTP/_HOST@'),
    );
    const { exitCode, of } = await world.check({ hadoopConf: conf }, '--user', 'alice');
    expect(of(`spn:stack/${nameservice()}/${nameservice()}`)).toMatchObject({
      title: 'HTTP/127.0.0.1 at the KDC',
      outcome: 'failed',
      detail: expect.stringMatching(/Server HTTP\/127\.0\.0\.1@\S+ not found in Kerberos database/),
      fix: expect.stringMatching(
        /with _HOST that of dfs\.namenode\.http-address.*host of the NameNode's HTTP principal.*or create HTTP\/127\.0\.0\.1 at the KDC/,
      ),
    });
    expect(of('login:stack').outcome).toBe('ok');
    expect(of(`proxy-user:stack/${nameservice()}`).outcome).toBe('skipped');
    expect(exitCode).toBe(1);
  });

  it('names a renewer that the NameNode knows nobody by', async () => {
    const { of } = await world.check({ renewer: 'renewer' }, '--user', 'alice');
    expect(of(`short-name:stack/${nameservice()}/${nameservice()}`)).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('it knows us as kerbridge, but the renewer of our tokens is renewer'),
      fix: expect.stringMatching(/Set renewer of this cluster to kerbridge, or .*auth_to_local/),
    });
  });

  it('names safe mode', async () => {
    await control.setSafeMode(0, true);
    const { of } = await world.check({}, '--user', 'alice');
    expect(of(`state:stack/${nameservice()}/${nameservice()}`)).toMatchObject({
      outcome: 'failed',
      detail: 'active, but in safe mode',
      fix: expect.stringContaining('hdfs dfsadmin -safemode get'),
    });
    expect(of(`proxy-user:stack/${nameservice()}`).outcome).toBe('skipped');
  });

  it('names a pair without an active NameNode', async () => {
    await haControl.setStandby(0);
    const { of, outcomes } = await world.check({ name: 'pair', hadoopConf: ha.confDir }, '--user', 'alice');
    expect(outcomes).toContain(`state:pair/${ha.nameservice}/nn0 ok`);
    expect(of(`active:pair/${ha.nameservice}`)).toMatchObject({
      outcome: 'failed',
      detail: 'none that we reach is active',
      fix: expect.stringContaining('hdfs haadmin'),
    });
  });

  it('warns of one of a pair that is down, and goes on with the other', async () => {
    await haControl.setActive(1);
    await haControl.stop(0);
    const { exitCode, of } = await world.check({ name: 'pair', hadoopConf: ha.confDir }, '--user', 'alice');
    expect(of(`namenode:pair/${ha.nameservice}/nn0`)).toMatchObject({
      outcome: 'warning',
      detail: expect.stringContaining('connection refused'),
      fix: expect.stringContaining('Check that the daemon runs'),
    });
    expect(of(`spnego:pair/${ha.nameservice}/nn0`).outcome).toBe('skipped');
    expect(of(`state:pair/${ha.nameservice}/nn1`)).toMatchObject({ outcome: 'ok', detail: 'active' });
    expect(of(`cancel:pair/${ha.nameservice}`).outcome).toBe('ok');
    expect(exitCode).toBe(0);
  });

  it('names a NameNode that is down', async () => {
    await control.stop(0);
    const { exitCode, of } = await world.check({});
    expect(of(`namenode:stack/${nameservice()}/${nameservice()}`)).toMatchObject({
      outcome: 'failed',
      fix: expect.stringContaining('Check that the daemon runs'),
    });
    expect(of('login:stack').outcome).toBe('ok');
    expect(exitCode).toBe(1);
  });

  it('wants allowPlainHttp for plain HTTP, and says what else there is', async () => {
    const { of } = await world.check({ allowPlainHttp: false });
    expect(of('conf-dir:stack')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('dfs.http.policy: is HTTP_ONLY'),
      fix: expect.stringContaining('allowPlainHttp: true'),
    });
    expect(of('login:stack').outcome).toBe('ok');
  });
});
