import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { classifyHadoopReply } from '../../../src/hadoop/classify-hadoop-reply.ts';
import { createSpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import type { SpnegoProcess } from '../../../src/kerberos/spnego-process.ts';
import { readErrorTable } from '../../fixtures/hadoop-replies/error-row.ts';
import type { ErrorRow } from '../../fixtures/hadoop-replies/error-row.ts';
import { hdfsControl, readStack } from '../../stack/stack.ts';
import type { HdfsControl, Stack } from '../../stack/stack.ts';

/**
 * The rows of the error table that a real NameNode says only after some time, or after a change of its settings; those
 * that it says at once are in fake-namenode.contract.test.ts, and one that ruins a realm in stack.test.ts.
 */
describe('a real NameNode answers as the error table says, in time', () => {
  let stack: Stack;
  let control: HdfsControl;
  let origin: string;
  let rows: ReadonlyMap<string, ErrorRow>;
  let spnego: SpnegoProcess;

  beforeAll(async () => {
    stack = await readStack();
    control = hdfsControl(stack.hdfs);
    await control.reset();
    origin = stack.hdfs.nameNodes[0]?.httpUrl ?? '';
    rows = new Map((await readErrorTable()).map((row) => [row.id, row]));
    spnego = await createSpnegoProcess({ keytab: stack.keytabs.kerbridge, krb5Conf: stack.krb5Conf });
  });

  afterEach(async () => {
    await control.reset();
  });

  afterAll(async () => {
    await spnego.close();
  });

  const negotiated = async () => ({
    Authorization: `Negotiate ${(await spnego.negotiate('localhost')).reveal()}`,
  });

  async function call(method: string, query: string, headers: Record<string, string>) {
    const response = await fetch(`${origin}/webhdfs/v1/?${query}`, { method, headers, redirect: 'manual' });
    return {
      status: response.status,
      statusMessage: response.statusText,
      contentType: response.headers.get('content-type') ?? '',
      cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '',
      body: await response.text(),
    };
  }

  async function issue(): Promise<string> {
    const query = 'op=GETDELEGATIONTOKEN&doas=alice&renewer=kerbridge';
    const { body } = await call('GET', query, await negotiated());
    return (JSON.parse(body) as { Token: { urlString: string } }).Token.urlString;
  }

  /** Asks until the answer is no longer 200, and compares it with the row. */
  async function untilRefused(id: string, ask: () => ReturnType<typeof call>): Promise<void> {
    const row = rows.get(id);
    if (row === undefined) throw new Error(`no row ${id}`);
    let reply = await ask();
    let before = 0;
    for (; reply.status === 200 && before < 600; before += 1) {
      await delay(50);
      reply = await ask();
    }
    // It did work at first: what is refused is the age.
    expect(before).toBeGreaterThan(0);
    expect(reply.status).toBe(row.status);
    const refusal = classifyHadoopReply(reply);
    expect({ failure: refusal?.failure ?? null, exception: refusal?.exception ?? null }).toEqual(
      row.expected,
    );
  }

  it('use-expired', async () => {
    await control.setTokenLifetimes({ renewIntervalMs: 2_000 });
    const token = await issue();
    await untilRefused('use-expired', () => call('GET', `op=GETHOMEDIRECTORY&delegation=${token}`, {}));
  });

  it('renew-after-max-date', async () => {
    await control.setTokenLifetimes({ maxLifetimeMs: 2_000 });
    const token = await issue();
    await untilRefused('renew-after-max-date', async () =>
      call('PUT', `op=RENEWDELEGATIONTOKEN&token=${token}`, await negotiated()),
    );
  });

  it('cookie-expired', async () => {
    await control.setCookieLifetime(0, 2);
    const { cookie } = await call('GET', 'op=GETHOMEDIRECTORY', await negotiated());
    expect(cookie).toMatch(/^hadoop\.auth=.+/);
    await untilRefused('cookie-expired', () => call('GET', 'op=GETHOMEDIRECTORY', { Cookie: cookie }));
  });
});
