import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CoreV1Api } from '@kubernetes/client-node';
import type {
  GetPod,
  ReviewServiceAccountToken,
  ServiceAccountTokenReview,
} from '../../../src/authentication/kubernetes-access.ts';
import { loadKubernetesApi } from '../../../src/kubernetes/kubernetes-api.ts';
import { isPlainRefusal } from '../../../src/kubernetes/token-review-refusal.ts';
import { Secret } from '../../../src/observability/secret.ts';
import { systemClock } from '../../../src/time/clock.ts';
import { FakeKubernetesApi } from '../../fakes/fake-kubernetes-api.ts';
import { readStack } from '../../stack/stack.ts';
import { loadConfig, TestNamespace } from '../kubernetes-objects.ts';
import { waitFor } from '../serve-process.ts';

/** What both do: objects come and go, and two questions are answered. */
interface World {
  readonly namespace: string;
  readonly reviewServiceAccountToken: ReviewServiceAccountToken;
  readonly getPod: GetPod;
  createPod(name: string, options?: WorldPodOptions): Promise<WorldPod>;
  accountUid(): Promise<string>;
  /** Deletes the account of pods and tokens, and makes another of its name. */
  recreateAccount(): Promise<void>;
  requestToken(audiences: readonly string[], pod?: WorldPod): Promise<Secret<string>>;
  dispose(): Promise<void>;
}

interface WorldPodOptions {
  readonly annotations?: Record<string, string>;
  readonly podIp?: string;
}

interface WorldPod {
  readonly uid: string;
  setPhase(phase: string): Promise<void>;
  delete(gracePeriodSeconds: number): Promise<void>;
}

async function fakeWorld(): Promise<World> {
  const api = new FakeKubernetesApi(systemClock);
  const account = { namespace: 'team-a', serviceAccount: 'trainer' };
  const handles = new Map<string, ReturnType<FakeKubernetesApi['createPod']>>();
  return await Promise.resolve({
    namespace: 'team-a',
    reviewServiceAccountToken: api.reviewServiceAccountToken,
    getPod: api.getPod,
    accountUid: async () => await Promise.resolve(api.accountUid(account.namespace, account.serviceAccount)),
    recreateAccount: async () => {
      await Promise.resolve(api.recreateAccount(account.namespace, account.serviceAccount));
    },
    createPod: async (name: string, { annotations = {}, podIp }: WorldPodOptions = {}) => {
      const podIps = podIp === undefined ? [] : [podIp];
      const pod = api.createPod({ name, ...account, annotations, podIps });
      handles.set(pod.uid, pod);
      return await Promise.resolve({
        uid: pod.uid,
        setPhase: async (phase: string) => {
          await Promise.resolve(api.setPhase(pod, phase));
        },
        delete: async (gracePeriodSeconds: number) => {
          if (gracePeriodSeconds === 0) api.deletePod(pod);
          else api.terminatePod(pod, gracePeriodSeconds * 1000);
          await Promise.resolve();
        },
      });
    },
    requestToken: async (audiences: readonly string[], pod?: WorldPod) =>
      await Promise.resolve(
        api.issueToken(audiences, account, pod === undefined ? undefined : handles.get(pod.uid)),
      ),
    dispose: async () => {
      await Promise.resolve();
    },
  });
}

async function realWorld(): Promise<World> {
  const { admin } = (await readStack()).kubernetes.kubeconfig;
  const namespace = await TestNamespace.create(admin);
  const api = loadKubernetesApi({ kubeconfig: admin });
  const core = loadConfig(admin).makeApiClient(CoreV1Api);
  const account = { namespace: namespace.name, name: TestNamespace.DEFAULT_ACCOUNT };
  const handles = new Map<string, Awaited<ReturnType<TestNamespace['createPod']>>>();
  return {
    namespace: namespace.name,
    reviewServiceAccountToken: api.reviewServiceAccountToken,
    getPod: api.getPod,
    accountUid: async () => (await core.readNamespacedServiceAccount(account)).metadata?.uid ?? '',
    recreateAccount: async () => {
      await core.deleteNamespacedServiceAccount(account);
      await namespace.createServiceAccount(account.name);
    },
    createPod: async (name, options = {}) => {
      const pod = await namespace.createPod({ name, ...options });
      handles.set(pod.uid, pod);
      return {
        uid: pod.uid,
        setPhase: (phase) => namespace.setPhase(pod, phase),
        delete: (gracePeriodSeconds) => namespace.deletePod(pod, gracePeriodSeconds),
      };
    },
    requestToken: async (audiences, pod) => {
      const handle = pod === undefined ? undefined : handles.get(pod.uid);
      return await namespace.requestToken(audiences, handle === undefined ? {} : { pod: handle });
    },
    dispose: async () => {
      api.close();
      await namespace.dispose();
    },
  };
}

const OURS = 'kerbridge-test';

