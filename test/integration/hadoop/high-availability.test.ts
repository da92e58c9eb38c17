import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { hdfsControl, readStack, runHadoopFs } from '../../stack/stack.ts';
import type { HdfsCluster, HdfsControl, Stack } from '../../stack/stack.ts';
import { until } from '../until.ts';
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

  // A test that fails midway must not make the next ones fail too.
  afterEach(async () => {
    await control.reset();
  });

  afterAll(async () => {
    await hdfs.close();
  });

  const listHome = (tokenFile: string, authority = cluster.nameservice, useIp = true) =>
    runHadoopFs(stack, {
      confDir: cluster.confDir,
      tokenFile,
      args: ['-ls', `hdfs://${authority}/user/alice`],
      coreSite: { 'hadoop.security.token.service.use_ip': String(useIp) },
    });
  const ports = () => cluster.nameNodes.map(({ rpcPort }) => rpcPort);

  it('labels its tokens with the logical name, and with the addresses of each NameNode', () => {
    expect(hdfs.services).toEqual([
      `ha-hdfs:${cluster.nameservice}`,
      ...ports().map((port) => `127.0.0.1:${port}`),
      ...ports().map((port) => `localhost:${port}`),
    ]);
  });

  it.each([true, false])(
    'a client that names the active NameNode itself finds the token in the same file: use_ip=%p',
    async (useIp) => {
      await using folder = await temporaryFolder();
      const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
      const all = join(folder.path, 'all.token');
      const logicalOnly = join(folder.path, 'logical-only.token');
      await writeCredentialsFile(all, token, hdfs.services);
      await writeCredentialsFile(logicalOnly, token, hdfs.services.slice(0, 1));
      const active = `localhost:${ports()[0]}`;

      expect(await listHome(all, active, useIp)).toMatchObject({ exitCode: 0 });
      expect(await listHome(all, cluster.nameservice, useIp)).toMatchObject({ exitCode: 0 });
      expect((await listHome(logicalOnly, active, useIp)).exitCode).not.toBe(0);
      await hdfs.tokenService.cancel(token);
    },
  );

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
  });

  it('issues while the first NameNode is dead', async () => {
    await control.setActive(1);
    await control.stop(0);
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    await hdfs.tokenService.cancel(token);
  });

  it('a NameNode that is stopped amid renewals is gone at once, and the other one renews them', async () => {
    const issuing = Array.from({ length: 16 }, () =>
      hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' }),
    );
    const tokens = await Promise.all(issuing);
    let renewals = 0;
    const stopping = new AbortController();
    const renewing = tokens.map(async (token) => {
      while (!stopping.signal.aborted) {
        await hdfs.tokenService.renew(token);
        renewals += 1;
      }
    });
    const renewed = Promise.allSettled(renewing);
    await until('each was renewed', async () => renewals >= tokens.length);
    // Of itself it would wait a minute for a renewal that waits for its closed edit log.
    await control.stop(0);
    stopping.abort();
    await control.setActive(1);
    await renewed;

    for (const token of tokens) {
      await hdfs.tokenService.renew(token);
      await hdfs.tokenService.cancel(token);
    }
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
  });
});
