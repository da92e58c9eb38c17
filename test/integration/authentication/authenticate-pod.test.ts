import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPodAuthenticator } from '../../../src/authentication/authenticate-pod.ts';
import type {
  AuthenticatePod,
  AuthenticationResult,
} from '../../../src/authentication/authentication-result.ts';
import { type KubernetesApi, loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { type Clock, systemClock } from '../../../src/time/clock.ts';
import { readStack } from '../../stack/stack.ts';
import {
  createServiceAccountLogin,
  kubeconfigFor,
  LEAST_RULES,
  loadConfig,
  type ServiceAccountLogin,
  TestNamespace,
  whoAmI,
} from '../kubernetes-objects.ts';

const AUDIENCE = 'kerbridge-test';

let admin: string;
let login: ServiceAccountLogin;
let namespace: TestNamespace;
let api: KubernetesApi;
let authenticate: AuthenticatePod;
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
}, 60_000);

afterAll(async () => {
  for (const dispose of disposals.toReversed()) await dispose();
}, 60_000);

function authenticatorOf(kubernetesApi: KubernetesApi, clock: Clock = systemClock): AuthenticatePod {
  const { reviewServiceAccountToken, getPod } = kubernetesApi;
  return createPodAuthenticator({ reviewServiceAccountToken, getPod, audience: AUDIENCE, clock });
}

const present = (serviceAccountToken: Secret<string>, by = authenticate): Promise<AuthenticationResult> =>
  by([`Bearer ${serviceAccountToken.reveal()}`]);
const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;
const couldNotCheck = (code: string) =>
  expect.objectContaining({
    outcome: 'could-not-check',
    cause: expect.objectContaining({ name: 'KubernetesApiError', code }),
  }) as unknown;

async function withKubeconfig(text: string): Promise<KubernetesApi> {
  const kubeconfig = join(folder, `kubeconfig-${disposals.length}`);
  await writeFile(kubeconfig, text);
  const other = loadKubernetesApi({ kubeconfig });
  disposals.push(other.close);
  return other;
}

