import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hdfsControl } from '../../stack/stack.ts';
import { createServiceAccountLogin, LEAST_RULES } from '../kubernetes-objects.ts';
import { KubernetesProxy, kubeconfigThrough, KubernetesWire, TOKEN_REVIEW } from '../kubernetes-proxy.ts';
import type { RequestPattern } from '../kubernetes-proxy.ts';
import { waitFor } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { expectCouldNotCheck } from './expect-could-not-check.ts';
import { askCredentials, AUDIENCE, ServeWorld } from './serve-world.ts';
import { TamperingProxy } from './tampering-proxy.ts';

const LIVE_POD = /^GET \/api\/v1\/namespaces\/[^/]+\/pods\/[^/?]+/;
const SIGNING_KEYS = /^GET \/(?:\.well-known\/openid-configuration|openid\/v1\/jwks)/;
/** The reflector then knows no pod, so each is looked up when it asks. */
const NO_PODS = 'kerbridge-test=no-such-pod';

const status = (code: number, reason: string) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason,
  code,
});
const reviewed = (error: string) => ({
  kind: 'TokenReview',
  apiVersion: 'authentication.k8s.io/v1',
  status: { authenticated: false, error },
});
const INVALIDATED = reviewed('[invalid bearer token, service account token has been invalidated]');

