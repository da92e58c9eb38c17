import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { hdfsControl, readStack, runHadoopFs } from '../../stack/stack.ts';
import type { HdfsCluster, HdfsControl, Stack } from '../../stack/stack.ts';
import { openTokenService, temporaryFolder, writeCredentialsFile } from './hdfs-token-service.ts';
import type { OpenTokenService } from './hdfs-token-service.ts';

describe('two NameNodes in high availability', () => {
  let stack: Stack;
  let cluster: HdfsCluster & { readonly nameservice: string };
  let control: HdfsControl;
  let hdfs: OpenTokenService;

  beforeAll(async () => {
    stack = await readStack();
    if (stack.ha === undefined) throw new Error('this test needs a stack with two NameNodes: stack up --ha');
    cluster = stack.ha;
    control = hdfsControl(cluster);
    await control.reset();
    hdfs = await openTokenService(stack, cluster);
  });

  afterAll(async () => {
    await hdfs.close();
    await control.reset();
  });

  const listHome = (tokenFile: string) =>
    runHadoopFs(stack, {
      confDir: cluster.confDir,
      tokenFile,
      args: ['-ls', `hdfs://${cluster.nameservice}/user/alice`],
    });

  it('labels its tokens with the logical name', () => {
    expect(hdfs.services).toEqual([`ha-hdfs:${cluster.nameservice}`]);
  });

  it('a token issued before a failover works and renews after it, and is cancelled there', async () => {
    await using folder = await temporaryFolder();
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    const tokenFile = join(folder.path, 'ha.token');
    await writeCredentialsFile(tokenFile, token, hdfs.services);
    expect(await listHome(tokenFile)).toMatchObject({ exitCode: 0 });

    await control.setActive(1);

    expect(await listHome(tokenFile)).toMatchObject({ exitCode: 0 });
    const { expiresAt } = await hdfs.tokenService.renew(token);
    const known = (await control.tokens(1)).find((each) => each.sequenceNumber === token.sequenceNumber);
    expect(known?.renewDate).toBe(Number(expiresAt));

    await hdfs.tokenService.cancel(token);
    expect((await control.tokens(1)).map((each) => each.sequenceNumber)).not.toContain(token.sequenceNumber);
    expect((await listHome(tokenFile)).exitCode).not.toBe(0);
    await control.setActive(0);
  });

  it('issues while the first NameNode is dead', async () => {
    await control.setActive(1);
    await control.stop(0);
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    await hdfs.tokenService.cancel(token);
    await control.reset();
  });

  it('says not-active while both are standby, and issues once one is active again', async () => {
    await control.setStandby(0);
    await control.setStandby(1);
    await expect(hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' })).rejects.toMatchObject({
      failure: 'not-active',
    });
    await control.setActive(0);
    await hdfs.tokenService.cancel(await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' }));
  });

  it('says safe-mode and tries no other NameNode', async () => {
    await control.setSafeMode(0, true);
    await expect(hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' })).rejects.toMatchObject({
      failure: 'safe-mode',
      exception: 'SafeModeException',
    });
    await control.setSafeMode(0, false);
  });
});