describe('a pod that shows its token to the real API server', () => {
  it('is authenticated, by an account with the least rights', async () => {
    expect(await whoAmI(login.kubeconfig)).toBe(login.username);
    const pod = await namespace.createPod({ user: 'alice' });
    expect(await present(await namespace.requestToken([AUDIENCE], { pod }))).toEqual({
      outcome: 'authenticated',
      pod: {
        namespace: namespace.name,
        name: pod.name,
        uid: pod.uid,
        serviceAccount: 'trainer',
        annotations: { 'iddecorator.username': 'alice' },
      },
    });
  });

  it.each(['Pending', 'Unknown'])('is authenticated while %s', async (phase) => {
    const pod = await namespace.createPod({ phase });
    expect(await present(await namespace.requestToken([AUDIENCE], { pod }))).toMatchObject({
      outcome: 'authenticated',
    });
  });

  it('is authenticated with a token for several audiences, ours among them', async () => {
    const pod = await namespace.createPod();
    const token = await namespace.requestToken(['https://kubernetes.default.svc', AUDIENCE], { pod });
    expect(await present(token)).toMatchObject({ outcome: 'authenticated' });
  });

  it('is authenticated while it terminates, until its deletionTimestamp', async () => {
    const pod = await namespace.createPod();
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
    const pod = await namespace.createPod();
    const result = await present(await namespace.requestToken(['somebody-else'], { pod }));
    expect(result).toEqual(refused('service-account-token-invalid'));
  });

  it('is the default token, for the API server itself', async () => {
    const pod = await namespace.createPod();
    expect(await present(await namespace.requestToken([], { pod }))).toEqual(
      refused('service-account-token-invalid'),
    );
  });

  it.each([
    ['garbage', 'garbage'],
    [
      'a JWT without a signature',
      'eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMifQ.',
    ],
  ])('is %s', async (_, text) => {
    expect(await present(new Secret(text))).toEqual(refused('service-account-token-invalid'));
  });

  it('is a token with one character changed', async () => {
    const pod = await namespace.createPod();
    const token = (await namespace.requestToken([AUDIENCE], { pod })).reveal();
    const at = token.lastIndexOf('.') + 10;
    const forged = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
    expect(await present(new Secret(forged))).toEqual(refused('service-account-token-invalid'));
  });

  it('is the token of an account without a pod', async () => {
    expect(await present(await namespace.requestToken([AUDIENCE], {}))).toEqual(
      refused('not-bound-to-a-pod'),
    );
  });

  it.each(['Succeeded', 'Failed'])('is a %s pod, to whose token the API server says yes', async (phase) => {
    const pod = await namespace.createPod();
    const token = await namespace.requestToken([AUDIENCE], { pod });
    await namespace.setPhase(pod, phase);
    expect(await api.reviewServiceAccountToken(token, [AUDIENCE])).toMatchObject({ authenticated: true });
    expect(await present(token)).toEqual(refused('pod-finished'));
  });

  it('is the token of a deleted pod that the API server has not seen before', async () => {
    const pod = await namespace.createPod();
    const token = await namespace.requestToken([AUDIENCE], { pod });
    await namespace.deletePod(pod, 0);
    expect(await present(token)).toEqual(refused('service-account-token-invalid'));
  });

  it('is a deleted pod for whose token the API server still has a yes in its cache', async () => {
    const pod = await namespace.createPod();
    const token = await namespace.requestToken([AUDIENCE], { pod });
    expect(await present(token)).toMatchObject({ outcome: 'authenticated' });
    await namespace.deletePod(pod, 0);
    const result = await present(token);
    const { authenticated } = await api.reviewServiceAccountToken(token, [AUDIENCE]);
    // For ten seconds or so.
    if (authenticated) expect(result).toEqual(refused('pod-not-found'));
    else expect(result.outcome).toBe('refused');
  });

  it('is the token of a pod that another one of the same name has replaced', async () => {
    const pod = await namespace.createPod({ name: 'again', user: 'alice' });
    const token = await namespace.requestToken([AUDIENCE], { pod });
    expect(await present(token)).toMatchObject({ outcome: 'authenticated' });
    await namespace.deletePod(pod, 0);
    const second = await namespace.createPod({ name: 'again', user: 'bob' });
    expect(second.uid).not.toBe(pod.uid);
    const result = await present(token);
    const { authenticated } = await api.reviewServiceAccountToken(token, [AUDIENCE]);
    if (authenticated) expect(result).toEqual(refused('pod-uid-differs'));
    else expect(result.outcome).toBe('refused');
  });
});

describe('could not check', () => {
  it('is what a closed port gives', async () => {
    const unused = createServer();
    await new Promise<void>((resolve) => {
      unused.listen(0, '127.0.0.1', resolve);
    });
    const { port } = unused.address() as AddressInfo;
    await new Promise((resolve) => {
      unused.close(resolve);
    });
    const own = await namespace.requestToken([], {});
    const other = await withKubeconfig(
      await kubeconfigFor(loadConfig(admin), own, { server: `https://127.0.0.1:${port}` }),
    );
    expect(await present(new Secret('garbage'), authenticatorOf(other))).toEqual(
      couldNotCheck('unreachable'),
    );
    await expect(other.checkReady()).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is what a certificate gives that we have no CA for', async () => {
    const own = await namespace.requestToken([], {});
    const other = await withKubeconfig(await kubeconfigFor(loadConfig(admin), own, { withoutCa: true }));
    expect(await present(new Secret('garbage'), authenticatorOf(other))).toEqual(
      couldNotCheck('unreachable'),
    );
  });

  it('is what credentials give that the API server does not accept', async () => {
    const other = await withKubeconfig(await kubeconfigFor(loadConfig(admin), new Secret('not-a-token')));
    expect(await present(new Secret('garbage'), authenticatorOf(other))).toEqual(
      couldNotCheck('unauthorized'),
    );
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
    const pod = await namespace.createPod();
    const result = await present(await namespace.requestToken([AUDIENCE], { pod }), authenticatorOf(other));
    expect(result).toEqual(couldNotCheck('forbidden'));
    expect(result).toMatchObject({ cause: { fix: expect.stringContaining(`\`${verb}\``) } });
  });
});

describe('checkReady', () => {
  it('says yes to the account with the least rights', async () => {
    await expect(api.checkReady()).resolves.toBeUndefined();
  });
});
