import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsControl } from '../../stack/stack.ts';
import { startSilentKdc } from '../kerberos/silent-kdc.ts';
import type { SilentKdc } from '../kerberos/silent-kdc.ts';
import { waitFor } from '../serve-process.ts';
import { askCredentials, ServeWorld } from './serve-world.ts';

describe('serve with a KDC that accepts and stays silent', () => {
  let world: ServeWorld;
  let silent: SilentKdc;

  beforeAll(async () => {
    world = await ServeWorld.create();
    await hdfsControl(world.stack.hdfs).reset();
    silent = await startSilentKdc();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await silent.stop();
  });

  /** The stack's krb5.conf with the silent KDC before its own, or instead of it. */
  async function krb5Conf(name: string, kdcs: readonly number[]): Promise<string> {
    const text = await readFile(world.stack.krb5Conf, 'utf8');
    const own = /^\s*kdc = .*$/m;
    if (!own.test(text)) throw new Error('the krb5.conf of the stack names no kdc');
    const lines = kdcs.map((port) => `    kdc = 127.0.0.1:${port}`).join('\n');
    const path = join(world.folder, name);
    await writeFile(
      path,
      text.replace(own, () => lines),
    );
    return path;
  }

  it('a healthy second KDC: tokens come, and meanwhile everything else is answered', async () => {
    const conf = await krb5Conf('second-healthy.conf', [silent.port, world.stack.kdc.port]);
    const serve = await world.serve({ clusters: [world.cluster({ krb5Conf: conf })] }, { untilReady: false });
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const order: string[] = [];
    const credentials = askCredentials(serve, serviceAccountToken).finally(() => order.push('credentials'));
    // Kerberos waits at the silent KDC now, for seconds.
    await waitFor(() => silent.calls() > 0);
    const { serviceAccountToken: unstamped } = await world.pod({});
    // Each of these needs the event loop, DNS or a file, a TokenReview and a pod of the API server.
    const others = Array.from({ length: 10 }, async () => {
      expect((await fetch(`${serve.adminUrl}/livez`)).status).toBe(200);
      expect((await askCredentials(serve, 'aaa.bbb.ccc')).status).toBe(401);
      expect((await askCredentials(serve, unstamped)).status).toBe(403);
      order.push('other');
    });
    await Promise.all(others);
    expect(order).toEqual(Array.from({ length: 10 }, () => 'other'));
    expect((await credentials).status).toBe(200);
  });

  it('no healthy KDC: 503 within the step time-out, and still everything else is answered', async () => {
    const conf = await krb5Conf('none-healthy.conf', [silent.port]);
    const serve = await world.serve(
      { clusters: [world.cluster({ krb5Conf: conf })], limits: { kerberosStepTimeout: '3s' } },
      { untilReady: false },
    );
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    const credentials = askCredentials(serve, serviceAccountToken);
    expect((await askCredentials(serve, 'aaa.bbb.ccc')).status).toBe(401);
    const answer = await credentials;
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.stringify(await serve.logLineOf(answer.json['requestId']))).toMatch(/KDC/);
  });
});
