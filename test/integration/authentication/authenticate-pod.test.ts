import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type {
  AuthenticatePod,
  AuthenticationResult,
} from '../../../src/authentication/authentication-result.ts';
import type { GetPod } from '../../../src/authentication/kubernetes-access.ts';
import {
  type AuthenticationParts,
  buildAuthentication,
} from '../../../src/commands/serve/build-authentication.ts';
import { parseServeConfig } from '../../../src/config/serve-config.ts';
import { type KubernetesApi, loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { type Clock, systemClock } from '../../../src/time/clock.ts';
import { readStack } from '../../stack/stack.ts';
import {
  createServiceAccountLogin,
  kubeconfigFor,
  LEAST_RULES,
  loadConfig,
  type PodOptions,
  type ServiceAccountLogin,
  TestNamespace,
  type TestPod,
  whoAmI,
} from '../kubernetes-objects.ts';
import { freePort, waitFor } from '../serve-process.ts';

const AUDIENCE = 'kerbridge-test';
const ADDRESS = '127.0.0.1';

let admin: string;
let login: ServiceAccountLogin;
let namespace: TestNamespace;
let api: KubernetesApi;
/** Looks each pod up when it asks. */
let authenticate: AuthenticatePod;
/** Keeps the pods in memory. */
let authenticateWithPods: AuthenticatePod;
let folder: string;
const disposals: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  admin = (await readStack()).kubernetes.kubeconfig.admin;
  folder = await mkdtemp(join(tmpdir(), 'kerbridge-authentication-'));
  disposals.push(() => rm(folder, { recursive: true, force: true }));
  // Everything below is done with the least rights, never with the administrator's.
  login = await createServiceAccountLogin(admin);
  disposals.push(login.dispose);
  namespace = await TestNamespace.create(admin);
  disposals.push(() => namespace.dispose());
  api = loadKubernetesApi({ kubeconfig: login.kubeconfig });
  disposals.push(api.close);
  authenticate = authenticatorOf(api);
  authenticateWithPods = await authenticatorWithPods(api);
}, 60_000);

afterAll(async () => {
  for (const dispose of disposals.toReversed()) await dispose();
}, 60_000);

