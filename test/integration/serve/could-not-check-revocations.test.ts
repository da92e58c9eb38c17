import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CoreV1Api } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { hdfsControl } from '../../stack/stack.ts';
import { createServiceAccountLogin, LEAST_RULES, loadConfig } from '../kubernetes-objects.ts';
import { KubernetesProxy, kubeconfigThrough } from '../kubernetes-proxy.ts';
import { waitFor } from '../serve-process.ts';
import { expectCouldNotCheck } from './expect-could-not-check.ts';
import { askCredentials, AUDIENCE, ServeWorld } from './serve-world.ts';

const NAME = 'kerbridge-revocations';

describe('a caller of whom nobody can say that it is not revoked', () => {
  let world: ServeWorld;

  beforeAll(async () => {
    world = await ServeWorld.create();
    await hdfsControl(world.stack.hdfs).reset();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it('503 from the start if our account may not read the ConfigMap: not ready, and the log says what to grant', async () => {
    const rules = LEAST_RULES.filter(({ resources }) => resources?.includes('configmaps') !== true);
    const login = await createServiceAccountLogin(world.stack.kubernetes.kubeconfig.admin, rules);
    const serve = await world.serve(
      { kubernetes: { kubeconfig: login.kubeconfig, audience: AUDIENCE } },
      { untilReady: false },
    );
    const { pod, serviceAccountToken } = await world.pod({ user: 'alice' });
    await expectCouldNotCheck(
      serve,
      await askCredentials(serve, serviceAccountToken),
      'identity-unavailable',
      {
        dependency: 'revocations',
        reason: 'revocations',
        detail: expect.stringMatching(/^forbidden: /),
        pod,
      },
    );
    // The rest is there sooner or later, and this never.
    const blocking = async () => {
      const report = (await (await fetch(`${serve.adminUrl}/readyz`)).json()) as {
        dependencies: { name: string; blocking: boolean }[];
      };
      return report.dependencies.flatMap((each) => (each.blocking ? [each.name] : []));
    };
    await waitFor(async () => (await blocking()).length < 2);
    expect(await blocking()).toEqual(['revocations']);
    const line = serve.logLines().find(({ message }) => String(message).startsWith('Revocations cannot'));
    expect(line).toMatchObject({
      level: 'warn',
      message: 'Revocations cannot be read; nobody gets credentials until they can be',
      configMap: `${world.namespace.name}/${NAME}`,
      fix: expect.stringContaining('`get` on `configmaps`') as unknown,
    });
    // What is known refuses all the same.
    const { serviceAccountToken: unstamped } = await world.pod({});
    expect((await askCredentials(serve, unstamped)).status).toBe(403);
    await serve.stop();
    await login.dispose();
  });

  it('503 once the list has not been read for 30 seconds; who is on it is refused as ever', async () => {
    const core = loadConfig(world.stack.kubernetes.kubeconfig.admin).makeApiClient(CoreV1Api);
    const revoked = await world.pod({ user: 'bob' });
    const { namespace, name, uid } = revoked.pod;
    const revocations = [{ pod: { namespace, name, uid }, revokedAt: new Date().toISOString() }];
    await core.createNamespacedConfigMap({
      namespace,
      body: {
        metadata: { name: NAME },
        data: { 'revocations.yaml': stringify({ version: 1, revocations }) },
      },
    });
    const { server, caFile } = world.stack.kubernetes;
    await using proxy = await KubernetesProxy.before(server, await readFile(caFile, 'utf8'));
    const kubeconfig = join(world.folder, 'through.kubeconfig');
    await writeFile(kubeconfig, await kubeconfigThrough(proxy, world.kubeconfig), { mode: 0o600 });
    const serve = await world.serve({
      kubernetes: { kubeconfig, audience: AUDIENCE },
      identity: { revocationsConfigMap: { namespace } },
    });
    const { pod, serviceAccountToken } = await world.pod({ user: 'alice' });
    const isRefused = async () => {
      const answer = await askCredentials(serve, revoked.serviceAccountToken);
      expect(answer.status).toBe(403);
      expect(await serve.auditLineOf(answer.json['requestId'])).toMatchObject({ reason: 'pod-revoked' });
    };
    expect((await askCredentials(serve, serviceAccountToken)).status).toBe(200);
    await isRefused();

    const end = proxy.answer(/\/configmaps\//, 500, { kind: 'Status', status: 'Failure', code: 500 });
    // One failed read is not the end.
    const reads = proxy.count(/\/configmaps\//);
    await proxy.arrival(/\/configmaps\//, reads + 2);
    expect((await askCredentials(serve, serviceAccountToken)).status).toBe(200);
    // Real time: the age at which the list says nothing any more.
    await waitFor(async () => (await askCredentials(serve, serviceAccountToken)).status !== 200, 40_000);
    const answer = await askCredentials(serve, serviceAccountToken);
    await expectCouldNotCheck(serve, answer, 'identity-unavailable', { dependency: 'revocations', pod });
    await isRefused();

    end();
    await waitFor(async () => (await askCredentials(serve, serviceAccountToken)).status === 200);
    await isRefused();
    await serve.stop();
  });
});
