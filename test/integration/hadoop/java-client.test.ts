import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DelegationToken } from '../../../src/delegation-tokens/token-service.ts';
import { readStack, runHadoopFs } from '../../stack/stack.ts';
import type { Stack } from '../../stack/stack.ts';
import { openTokenService, temporaryFolder, writeCredentialsFile } from './hdfs-token-service.ts';
import type { OpenTokenService } from './hdfs-token-service.ts';

// Hadoop's own client: no ticket, no keytab, no KDC within reach, nothing but the file.
describe('the Java Hadoop client with a file of ours', () => {
  let stack: Stack;
  let hdfs: OpenTokenService;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let alices: DelegationToken;
  let hdfsUrl: string;

  beforeAll(async () => {
    stack = await readStack();
    folder = await temporaryFolder();
    hdfs = await openTokenService(stack, stack.hdfs);
    alices = await hdfs.tokenService.issue({ owner: 'alice', renewer: 'kerbridge' });
    hdfsUrl = `hdfs://${stack.hdfs.nameNodes[0]?.rpcAddress}`;
  });

  afterAll(async () => {
    await hdfs.tokenService.cancel(alices);
    await hdfs.close();
    await folder[Symbol.asyncDispose]();
  });

  const hadoopFs = (tokenFile: string | undefined, useIp: boolean, ...args: string[]) =>
    runHadoopFs(stack, {
      confDir: stack.hdfs.confDir,
      ...(tokenFile === undefined ? {} : { tokenFile }),
      args,
      coreSite: { 'hadoop.security.token.service.use_ip': String(useIp) },
    });

  it('makes labels for both settings of use_ip', () => {
    const port = stack.hdfs.nameNodes[0]?.rpcPort;
    expect(hdfs.services).toEqual([`127.0.0.1:${port}`, `localhost:${port}`]);
  });

  it.each([
    { useIp: true, format: 'writable' as const },
    { useIp: false, format: 'writable' as const },
    { useIp: true, format: 'protobuf' as const },
    { useIp: false, format: 'protobuf' as const },
  ])('writes and reads as alice: use_ip $useIp, $format', async ({ useIp, format }) => {
    const tokenFile = join(folder.path, `${format}-${useIp}.token`);
    await writeCredentialsFile(tokenFile, alices, hdfs.services, format);
    const local = join(folder.path, 'local.txt');
    const text = `written with use_ip=${useIp}, ${format}\n`;
    await writeFile(local, text);
    const remote = `${hdfsUrl}/user/alice/java-client-${format}-${useIp}.txt`;

    const put = await hadoopFs(tokenFile, useIp, '-put', '-f', local, remote);
    expect(put).toMatchObject({ exitCode: 0 });
    const back = join(folder.path, `back-${format}-${useIp}.txt`);
    const get = await hadoopFs(tokenFile, useIp, '-get', remote, back);
    expect(get).toMatchObject({ exitCode: 0 });
    expect(await readFile(back, 'utf8')).toBe(text);
  });

  it('is alice and nobody else: /user/bob is refused', async () => {
    const tokenFile = join(folder.path, 'bob.token');
    await writeCredentialsFile(tokenFile, alices, hdfs.services);
    const { exitCode, stderr } = await hadoopFs(tokenFile, true, '-ls', `${hdfsUrl}/user/bob`);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/Permission denied: user=alice, access=READ_EXECUTE, inode="\/user\/bob":bob/);
  });

  // What makes the cases above mean something: without the label, or without the file, there is no way in.
  it('finds no token when only the other form of the label is written', async () => {
    const tokenFile = join(folder.path, 'host-only.token');
    await writeCredentialsFile(tokenFile, alices, [hdfs.services[1] ?? '']);
    const { exitCode, stderr } = await hadoopFs(tokenFile, true, '-ls', `${hdfsUrl}/user/alice`);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/Client cannot authenticate via:\s*\[TOKEN, KERBEROS\]/);
  });

  it('has no way in without a file', async () => {
    const { exitCode, stderr } = await hadoopFs(undefined, true, '-ls', `${hdfsUrl}/user/alice`);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/Client cannot authenticate via:\s*\[TOKEN, KERBEROS\]/);
  });
});