/** The chain as `serve` builds it, with its limits and caches. */
function authenticationOf(kubernetes: KubernetesApi, clock: Clock = systemClock): AuthenticationParts {
  const parsed = parseServeConfig({
    kubernetes: { audience: AUDIENCE },
    clusters: [{ hadoopConf: '/none', keytab: '/none' }],
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return buildAuthentication({
    config: parsed.config,
    kubernetes,
    metrics: createMetrics({ version: 'test', processMetrics: false }),
    logger: silentLogger,
    clock,
    random: Math.random,
  });
}

/** It knows no pods, so each is looked up when it asks. */
function authenticatorOf(kubernetes: KubernetesApi, clock: Clock = systemClock): AuthenticatePod {
  return authenticationOf(kubernetes, clock).authenticatePod;
}

/** It knows all pods that there are now. */
async function authenticatorWithPods(kubernetes: KubernetesApi): Promise<AuthenticatePod> {
  const { authenticatePod, dependencies, start, stop } = authenticationOf(kubernetes);
  start();
  disposals.push(stop);
  const pods = dependencies.find(({ name }) => name === 'kubernetes/pods');
  await pods?.check(AbortSignal.timeout(30_000));
  return authenticatePod;
}

const present = async (
  serviceAccountToken: Secret<string>,
  by = authenticate,
  sourceAddress: string | undefined = ADDRESS,
): Promise<AuthenticationResult> =>
  await by({ authorization: [`Bearer ${serviceAccountToken.reveal()}`], sourceAddress });
/** A pod at the address that requests come from. */
const newPod = (options: PodOptions = {}): Promise<TestPod> =>
  namespace.createPod({ podIp: ADDRESS, ...options });
const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;
const couldNotCheck = (code: string) =>
  expect.objectContaining({
    outcome: 'could-not-check',
    dependency: 'kubernetes-api',
    cause: expect.objectContaining({ name: 'KubernetesApiError', code }),
  }) as unknown;

async function withKubeconfig(text: string): Promise<KubernetesApi> {
  const kubeconfig = join(folder, `kubeconfig-${disposals.length}`);
  await writeFile(kubeconfig, text);
  const other = loadKubernetesApi({ kubeconfig });
  disposals.push(other.close);
  return other;
}

describe.each([
  ['that looks each pod up', () => authenticate],
  ['that keeps the pods in memory', () => authenticateWithPods],
])('a pod that shows its token to an authenticator %s', (_, theAuthenticator) => {
  let by: AuthenticatePod;

  beforeAll(() => {
    by = theAuthenticator();
  });

  it('is authenticated, by an account with the least rights', async () => {
    expect(await whoAmI(login.kubeconfig)).toBe(login.username);
    const pod = await newPod({ user: 'alice' });
    expect(await present(await namespace.requestToken([AUDIENCE], { pod }), by)).toEqual({
      outcome: 'authenticated',
      pod: {
        namespace: namespace.name,
        name: pod.name,
        uid: pod.uid,
        serviceAccount: 'trainer',
        annotations: { 'iddecorator.username': 'alice' },
        createdAt: expect.any(Number),
      },
    });
  });

  it.each(['Pending', 'Unknown'])('is authenticated while %s', async (phase) => {
    const pod = await newPod({ phase });
    expect(await present(await namespace.requestToken([AUDIENCE], { pod }), by)).toMatchObject({
      outcome: 'authenticated',
    });
  });

  it.each(['Succeeded', 'Failed'])('is refused once %s, though the API server says yes', async (phase) => {
    const pod = await newPod();
    const token = await namespace.requestToken([AUDIENCE], { pod });
    expect(await present(token, by)).toMatchObject({ outcome: 'authenticated' });
    await namespace.setPhase(pod, phase);
    expect(await api.reviewServiceAccountToken(token, [AUDIENCE])).toMatchObject({ authenticated: true });
    await waitFor(async () => (await present(token, by)).outcome === 'refused');
    expect(await present(token, by)).toEqual(refused('pod-finished'));
  });

  it('is refused once deleted, though the API server and we have a yes in the cache', async () => {
    const pod = await newPod();
    const token = await namespace.requestToken([AUDIENCE], { pod });
    expect(await present(token, by)).toMatchObject({ outcome: 'authenticated' });
    await namespace.deletePod(pod, 0);
    await waitFor(async () => (await present(token, by)).outcome === 'refused');
    const { authenticated } = await api.reviewServiceAccountToken(token, [AUDIENCE]);
    // For ten seconds or so.
    if (authenticated) expect(await present(token, by)).toEqual(refused('pod-not-found'));
  });

  it('is refused once another one of the same name has replaced it', async () => {
    const pod = await newPod({ name: 'again', user: 'alice' });
    const token = await namespace.requestToken([AUDIENCE], { pod });
    expect(await present(token, by)).toMatchObject({ outcome: 'authenticated' });
    await namespace.deletePod(pod, 0);
    const second = await newPod({ name: 'again', user: 'bob' });
    expect(second.uid).not.toBe(pod.uid);
    await waitFor(async () => (await present(token, by)).outcome === 'refused');
    const { authenticated } = await api.reviewServiceAccountToken(token, [AUDIENCE]);
    if (authenticated) expect(await present(token, by)).toEqual(refused('pod-uid-differs'));
    await namespace.deletePod(second, 0);
  });

  it('is refused from another address, and not checked while it has none', async () => {
    const elsewhere = await newPod({ podIp: '10.9.8.7' });
    const token = await namespace.requestToken([AUDIENCE], { pod: elsewhere });
    expect(await present(token, by)).toEqual(refused('source-address-differs'));
    expect(await present(token, by, '10.9.8.7')).toMatchObject({ outcome: 'authenticated' });

    const starting = await namespace.createPod();
    expect(await present(await namespace.requestToken([AUDIENCE], { pod: starting }), by)).toEqual({
      outcome: 'could-not-check',
      dependency: 'pod-address',
      pod: starting,
    });
  });
});

describe('an authenticator that keeps the pods in memory', () => {
  it('looks no pod up that it knows', async () => {
    const pod = await newPod();
    const lookedUp: string[] = [];
    const getPod: GetPod = async (...question) => {
      lookedUp.push(question[1]);
      return await api.getPod(...question);
    };
    const by = await authenticatorWithPods({ ...api, getPod });
    expect(await present(await namespace.requestToken([AUDIENCE], { pod }), by)).toMatchObject({
      outcome: 'authenticated',
    });
    expect(lookedUp).toEqual([]);
  });
});

describe('a terminating pod', () => {
  it('is authenticated until its deletionTimestamp', async () => {
    const pod = await newPod();
    const token = await namespace.requestToken([AUDIENCE], { pod });
    await namespace.deletePod(pod, 30);
    const live = await api.getPod(pod.namespace, pod.name);
    const deletionTimestamp = live?.deletionTimestamp ?? Number.NaN;
    expect(deletionTimestamp).toBeGreaterThan(systemClock.now());
    expect(await present(token)).toMatchObject({ outcome: 'authenticated' });

    // Half a minute later, for us: the API server still says yes to the token, and the pod is still there.
    const later: Clock = { ...systemClock, now: () => deletionTimestamp };
    expect(await present(token, authenticatorOf(api, later))).toEqual(refused('pod-deleted'));
  });
});

describe('refused', () => {
  it('is a token for another audience', async () => {
    const pod = await newPod();
    const result = await present(await namespace.requestToken(['somebody-else'], { pod }));
    expect(result).toEqual(refused('jwt-audience-differs'));
  });

  it('is a token for several audiences, ours among them, to which the API server says yes', async () => {
    const pod = await newPod();
    const token = await namespace.requestToken(['https://kubernetes.default.svc', AUDIENCE], { pod });
    expect(await api.reviewServiceAccountToken(token, [AUDIENCE])).toMatchObject({ authenticated: true });
    expect(await present(token)).toEqual(refused('jwt-several-audiences'));
  });

  it('is the default token, for the API server itself', async () => {
    const pod = await newPod();
    expect(await present(await namespace.requestToken([], { pod }))).toEqual(refused('jwt-audience-differs'));
  });

  it.each([
    ['garbage', 'garbage', 'jwt-malformed'],
    [
      'a JWT without a signature',
      'eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMifQ.',
      'jwt-algorithm-not-allowed',
    ],
  ])('is %s', async (_, text, reason) => {
    expect(await present(new Secret(text))).toEqual(refused(reason));
  });

  it('is a token with one character changed, by us and by the API server', async () => {
    const pod = await newPod();
    const token = (await namespace.requestToken([AUDIENCE], { pod })).reveal();
    const at = token.lastIndexOf('.') + 10;
    const forged = new Secret(`${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`);
    expect(await present(forged)).toEqual(refused('jwt-signature-invalid'));
    // Without the keys it is left to the API server.
    const withoutKeys = authenticatorOf({
      ...api,
      readServiceAccountIssuer: () => Promise.reject(new Error('none today')),
    });
    expect(await present(forged, withoutKeys)).toEqual(refused('service-account-token-invalid'));
  });

  it('is the token of an account without a pod, to which the API server says yes', async () => {
    const token = await namespace.requestToken([AUDIENCE], {});
    expect(await api.reviewServiceAccountToken(token, [AUDIENCE])).toMatchObject({ authenticated: true });
    expect(await present(token)).toEqual(refused('jwt-without-pod'));
  });

  it('is a caller whose address cannot be told', async () => {
    const pod = await newPod();
    const serviceAccountToken = await namespace.requestToken([AUDIENCE], { pod });
    const authorization = [`Bearer ${serviceAccountToken.reveal()}`];
    expect(await authenticate({ authorization, sourceAddress: undefined })).toEqual(
      refused('source-address-unknown'),
    );
  });

  it('is the token of a deleted pod that nobody has seen before', async () => {
    const pod = await newPod();
    const token = await namespace.requestToken([AUDIENCE], { pod });
    await namespace.deletePod(pod, 0);
    expect(await present(token)).toEqual(refused('service-account-token-invalid'));
  });
});

describe('could not check', () => {
  const newToken = async (): Promise<Secret<string>> =>
    await namespace.requestToken([AUDIENCE], { pod: await newPod() });

  it('is what a closed port gives', async () => {
    const own = await namespace.requestToken([], {});
    const server = `https://127.0.0.1:${await freePort()}`;
    const other = await withKubeconfig(await kubeconfigFor(loadConfig(admin), own, { server }));
    expect(await present(await newToken(), authenticatorOf(other))).toEqual(couldNotCheck('unreachable'));
    await expect(other.checkReady()).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is what a certificate gives that we have no CA for', async () => {
    const own = await namespace.requestToken([], {});
    const other = await withKubeconfig(await kubeconfigFor(loadConfig(admin), own, { withoutCa: true }));
    expect(await present(await newToken(), authenticatorOf(other))).toEqual(couldNotCheck('unreachable'));
  });

  it('is what credentials give that the API server does not accept', async () => {
    const other = await withKubeconfig(await kubeconfigFor(loadConfig(admin), new Secret('not-a-token')));
    expect(await present(await newToken(), authenticatorOf(other))).toEqual(couldNotCheck('unauthorized'));
    await expect(other.checkReady()).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it.each([
    ['review tokens', LEAST_RULES.slice(1), 'create'],
    ['read pods', LEAST_RULES.slice(0, 1), 'get'],
  ])('is what an account gets that may not %s', async (_, rules, verb) => {
    const lesser = await createServiceAccountLogin(admin, rules);
    disposals.push(lesser.dispose);
    const other = loadKubernetesApi({ kubeconfig: lesser.kubeconfig });
    disposals.push(other.close);
    const result = await present(await newToken(), authenticatorOf(other));
    expect(result).toEqual(couldNotCheck('forbidden'));
    expect(result).toMatchObject({ cause: { fix: expect.stringContaining(`\`${verb}\``) } });
  });
});

describe('checkReady', () => {
  it('says yes to the account with the least rights', async () => {
    await expect(api.checkReady()).resolves.toBeUndefined();
  });
});
