import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsControl } from '../../stack/stack.ts';
import type { HdfsControl } from '../../stack/stack.ts';
import { loadConfig, kubeconfigFor } from '../kubernetes-objects.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { freePort, waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { expectCouldNotCheck } from './expect-could-not-check.ts';
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
    ['the NameNode is down', () => control.stop(0), 'unreachable', {}],
    [
      'the NameNode is in safe mode',
      () => control.setSafeMode(0, true),
      'safe-mode',
      { exception: 'SafeModeException', endpoint: expect.stringContaining('localhost') },
    ],
  ])('503 while %s, 200 afterwards', async (_name, trouble, reason, more) => {
    const { pod, serviceAccountToken } = await newPod();
    await trouble();
    const answer = await askCredentials(serve, serviceAccountToken);
    await expectCouldNotCheck(serve, answer, 'hadoop-unavailable', {
      dependency: 'hadoop',
      reason,
      pod,
      user: 'alice',
      ...more,
    });
    await control.reset();
    // A NameNode that could not be reached is not asked for a second or two.
    await waitFor(async () => (await askCredentials(serve, serviceAccountToken)).status === 200);
  });

  it('503 while both NameNodes are standby, 200 once one is active', async () => {
    const { ha } = world.stack;
    if (ha === undefined) throw new Error('this test needs a stack with two NameNodes: stack up --ha');
    const pair = hdfsControl(ha);
    await pair.reset();
    const serveHa = await world.serve({
      clusters: [world.cluster({ hadoopConf: ha.confDir })],
      limits: { hadoopCallTimeout: '5s' },
    });
    const { serviceAccountToken } = await newPod();
    try {
      await pair.setStandby(0);
      await expectCouldNotCheck(
        serveHa,
        await askCredentials(serveHa, serviceAccountToken),
        'hadoop-unavailable',
        { dependency: 'hadoop', reason: 'not-active', exception: 'StandbyException' },
      );
    } finally {
      await pair.reset();
    }
    expect((await askCredentials(serveHa, serviceAccountToken)).status).toBe(200);
    await serveHa.stop();
  });

  it('503 while nobody answers at the address of the KDC', async () => {
    const krb5Conf = join(world.folder, 'closed-kdc.conf');
    const text = await readFile(world.stack.krb5Conf, 'utf8');
    const closed = `kdc = 127.0.0.1:${await freePort()}`;
    expect(text).toMatch(/^\s*kdc = .*$/m);
    await writeFile(
      krb5Conf,
      text.replace(/^\s*kdc = .*$/m, () => closed),
    );
    const serveWithout = await world.serve(
      { clusters: [world.cluster({ krb5Conf })], limits: { kerberosStepTimeout: '5s' } },
      { untilReady: false },
    );
    const { serviceAccountToken } = await newPod();
    const answer = await askCredentials(serveWithout, serviceAccountToken);
    await expectCouldNotCheck(serveWithout, answer, 'kerberos-unavailable', {
      dependency: 'kerberos',
      reason: 'unreachable',
    });
    expect(JSON.stringify(await serveWithout.logLineOf(answer.json['requestId']))).toMatch(/KDC/);
    await serveWithout.stop();
  });

  it('a cached token is still handed out while the NameNode is down', async () => {
    const { serviceAccountToken } = await newPod();
    const before = await askCredentials(serve, serviceAccountToken);
    await control.stop(0);
    const after = await askCredentials(serve, serviceAccountToken);
    expect(after.status).toBe(200);
    expect(after.json['credentials']).toBe(before.json['credentials']);
  });

  it.each([
    ['we are no proxy user for alice', { users: 'bob' }, 'hadoop.proxyuser.kerbridge.users'],
    ['our host is not listed', { hosts: '10.9.8.7' }, 'hadoop.proxyuser.kerbridge.hosts'],
  ])('502 when %s; the log names the property', async (_, change, property) => {
    const { pod, serviceAccountToken } = await newPod();
    await control.refreshProxyUsers(change);
    const answer = await askCredentials(serve, serviceAccountToken);
    expect(answer.status).toBe(502);
    expect(answer.json).toEqual({
      status: 502,
      code: 'hadoop-denied',
      title: 'Hadoop refuses to issue the token',
      requestId: answer.headers.get('x-request-id'),
    });
    const line = await serve.logLineOf(answer.json['requestId']);
    expect(JSON.stringify(line)).toContain(property);
    expect(await serve.auditLineOf(answer.json['requestId'])).toMatchObject({
      decision: 'failed',
      status: 502,
      code: 'hadoop-denied',
      reason: 'denied',
      exception: 'AuthorizationException',
      pod,
      user: 'alice',
    });
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
    await expectCouldNotCheck(lonely, answer, 'authentication-unavailable', { dependency: 'kubernetes-api' });
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
    await expectCouldNotCheck(serveWithout, answer, 'authentication-unavailable', {
      dependency: 'kubernetes-api',
    });
    const line = await serveWithout.logLineOf(answer.json['requestId']);
    expect(JSON.stringify(line)).toContain('forbidden');
    expect(serveWithout.output()).not.toContain(powerless.reveal());
    await serveWithout.stop();
  });
});