describe('a caller that the API server cannot tell us about', () => {
  let world: ServeWorld;
  let kubernetes: KubernetesProxy;
  let nameNode: TamperingProxy;
  let hadoopConf: string;
  const faults: (() => void)[] = [];

  beforeAll(async () => {
    world = await ServeWorld.create();
    await hdfsControl(world.stack.hdfs).reset();
    const { server, caFile } = world.stack.kubernetes;
    kubernetes = await KubernetesProxy.before(server, await readFile(caFile, 'utf8'));
    nameNode = await TamperingProxy.before(world.stack.hdfs.nameNodes[0]?.httpUrl ?? '');
    hadoopConf = await nameNode.confDir(world.stack.hdfs, world.folder);
  });

  afterEach(() => {
    for (const end of faults.splice(0)) end();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await kubernetes[Symbol.asyncDispose]();
    await nameNode[Symbol.asyncDispose]();
  });

  async function writeKubeconfig(
    proxy: { readonly server: string; readonly ca?: string },
    kubeconfig: string,
  ): Promise<string> {
    const path = join(world.folder, `kubeconfig-${new URL(proxy.server).port}`);
    await writeFile(path, await kubeconfigThrough(proxy, kubeconfig), { mode: 0o600 });
    return path;
  }

  const startServe = async (
    kubeconfig: string,
    { untilReady = true, ...kubernetesChange }: { untilReady?: boolean; podSelector?: string } = {},
  ): Promise<ServeProcess> =>
    await world.serve(
      {
        kubernetes: { kubeconfig, audience: AUDIENCE, ...kubernetesChange },
        clusters: [world.cluster({ hadoopConf })],
        limits: { kubernetesCallTimeout: '2s' },
      },
      { untilReady },
    );

  /** Tokens that the NameNode was asked for. */
  const issues = (): number => nameNode.operations.filter((op) => op === 'GETDELEGATIONTOKEN').length;

  describe('while nobody answers at its address', () => {
    it('503 for a new caller; who was checked a moment ago is served, for ten seconds', async () => {
      const wire = await KubernetesWire.before(world.stack.kubernetes.server);
      const serve = await startServe(await writeKubeconfig(wire, world.kubeconfig));
      const known = await world.pod({ user: 'alice' });
      const unknown = await world.pod({ user: 'alice' });
      const before = await askCredentials(serve, known.serviceAccountToken);
      expect(before.status).toBe(200);
      wire.cut();

      const during = await askCredentials(serve, known.serviceAccountToken);
      expect(during.status).toBe(200);
      expect(during.json['credentials']).toBe(before.json['credentials']);
      await expectCouldNotCheck(
        serve,
        await askCredentials(serve, unknown.serviceAccountToken),
        'authentication-unavailable',
        { dependency: 'kubernetes-api' },
      );

      // Real time: TTL of the review cache. That it is asked meanwhile makes no yes live longer.
      await waitFor(
        async () => (await askCredentials(serve, known.serviceAccountToken)).status !== 200,
        15_000,
      );
      const after = await askCredentials(serve, known.serviceAccountToken);
      await expectCouldNotCheck(serve, after, 'authentication-unavailable', { dependency: 'kubernetes-api' });
      expect(JSON.stringify(await serve.logLineOf(after.json['requestId']))).toContain('ECONNREFUSED');

      await wire.restore();
      expect((await askCredentials(serve, known.serviceAccountToken)).status).toBe(200);
      expect((await askCredentials(serve, unknown.serviceAccountToken)).status).toBe(200);
      await serve.stop();
      await wire[Symbol.asyncDispose]();
    });
  });

  describe('while it answers no sense, or nothing', () => {
    let serve: ServeProcess;
    let through: string;

    beforeAll(async () => {
      through = await writeKubeconfig(kubernetes, world.kubeconfig);
      serve = await startServe(through, { podSelector: NO_PODS });
    });

    type Trouble = readonly [answer: string, logged: string, make: (at: RequestPattern) => () => void];
    const troubles: readonly Trouble[] = [
      ['500', 'server-error', (at) => kubernetes.answer(at, 500, status(500, 'InternalError'))],
      ['503 of a proxy', 'server-error', (at) => kubernetes.answer(at, 503, 'upstream connect error')],
      ['429', 'too-many-requests', (at) => kubernetes.answer(at, 429, status(429, 'TooManyRequests'))],
      ['403, about us', 'forbidden', (at) => kubernetes.answer(at, 403, status(403, 'Forbidden'))],
      ['401, about us', 'unauthorized', (at) => kubernetes.answer(at, 401, status(401, 'Unauthorized'))],
      ['404 of a proxy', 'bad-reply', (at) => kubernetes.answer(at, 404, 'no such route')],
      ['garbage', 'bad-reply', (at) => kubernetes.answer(at, 200, '<html>'.repeat(50))],
      ['another object', 'bad-reply', (at) => kubernetes.answer(at, 200, { kind: 'Namespace' })],
      [
        'a redirect',
        'bad-reply',
        (at) => kubernetes.answer(at, 307, '', { location: 'https://localhost:1/' }),
      ],
      ['a broken connection', 'unreachable', (at) => kubernetes.drop(at)],
      ['late', 'within 2000 ms', (at) => kubernetes.hold(at, new Promise(() => undefined))],
    ];
    const noWebhook = reviewed('[invalid bearer token, Post "https://hook": context deadline exceeded]');
    const undecided: Trouble = [
      'that it could not ask its webhook',
      'could not be decided',
      (at) => kubernetes.answer(at, 201, noWebhook),
    ];
    const about = (question: string, pattern: RequestPattern, those: readonly Trouble[]) =>
      those.map(([answer, ...rest]) => [question, answer, pattern, ...rest] as const);

    it.each([
      ...about('a TokenReview', TOKEN_REVIEW, [...troubles, undecided]),
      ...about('a look at the pod', LIVE_POD, troubles),
    ])('503 if the answer to %s is %s; 200 afterwards', async (_, __, pattern, logged, make) => {
      const { serviceAccountToken } = await world.pod(
        { user: 'alice' },
        { namespace: await world.anotherNamespace() },
      );
      const issued = issues();
      const end = make(pattern);
      faults.push(end);
      const answer = await askCredentials(serve, serviceAccountToken);
      await expectCouldNotCheck(serve, answer, 'authentication-unavailable', {
        dependency: 'kubernetes-api',
        reason: 'kubernetes-api',
      });
      expect(JSON.stringify(await serve.logLineOf(answer.json['requestId']))).toContain(logged);
      expect(issues()).toBe(issued);
      end();
      // Nothing of it is remembered.
      expect((await askCredentials(serve, serviceAccountToken)).status).toBe(200);
      expect(issues()).toBeGreaterThan(issued);
    });

    it('503 to those who wait behind reviews that hang, before those are given up; never more than 16 at once', async () => {
      // Of two pods, since one may have 16 requests under way.
      const pods = [(await world.pod({ user: 'alice' })).pod, (await world.pod({ user: 'alice' })).pod];
      const tokens: string[] = [];
      for (const pod of pods.flatMap((each) => Array.from({ length: 12 }, () => each)))
        tokens.push((await world.namespace.requestToken([AUDIENCE], { pod })).reveal());
      const asked = kubernetes.count(TOKEN_REVIEW);
      faults.push(kubernetes.hold(TOKEN_REVIEW, new Promise(() => undefined)));
      const answers = await Promise.all(tokens.map((token) => askCredentials(serve, token)));
      const [waited, hung] = [true, false].map((isQueue) =>
        answers.filter(({ json }) => (json['code'] === 'overloaded') === isQueue),
      );
      for (const answer of waited ?? []) {
        await expectCouldNotCheck(serve, answer, 'overloaded', { dependency: 'kubernetes-api-queue' });
      }
      for (const answer of hung ?? []) {
        await expectCouldNotCheck(serve, answer, 'authentication-unavailable', {
          dependency: 'kubernetes-api',
        });
      }
      expect(waited).toHaveLength(8);
      expect(kubernetes.count(TOKEN_REVIEW) - asked).toBe(16);
      // All alike: one of 9 values each, so a chance of 9 ** -23.
      expect(new Set(answers.map(({ headers }) => headers.get('retry-after'))).size).toBeGreaterThan(1);
    });

    it('503 and not 401 if the API server has lost etcd, for which it has the words of a deleted pod', async () => {
      const { serviceAccountToken } = await world.pod({ user: 'alice' });
      faults.push(kubernetes.answer(TOKEN_REVIEW, 201, INVALIDATED));
      const end = kubernetes.answer(LIVE_POD, 500, status(500, 'InternalError'));
      faults.push(end);
      const answer = await askCredentials(serve, serviceAccountToken);
      await expectCouldNotCheck(serve, answer, 'authentication-unavailable', {
        dependency: 'kubernetes-api',
      });
    });

    it('401 with the same words if the pod is gone', async () => {
      const { pod, serviceAccountToken } = await world.pod({ user: 'alice' });
      await world.namespace.deletePod(pod, 0);
      faults.push(kubernetes.answer(TOKEN_REVIEW, 201, INVALIDATED));
      const answer = await askCredentials(serve, serviceAccountToken);
      expect(answer.status).toBe(401);
      expect(await serve.auditLineOf(answer.json['requestId'])).toMatchObject({
        decision: 'refused',
        reason: 'service-account-token-invalid',
      });
    });

    it.each([
      ['forbidden', 'answered 403', () => kubernetes.answer(SIGNING_KEYS, 403, status(403, 'Forbidden'))],
      ['out of reach', 'unreachable', () => kubernetes.drop(SIGNING_KEYS)],
    ])('signing keys that are %s: the API server decides alone', async (_, logged, make) => {
      const { serviceAccountToken } = await world.pod({ user: 'alice' });
      faults.push(make());
      const withoutKeys = await startServe(through, { untilReady: false });
      const asked = kubernetes.count(TOKEN_REVIEW);
      expect((await askCredentials(withoutKeys, serviceAccountToken)).status).toBe(200);
      const forged = `${serviceAccountToken.slice(0, -10)}AAAAAAAAAA`;
      const answer = await askCredentials(withoutKeys, forged);
      expect(answer.status).toBe(401);
      expect(await withoutKeys.auditLineOf(answer.json['requestId'])).toMatchObject({
        reason: 'service-account-token-invalid',
      });
      expect(kubernetes.count(TOKEN_REVIEW) - asked).toBeGreaterThanOrEqual(2);
      const line = withoutKeys.logLines().find(({ message }) => String(message).startsWith('Signing keys'));
      expect(line).toMatchObject({ level: 'warn' });
      expect(JSON.stringify(line)).toContain(logged);
      await withoutKeys.stop();
    });
  });

  it('pods that we may get but not list: each is looked up, and readiness and log say so', async () => {
    const mayOnlyGet = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
    const rules = LEAST_RULES.filter(({ resources }) => resources?.includes('pods') !== true);
    const login = await createServiceAccountLogin(world.stack.kubernetes.kubeconfig.admin, [
      ...rules,
      mayOnlyGet,
    ]);
    const serve = await startServe(login.kubeconfig, { untilReady: false });
    const { serviceAccountToken } = await world.pod({ user: 'alice' });
    expect((await askCredentials(serve, serviceAccountToken)).status).toBe(200);
    const ready = await fetch(`${serve.adminUrl}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      dependencies: expect.arrayContaining([
        expect.objectContaining({ name: 'kubernetes/pods', blocking: true }),
        expect.objectContaining({ name: 'kubernetes', blocking: false }),
      ]) as unknown,
    });
    const line = serve.logLines().find(({ message }) => String(message).startsWith('Pods cannot be watched'));
    expect(line).toMatchObject({ level: 'warn', fix: expect.stringContaining('`list`') as unknown });
    await serve.stop();
    await login.dispose();
  });
});