describe.each([
  ['the fake', fakeWorld],
  ['kube-apiserver', realWorld],
])('%s', (_, open) => {
  let world: World;
  let name: string;

  beforeAll(async () => {
    world = await open();
  }, 60_000);
  afterAll(async () => {
    await world.dispose();
  }, 60_000);

  const newPod = async (options?: WorldPodOptions): Promise<WorldPod> => {
    name = `pod-${randomUUID().slice(0, 8)}`;
    return await world.createPod(name, options);
  };
  const review = (serviceAccountToken: Secret<string>, audiences = [OURS]) =>
    world.reviewServiceAccountToken(serviceAccountToken, audiences);
  /** What Kerbridge takes for a no about the token, for that reason. */
  const expectNo = (reviewed: ServiceAccountTokenReview, reason: string) => {
    expect(reviewed).toEqual({ authenticated: false, error: expect.stringContaining(reason) });
    expect(isPlainRefusal(reviewed.authenticated ? '' : reviewed.error)).toBe(true);
  };

  it('says yes to the token of a running pod, and whose it is', async () => {
    const pod = await newPod();
    expect(await review(await world.requestToken([OURS], pod))).toEqual({
      authenticated: true,
      audiences: [OURS],
      username: `system:serviceaccount:${world.namespace}:trainer`,
      uid: await world.accountUid(),
      groups: expect.arrayContaining([
        'system:serviceaccounts',
        `system:serviceaccounts:${world.namespace}`,
        'system:authenticated',
      ]),
      extra: expect.objectContaining({
        'authentication.kubernetes.io/credential-id': [expect.stringMatching(/^JTI=/)],
        'authentication.kubernetes.io/pod-name': [name],
        'authentication.kubernetes.io/pod-uid': [pod.uid],
      }),
    });
  });

  it('says yes to the token of an account, with no pod in it', async () => {
    const reviewed = await review(await world.requestToken([OURS]));
    if (!reviewed.authenticated) throw new Error(reviewed.error);
    expect(reviewed.username).toBe(`system:serviceaccount:${world.namespace}:trainer`);
    expect(Object.keys(reviewed.extra)).toEqual(['authentication.kubernetes.io/credential-id']);
  });

  it('names the audiences that question and token share', async () => {
    const token = await world.requestToken(['a', 'b', 'c'], await newPod());
    const reviewed = await review(token, ['c', 'x', 'b']);
    if (!reviewed.authenticated) throw new Error(reviewed.error);
    expect([...reviewed.audiences].sort()).toEqual(['b', 'c']);
  });

  it('says no to another audience', async () => {
    const token = await world.requestToken(['a', 'b'], await newPod());
    expectNo(
      await review(token, [OURS]),
      `token audiences ["a" "b"] is invalid for the target audiences ["${OURS}"]`,
    );
  });

  it('says no to garbage', async () => {
    expectNo(await review(new Secret('garbage')), 'invalid bearer token');
  });

  it.each(['Succeeded', 'Failed'])('says yes to the token of a %s pod', async (phase) => {
    const pod = await newPod();
    const token = await world.requestToken([OURS], pod);
    await pod.setPhase(phase);
    expect(await review(token)).toMatchObject({ authenticated: true });
    expect(await world.getPod(world.namespace, name)).toMatchObject({ uid: pod.uid, phase });
  });

  it('says yes to the token of a terminating pod, and when it ends', async () => {
    const pod = await newPod();
    const token = await world.requestToken([OURS], pod);
    await pod.delete(30);
    expect(await review(token)).toMatchObject({ authenticated: true });
    const live = await world.getPod(world.namespace, name);
    expect((live?.deletionTimestamp ?? 0) - systemClock.now()).toBeGreaterThan(15_000);
    expect((live?.deletionTimestamp ?? Infinity) - systemClock.now()).toBeLessThanOrEqual(31_000);
  });

  it('says no to the token of a deleted pod', async () => {
    const pod = await newPod();
    const token = await world.requestToken([OURS], pod);
    await pod.delete(0);
    expectNo(await review(token), 'service account token has been invalidated');
    expect(await world.getPod(world.namespace, name)).toBeUndefined();
  });

  it('says no to the token of a pod that was replaced', async () => {
    const pod = await newPod();
    const token = await world.requestToken([OURS], pod);
    await pod.delete(0);
    const second = await world.createPod(name);
    expect(second.uid).not.toBe(pod.uid);
    expectNo(await review(token), `does not match service account pod ref claim (${pod.uid})`);
    expect(await world.getPod(world.namespace, name)).toMatchObject({ uid: second.uid });
  });

  it('says no to the token of an account that was replaced', async () => {
    const pod = await newPod();
    const before = await world.accountUid();
    // A yes is kept for ten seconds, so each is shown once.
    const tokens = await Promise.all(Array.from({ length: 20 }, () => world.requestToken([OURS], pod)));
    await world.recreateAccount();
    expect(await world.accountUid()).not.toBe(before);
    let reviewed = await review(await world.requestToken([OURS], pod));
    expect(reviewed).toMatchObject({ authenticated: true, uid: await world.accountUid() });
    // The API server sees it a moment later.
    await waitFor(async () => {
      const token = tokens.pop();
      if (token === undefined) throw new Error('20 times yes');
      reviewed = await review(token);
      return !reviewed.authenticated;
    });
    expectNo(reviewed, `does not match claim (${before})`);
  });

  it('shows a pod', async () => {
    const pod = await newPod({ annotations: { 'iddecorator.username': 'alice' }, podIp: '10.0.0.7' });
    expect(await world.getPod(world.namespace, name)).toEqual({
      namespace: world.namespace,
      name,
      uid: pod.uid,
      serviceAccount: 'trainer',
      phase: 'Running',
      createdAt: expect.any(Number),
      deletionTimestamp: undefined,
      podIps: ['10.0.0.7'],
      annotations: { 'iddecorator.username': 'alice' },
    });
  });

  it('shows a pod that has no address yet', async () => {
    await newPod();
    expect(await world.getPod(world.namespace, name)).toMatchObject({ podIps: [] });
  });

  it.each([
    ['name', () => [world.namespace, 'no-such-pod'] as const],
    ['namespace', () => ['no-such-namespace', 'no-such-pod'] as const],
  ])('has no pod of an unknown %s', async (__, at) => {
    expect(await world.getPod(...at())).toBeUndefined();
  });

  it('rejects with the reason of an aborted signal', async () => {
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(world.getPod(world.namespace, 'x', { signal })).rejects.toThrow('gone');
    await expect(world.reviewServiceAccountToken(new Secret('x'), [OURS], { signal })).rejects.toThrow(
      'gone',
    );
  });
});
