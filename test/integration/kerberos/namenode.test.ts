import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createSpnegoProcess, type SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { readStack } from '../../stack/stack.ts';

jest.setTimeout(15_000);

describe('SPNEGO with the NameNode', () => {
  let spnegoProcess: SpnegoProcess;
  let url: URL;
  let close = async (): Promise<void> => {};

  beforeAll(async () => {
    const stack = await readStack();
    const [nameNode] = stack.hdfs.nameNodes;
    url = new URL('/webhdfs/v1/?op=GETHOMEDIRECTORY', nameNode?.httpUrl);
    spnegoProcess = await createSpnegoProcess({
      keytab: stack.keytabs.kerbridge,
      krb5Conf: stack.krb5Conf,
    });
    close = () => spnegoProcess.close();
  });

  afterAll(async () => {
    await close();
  });

  it('is accepted once per token', async () => {
    const spnegoToken = await spnegoProcess.negotiate(url.hostname);
    const ask = (): Promise<Response> =>
      fetch(url, { headers: { Authorization: `Negotiate ${spnegoToken.reveal()}` } });
    const first = await ask();
    expect([first.status, await first.json()]).toEqual([200, { Path: '/user/kerbridge' }]);
    const second = await ask();
    expect(second.status).toBe(403);
  });

  it('is what the NameNode asks for', async () => {
    const response = await fetch(url);
    expect([response.status, response.headers.get('WWW-Authenticate')]).toEqual([401, 'Negotiate']);
  });
});
