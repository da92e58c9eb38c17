import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { Secret } from '../../../src/observability/secret.ts';
import { hdfsControl, readStack, runHadoopFs } from '../../stack/stack.ts';
import type { HdfsControl, Stack } from '../../stack/stack.ts';
import { openTokenService, temporaryFolder, writeCredentialsFile } from './hdfs-token-service.ts';
import type { OpenTokenService } from './hdfs-token-service.ts';

describe('the life of a token, seen on the NameNode', () => {
  let stack: Stack;
  let control: HdfsControl;
  let hdfs: OpenTokenService;

  beforeAll(async () => {
    stack = await readStack();
    control = hdfsControl(stack.hdfs);
    await control.reset();
    hdfs = await openTokenService(stack, stack.hdfs);
  });

  afterAll(async () => {
    await hdfs.close();
    await control.reset();
  });

  const onNameNode = async (sequenceNumber: number) =>
    (await control.tokens()).find((each) => each.sequenceNumber === sequenceNumber);

  it('issues what the NameNode then holds', async () => {
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    expect(await onNameNode(token.sequenceNumber)).toMatchObject({
      owner: 'alice',
      renewer: 'kerbridge',
      issueDate: Number(token.issueDate),
      maxDate: Number(token.maxDate),
      masterKeyId: token.masterKeyId,
    });
    expect(token).toMatchObject({ owner: 'alice', kind: 'HDFS_DELEGATION_TOKEN', service: hdfs.services[0] });
    await hdfs.tokenService.cancel(token);
  });

  it('renews: the NameNode moves its date, and the answer is that date', async () => {
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    const before = await onNameNode(token.sequenceNumber);
    await control.setTokenLifetimes({ renewIntervalMs: stack.tokenRenewIntervalMs + 60_000 });
    const { expiresAt } = await hdfs.tokenService.renew(token);
    const after = await onNameNode(token.sequenceNumber);
    expect(after?.renewDate).toBe(Number(expiresAt));
    expect(Number(expiresAt)).toBeGreaterThanOrEqual((before?.renewDate ?? Infinity) + 60_000);
    await hdfs.tokenService.cancel(token);
    await control.reset();
  });

  it('is never renewed past its maxDate', async () => {
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    await control.setTokenLifetimes({ renewIntervalMs: stack.tokenMaxLifetimeMs * 2 });
    expect((await hdfs.tokenService.renew(token)).expiresAt).toBe(token.maxDate);
    await hdfs.tokenService.cancel(token);
    await control.reset();
  });

  it('cancels: the NameNode forgets it, a client is turned away, a renewal is refused, a second cancel is no error', async () => {
    await using folder = await temporaryFolder();
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    await hdfs.tokenService.cancel(token);
    expect(await onNameNode(token.sequenceNumber)).toBeUndefined();

    const tokenFile = join(folder.path, 'cancelled.token');
    await writeCredentialsFile(tokenFile, token, hdfs.services);
    const { exitCode, stderr } = await runHadoopFs(stack, {
      confDir: stack.hdfs.confDir,
      tokenFile,
      args: ['-ls', '/user/alice'],
    });
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/InvalidToken|can't be found in cache/);

    await expect(hdfs.tokenService.renew(token)).rejects.toMatchObject({ failure: 'invalid-token' });
    await expect(hdfs.tokenService.cancel(token)).resolves.toBeUndefined();
  });

  it('refuses to renew a token with another password', async () => {
    const token = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    const forged = { ...token, password: new Secret(new Uint8Array(20)) };
    await expect(hdfs.tokenService.renew(forged)).rejects.toMatchObject({ failure: 'invalid-token' });
    await hdfs.tokenService.cancel(token);
  });

  it('refuses a user for whom we are no proxy, and says which property to set', async () => {
    await expect(hdfs.tokenService.issue({ owner: 'mallory', renewer: 'kerbridge' })).rejects.toMatchObject({
      failure: 'denied',
      exception: 'AuthorizationException',
      fix: expect.stringContaining('hadoop.proxyuser.kerbridge.users'),
    });
  });

  it('leaves nothing behind for a user whose name never reaches the wire', async () => {
    const before = await control.tokens();
    for (const owner of [
      '',
      ' ',
      'alice ',
      'alice@KERBRIDGE.TEST',
      'al/ice',
      'al\nice',
      'аlice',
      'a&doas=bob',
    ]) {
      await expect(hdfs.tokenService.issue({ owner, renewer: 'kerbridge' })).rejects.toMatchObject({
        failure: 'bad-request',
      });
    }
    expect(await control.tokens()).toEqual(before);
  });
});
