import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SigningKeys, type SigningKeysRefresh } from '../../../src/authentication/signing-keys.ts';
import { createTokenFilter } from '../../../src/authentication/token-filter.ts';
import { type KubernetesApi, loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { FakeTokenIssuer, podClaims } from '../../fakes/fake-token-issuer.ts';
import { readStack } from '../../stack/stack.ts';
import {
  createServiceAccountLogin,
  type ServiceAccountLogin,
  TestNamespace,
  type TestPod,
} from '../kubernetes-objects.ts';

const AUDIENCE = 'kerbridge';

let namespace: TestNamespace;
let pod: TestPod;
let login: ServiceAccountLogin;
let api: KubernetesApi;

beforeAll(async () => {
  const { admin } = (await readStack()).kubernetes.kubeconfig;
  namespace = await TestNamespace.create(admin);
  pod = await namespace.createPod();
  login = await createServiceAccountLogin(admin);
  api = loadKubernetesApi({ kubeconfig: login.kubeconfig });
});

afterAll(async () => {
  api.close();
  await login.dispose();
  await namespace.dispose();
});

function setUp({ maxTokenLifetimeMs = 3_600_000 } = {}) {
  const refreshes: SigningKeysRefresh[] = [];
  const keys = new SigningKeys({
    readIssuer: api.readServiceAccountIssuer,
    clock: systemClock,
    onRefresh: (refresh) => refreshes.push(refresh),
  });
  const filter = createTokenFilter({
    keys,
    audience: AUDIENCE,
    issuers: [],
    maxTokenLifetimeMs,
    clock: systemClock,
  });
  return { keys, filter, refreshes };
}

describe('the token filter and a real API server', () => {
  it('reads issuer and keys with the least rights', async () => {
    const { keys, refreshes } = setUp();
    await keys.refresh();
    expect(refreshes).toEqual([
      {
        outcome: 'refreshed',
        issuer: expect.stringMatching(/^https:/) as unknown,
        usableKeys: expect.any(Number) as unknown,
        unusableKeys: 0,
      },
    ]);
    expect(keys.issuer).toMatch(/^https:/);
  });

  it('names the ClusterRole when it may not read them', async () => {
    const person = loadKubernetesApi({ kubeconfig: (await readStack()).kubernetes.kubeconfig.alice });
    try {
      await expect(person.readServiceAccountIssuer()).rejects.toMatchObject({
        name: 'KubernetesApiError',
        code: 'forbidden',
        httpStatus: 403,
        fix: expect.stringContaining('system:service-account-issuer-discovery') as unknown,
      });
    } finally {
      person.close();
    }
  });

  it.each<readonly [string, readonly string[], 'pod' | 'account', string]>([
    ['another audience', ['vault'], 'pod', 'jwt-audience-differs'],
    ["the API server's own audience", [], 'pod', 'jwt-audience-differs'],
    ['two audiences', [AUDIENCE, 'vault'], 'pod', 'jwt-several-audiences'],
    ['no pod', [AUDIENCE], 'account', 'jwt-without-pod'],
  ])('refuses a token with %s', async (_, audiences, boundTo, reason) => {
    const { filter } = setUp();
    const serviceAccountToken = await namespace.requestToken(audiences, boundTo === 'pod' ? { pod } : {});
    expect(await filter(serviceAccountToken)).toMatchObject({ outcome: 'refused', reason });
  });

  it('refuses a token that lives longer than is allowed', async () => {
    const { filter } = setUp({ maxTokenLifetimeMs: 3_599_000 });
    expect(await filter(await namespace.requestToken([AUDIENCE], { pod }))).toMatchObject({
      outcome: 'refused',
      reason: 'jwt-lifetime-too-long',
    });
  });

  it('refuses a token whose signature was changed', async () => {
    const { filter } = setUp();
    const [header, payload] = (await namespace.requestToken([AUDIENCE], { pod })).reveal().split('.');
    const [, , signature] = (await namespace.requestToken([AUDIENCE], { pod })).reveal().split('.');
    expect(await filter(new Secret(`${header}.${payload}.${signature}`))).toEqual({
      outcome: 'refused',
      reason: 'jwt-signature-invalid',
    });
  });

  it('leaves a token with a key of somebody else unproven', async () => {
    const { filter, keys } = setUp();
    await keys.refresh();
    const claims = { ...podClaims(systemClock.now()), iss: keys.issuer };
    expect(await filter(new Secret(await new FakeTokenIssuer().sign(claims)))).toMatchObject({
      outcome: 'unproven',
      why: 'unknown-key',
    });
  });

  it('verifies the token of a pod, without a refresh before', async () => {
    const { filter, keys } = setUp();
    const result = await filter(await namespace.requestToken([AUDIENCE], { pod }));
    expect(result).toMatchObject({
      outcome: 'verified',
      claims: {
        issuer: keys.issuer,
        namespace: pod.namespace,
        serviceAccount: { name: pod.serviceAccount },
        pod: { name: pod.name, uid: pod.uid },
      },
    });
    if (result.outcome !== 'verified') throw new Error('not verified');
    expect(result.claims.expiresAt - result.claims.issuedAt).toBe(3_600_000);
  });
});
