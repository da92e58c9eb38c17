import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsControl } from '../../stack/stack.ts';
import type { HdfsControl } from '../../stack/stack.ts';
import { loadConfig, kubeconfigFor } from '../kubernetes-objects.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { freePort, waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { askCredentials, AUDIENCE, ServeWorld } from './serve-world.ts';

describe('what cannot be checked is neither allowed nor refused', () => {
  let world: ServeWorld;
  let serve: ServeProcess;
  let control: HdfsControl;

  beforeAll(async () => {
    world = await ServeWorld.create();
    control = hdfsControl(world.stack.hdfs);
    await control.reset();
    serve = await world.serve({ limits: { hadoopCallTimeout: '5s' } });
  });

  afterEach(async () => {
    await control.reset();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  /** A pod in a namespace of its own, for which no token is cached. */
  const newPod = async () =>
    await world.pod({ user: 'alice' }, { namespace: await world.anotherNamespace() });

  it.each([
    ['the NameNode is down', () => control.stop(0), 'unreachable'],
    ['the NameNode is in safe mode', () => control.setSafeMode(0, true), 'safe-mode'],
  ])('503 with Retry-After while %s, 200 afterwards', async (_name, trouble, reason) => {
    const { serviceAccountToken } = await newPod();
    await trouble();
    const answer = await askCredentials(serve, serviceAccountToken);
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ code: 'hadoop-unavailable' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await serve.logLineOf(answer.json['requestId'])).toMatchObject({ reason });
    await control.reset();
    expect((await askCredentials(serve, serviceAccountToken)).status).toBe(200);
  });

  it('a cached token is still handed out while the NameNode is down', async () => {
    const { serviceAccountToken } = await newPod();
    const before = await askCredentials(serve, serviceAccountToken);
    await control.stop(0);
    const after = await askCredentials(serve, serviceAccountToken);
    expect(after.status).toBe(200);
    expect(after.json['credentials']).toBe(before.json['credentials']);
  });

  it('502 when we are no proxy user for alice; the log names the property', async () => {
    const { serviceAccountToken } = await newPod();
    await control.refreshProxyUsers({ users: 'bob' });
    const answer = await askCredentials(serve, serviceAccountToken);
    expect(answer.status).toBe(502);
    expect(answer.json).toMatchObject({ code: 'hadoop-denied' });
    expect(answer.bytes.toString()).not.toContain('proxyuser');
    const line = await serve.logLineOf(answer.json['requestId']);
    expect(JSON.stringify(line)).toContain('hadoop.proxyuser.kerbridge.users');
  });

  it('502 when our host is not listed; the log names that property', async () => {
    const { serviceAccountToken } = await newPod();
    await control.refreshProxyUsers({ hosts: '10.9.8.7' });
    const answer = await askCredentials(serve, serviceAccountToken);
    expect(answer.status).toBe(502);
    const line = await serve.logLineOf(answer.json['requestId']);
    expect(JSON.stringify(line)).toContain('hadoop.proxyuser.kerbridge.hosts');
  });

  it('goes on after a restart of the NameNode, which refuses the old cookie', async () => {
    expect((await askCredentials(serve, (await newPod()).serviceAccountToken)).status).toBe(200);
    await control.restart(0);
    expect((await askCredentials(serve, (await newPod()).serviceAccountToken)).status).toBe(200);
  });

  it('503 when the API server cannot be reached; readiness says which dependency', async () => {
    const { serviceAccountToken } = await newPod();
    const kubeconfig = join(world.folder, 'closed.kubeconfig');
    const admin = loadConfig(world.kubeconfig);
    const server = `https://127.0.0.1:${await freePort()}`;
    await writeFile(kubeconfig, await kubeconfigFor(admin, new Secret('unused'), { server }));
    const lonely = await world.serve(
      { kubernetes: { kubeconfig, audience: AUDIENCE } },
      { untilReady: false },
    );
    const answer = await askCredentials(lonely, serviceAccountToken);
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ code: 'authentication-unavailable' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    await waitFor(() =>
      lonely.logLines().some((line) => line['dependency'] === 'kubernetes' && line['level'] === 'warn'),
    );
    const ready = await fetch(`${lonely.adminUrl}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      status: 'not-ready',
      dependencies: expect.arrayContaining([{ name: 'kubernetes', status: 'failing', blocking: true }]),
    });
    await lonely.stop();
  });

  it('503 when our account may not review tokens: that is no answer about the caller', async () => {
    const { serviceAccountToken } = await newPod();
    const kubeconfig = join(world.folder, 'powerless.kubeconfig');
    const powerless = await world.namespace.requestToken([], {});
    await writeFile(kubeconfig, await kubeconfigFor(loadConfig(world.kubeconfig), powerless));
    const serveWithout = await world.serve(
      { kubernetes: { kubeconfig, audience: AUDIENCE } },
      { untilReady: false },
    );
    const answer = await askCredentials(serveWithout, serviceAccountToken);
    expect(answer.status).toBe(503);
    const line = await serveWithout.logLineOf(answer.json['requestId']);
    expect(JSON.stringify(line)).toContain('forbidden');
    expect(serveWithout.output()).not.toContain(powerless.reveal());
    await serveWithout.stop();
  });
});
