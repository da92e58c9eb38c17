import { describe, expect, it } from '@jest/globals';
import { KubernetesApiError } from '../../kubernetes/kubernetes-api-error.ts';
import { Secret } from '../../observability/secret.ts';
import { checkAudience } from './check-audience.ts';
import { checkOwnAddress } from './check-own-address.ts';
import { checkPodSecurity } from './check-pod-security.ts';
import { checkRight } from './check-right.ts';
import { checkSigningKeys } from './check-signing-keys.ts';
import { grantFix, type Right, subjectOption } from './rights.ts';

const { signal } = new AbortController();
const away = (): Promise<never> => Promise.reject(new KubernetesApiError('unreachable', 'no connection'));
const review = { username: 'u', uid: '', groups: [], extra: {} };

describe('grantFix', () => {
  it.each([
    [
      { verb: 'create', group: 'authentication.k8s.io', resource: 'tokenreviews' },
      'system:serviceaccount:kerbridge:serve',
      'Grant system:serviceaccount:kerbridge:serve `create` on `tokenreviews` of `authentication.k8s.io` with a ClusterRole: ' +
        'kubectl create clusterrole kerbridge-tokenreviews-create --verb=create --resource=tokenreviews.authentication.k8s.io && ' +
        'kubectl create clusterrolebinding kerbridge-tokenreviews-create --clusterrole=kerbridge-tokenreviews-create --serviceaccount=kerbridge:serve',
    ],
    [
      { verb: 'get', group: '', resource: 'configmaps', namespace: 'kb', name: 'revoked' },
      'carol',
      'Grant carol `get` on `configmaps` (name `revoked`) with a Role in namespace `kb`: ' +
        'kubectl -n kb create role kerbridge-configmaps-get --verb=get --resource=configmaps --resource-name=revoked && ' +
        "kubectl -n kb create rolebinding kerbridge-configmaps-get --role=kerbridge-configmaps-get --user='carol'",
    ],
  ])('%j for %s', (access, username, expected) => {
    expect(grantFix(access, username)).toBe(expected);
  });

  it('lets no user name out of its quotes', () => {
    expect(subjectOption("x'; rm -rf /; '")).toBe(String.raw`--user='x'\''; rm -rf /; '\'''`);
    expect(subjectOption('system:serviceaccount:a:b:c')).toBe("--user='system:serviceaccount:a:b:c'");
  });
});

describe('checkRight', () => {
  const right: Right = {
    access: { verb: 'get', group: '', resource: 'pods' },
    for: 'no pod can be looked up',
    essential: true,
  };
  const check = (reviewOwnAccess: () => Promise<boolean>, change: Partial<Right> = {}) =>
    checkRight({ ...right, ...change }, { reviewOwnAccess, username: 'u' }, signal);

  it.each([
    ['ok', () => Promise.resolve(true), {}],
    ['failed', () => Promise.resolve(false), {}],
    ['warning', () => Promise.resolve(false), { essential: false }],
    ['failed', away, { essential: false }],
  ] as const)('%s', async (outcome, reviewOwnAccess, change) => {
    const [finding, ...more] = await check(reviewOwnAccess, change);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ id: 'rbac:pods/get', outcome });
    expect(finding?.fix === undefined).toBe(outcome === 'ok');
  });

  it('leaves an error that nobody foresaw to whoever runs it', async () => {
    await expect(check(() => Promise.reject(new TypeError('x')))).rejects.toThrow(TypeError);
  });
});

describe('checkAudience', () => {
  const own = () => Promise.resolve(new Secret('own-token'));
  const check = (
    reviewServiceAccountToken: Parameters<typeof checkAudience>[0]['reviewServiceAccountToken'],
  ) => checkAudience({ audience: 'kerbridge', readOwnToken: own, reviewServiceAccountToken }, signal);

  it.each([
    ['ok', { authenticated: false, error: 'no' } as const, /./],
    ['failed', { authenticated: true, audiences: [], ...review } as const, /does not look at audiences/],
    [
      'failed',
      { authenticated: true, audiences: ['kerbridge'], ...review } as const,
      /Set kubernetes\.audience/,
    ],
  ])('%s', async (outcome, answer, fix) => {
    const [finding] = await check(() => Promise.resolve(answer));
    expect(finding?.outcome).toBe(outcome);
    expect(finding?.fix ?? 'none').toMatch(fix);
    expect(JSON.stringify(finding)).not.toContain('own-token');
  });

  it('is skipped for a credential that is no token, and fails when nobody answers', async () => {
    const reviewServiceAccountToken = away;
    const none = { audience: 'a', readOwnToken: () => Promise.resolve(undefined), reviewServiceAccountToken };
    expect(await checkAudience(none, signal)).toMatchObject([{ outcome: 'skipped' }]);
    expect(await check(away)).toMatchObject([{ outcome: 'failed' }]);
  });
});

describe('checkSigningKeys', () => {
  it('fails where the API server publishes none', async () => {
    const readServiceAccountIssuer = () => Promise.resolve({ issuer: 'https://i', keys: [] });
    const found = await checkSigningKeys({ readServiceAccountIssuer, username: 'u' }, signal);
    expect(found).toMatchObject([
      { outcome: 'failed', fix: expect.stringContaining('--service-account-key-file') },
    ]);
  });
});

describe('checkPodSecurity', () => {
  it('names twenty namespaces, and how many more there are', async () => {
    const listNamespaces = () =>
      Promise.resolve(Array.from({ length: 23 }, (_, index) => ({ name: `n${index}`, labels: {} })));
    const found = await checkPodSecurity({ listNamespaces }, signal);
    expect(found).toHaveLength(21);
    expect(new Set(found.map(({ id }) => id)).size).toBe(21);
    expect(found.at(-1)).toMatchObject({ id: 'pod-security', detail: '3 more namespace(s) likewise' });
  });

  it('is skipped without the right to list them, and no fault', async () => {
    const listNamespaces = () => Promise.reject(new KubernetesApiError('forbidden', 'no'));
    expect(await checkPodSecurity({ listNamespaces }, signal)).toMatchObject([{ outcome: 'skipped' }]);
    expect(await checkPodSecurity({ listNamespaces: away }, signal)).toMatchObject([{ outcome: 'failed' }]);
  });
});

describe('checkOwnAddress', () => {
  const pod = { namespace: 'kerbridge', name: 'check-1' };
  const view = {
    ...pod,
    uid: 'u',
    serviceAccount: 'kerbridge',
    phase: 'Running',
    createdAt: Date.parse('2026-01-01T00:00:00Z'),
    deletionTimestamp: undefined,
    annotations: {},
  };
  const check = (podIps: readonly string[], change: Partial<Parameters<typeof checkOwnAddress>[0]> = {}) =>
    checkOwnAddress(
      {
        checkSourceAddress: true,
        pod,
        addresses: () => ['10.0.0.7', 'fd00::7'],
        getPod: () => Promise.resolve({ ...view, podIps }),
        ...change,
      },
      signal,
    );

  it.each([
    ['ok', ['10.0.0.7', 'fd00::7'], {}],
    ['warning', ['10.0.0.8'], {}],
    ['warning', [], {}],
    ['warning', ['10.0.0.7'], { checkSourceAddress: false }],
    ['skipped', ['10.0.0.7'], { pod: undefined }],
    ['skipped', [], { getPod: () => Promise.resolve(undefined) }],
    ['failed', [], { getPod: away }],
  ] as const)('%s: %j with %j', async (outcome, podIps, change) => {
    expect(await check(podIps, change)).toMatchObject([{ id: 'source-address', outcome }]);
  });
});
