import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { type FakePod, FakePodSource } from '../../../test/fakes/fake-pod-source.ts';
import { FakeTokenIssuer, ISSUER, podClaims } from '../../../test/fakes/fake-token-issuer.ts';
import type { AuthenticationResult } from '../../authentication/authentication-result.ts';
import type { PodView, ServiceAccountTokenReview } from '../../authentication/kubernetes-access.ts';
import { LIST_TOKENS } from '../../http-api/tokens-route.ts';
import { createPodReflector } from '../../kubernetes/pod-reflector/pod-reflector.ts';
import { silentLogger } from '../../observability/logger.ts';
import { createMetrics } from '../../observability/metrics.ts';
import { buildAuthentication, type BuildAuthenticationOptions } from './build-authentication.ts';

const apiServer = new FakeTokenIssuer('ES256');
const stranger = new FakeTokenIssuer('ES256');
const HOUR_MS = 3_600_000;
const EXPIRES_IN_A_DAY = Math.floor(new FakeClock().now() / 1000) + 24 * 3600;
const ADDRESS = '10.0.0.7';
const ACCOUNT_UID = '9a2f4b58-3a63-4c0e-b7a5-6d1f0c2e4b99';
const POD: FakePod = {
  name: 'job-1',
  uid: '0a9c3e62-94e6-4a36-a6e1-2f8d5f7a7b10',
  podIp: ADDRESS,
  annotations: { stamp: 'alice', 'kerbridge.dev/stamp': 'signed', other: 'x' },
};
const LIVE_POD: PodView = {
  namespace: 'team-a',
  name: POD.name,
  uid: POD.uid,
  serviceAccount: 'trainer',
  phase: 'Running',
  createdAt: Date.parse('2026-01-01T00:00:00Z'),
  deletionTimestamp: undefined,
  podIps: [ADDRESS],
  annotations: { stamp: 'alice' },
};

type KubernetesConfig = BuildAuthenticationOptions['config']['kubernetes'];

function setUp(change: Partial<KubernetesConfig> = {}) {
  const clock = new FakeClock();
  const metrics = createMetrics({ version: '0', processMetrics: false });
  const source = new FakePodSource();
  source.put(POD);
  /** What the API server was asked, in order. */
  const asked: string[] = [];
  let review = (): Promise<ServiceAccountTokenReview> =>
    Promise.resolve({
      authenticated: true,
      audiences: ['ours', 'operators'],
      username: 'system:serviceaccount:team-a:trainer',
      uid: ACCOUNT_UID,
      groups: ['g'],
      extra: {
        'authentication.kubernetes.io/pod-name': [POD.name],
        'authentication.kubernetes.io/pod-uid': [POD.uid],
      },
    });
  let readIssuer = () => Promise.resolve({ issuer: ISSUER, keys: [apiServer.jwk] });
  let livePod = (): Promise<PodView | undefined> => Promise.resolve(LIVE_POD);
  const parts = buildAuthentication({
    config: {
      kubernetes: {
        kubeconfig: undefined,
        context: undefined,
        audience: 'ours',
        adminAudience: 'operators',
        issuers: [],
        maxTokenLifetimeMs: HOUR_MS,
        podSelector: undefined,
        checkSourceAddress: true,
        ...change,
      },
      limits: {
        hadoopCallTimeoutMs: 1,
        kerberosStepTimeoutMs: 1,
        kubernetesCallTimeoutMs: 10_000,
        requestsPerNamespace: 1,
        tokensPerNamespace: 10,
        tokens: 100,
      },
      identity: {
        annotation: 'stamp',
        userPattern: 'u',
        denyUsers: [],
        requireSignature: false,
        stampKeysFile: undefined,
        rulesFile: undefined,
        revocationsFile: undefined,
        revocationsConfigMap: { namespace: undefined, name: 'r' },
      },
    },
    kubernetes: {
      reviewServiceAccountToken: (_token, audiences) => {
        asked.push(`review for ${audiences.join()}`);
        return review();
      },
      getPod: (namespace, name) => {
        asked.push(`get ${namespace}/${name}`);
        return livePod();
      },
      readServiceAccountIssuer: () => {
        asked.push('keys');
        return readIssuer();
      },
      createPodReflector: ({ labelSelector = 'all', ...options }) => {
        asked.push(`reflect ${labelSelector}`);
        return createPodReflector({ ...options, source });
      },
      reviewAccess: (user, access) => {
        asked.push(`may ${user.username} ${access.verb} ${access.resource}.${access.group}`);
        return Promise.resolve({ allowed: true });
      },
      checkReady: () => {
        asked.push('ready?');
        return Promise.resolve();
      },
    },
    metrics,
    logger: silentLogger,
    clock,
    random: () => 0,
  });
  const ask = async (
    claims: Record<string, unknown> = {},
    {
      issuer = apiServer,
      sourceAddress = ADDRESS,
      ...options
    }: {
      issuer?: FakeTokenIssuer;
      sourceAddress?: string;
      admitPod?: () => 'namespace' | undefined;
    } = {},
  ) => {
    const compact = await issuer.sign({ ...podClaims(clock.now(), 'ours'), ...claims });
    return await parts.authenticatePod({ authorization: [`Bearer ${compact}`], sourceAddress }, options);
  };
  const askAsOperator = async (claims: Record<string, unknown>, issuer = apiServer) => {
    const compact = await issuer.sign({ ...podClaims(clock.now(), 'operators'), ...claims });
    return await parts.authenticateOperator([`Bearer ${compact}`]);
  };
  return {
    ...parts,
    clock,
    source,
    ask,
    askAsOperator,
    /** Since the last call. */
    asked: () => asked.splice(0),
    answerReviews: (answer: typeof review) => {
      review = answer;
    },
    failKeys: () => {
      readIssuer = () => Promise.reject(new Error('no keys'));
    },
    answerGets: (answer: typeof livePod) => {
      livePod = answer;
    },
    started: async () => {
      parts.start();
      await settle();
      await parts.dependencies[1]?.check(new AbortController().signal);
      asked.splice(0);
    },
    shown: async (name: string): Promise<string[]> =>
      (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(`kerbridge_${name}`)),
  };
}

/** What could not be asked, of each call, in order of the name. */
const dependenciesOf = async (calls: readonly Promise<AuthenticationResult>[]): Promise<string[]> =>
  (await Promise.all(calls)).map((result) => ('dependency' in result ? result.dependency : '')).toSorted();

/** Signatures are verified on other threads, which are ready when they are. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000 && !(await condition()); turn += 1) await settle();
  expect(await condition()).toBe(true);
}

describe('buildAuthentication', () => {
  it.each([
    ['from elsewhere [source-address]', {}, { sourceAddress: '10.0.0.8' }, 'source-address-differs'],
    ['for another audience [jwt-audience] [token-filter]', { aud: ['theirs'] }, {}, 'jwt-audience-differs'],
    ['of another issuer [jwt-issuer] [token-filter]', { iss: 'https://else' }, {}, 'jwt-issuer-differs'],
  ])('refuses a token %s', async (_name, claims, options, reason) => {
    const { ask, started, stop } = setUp();
    await started();
    expect(await ask(claims, options)).toMatchObject({ outcome: 'refused', reason });
    await stop();
  });

  it('refuses a token that lives longer than the configuration allows [jwt-lifetime] [token-filter]', async () => {
    const { ask, started, stop } = setUp({ maxTokenLifetimeMs: HOUR_MS - 1_000 });
    await started();
    expect(await ask()).toMatchObject({ outcome: 'refused', reason: 'jwt-lifetime-too-long' });
    await stop();
  });

  it('lets 20 tokens with keys that nobody published go on, and five a second after that [unproven-token-limit]', async () => {
    const { ask, clock, started, stop, asked } = setUp();
    await started();
    const askAll = async (count: number) => {
      const results: unknown[] = [];
      for (let n = 0; n < count; n += 1) results.push(await ask({ jti: `${n}` }, { issuer: stranger }));
      return results.filter(
        (result) => (result as { dependency?: string }).dependency === 'unknown-signing-keys',
      ).length;
    };
    expect(await askAll(25)).toBe(5);
    await clock.advance(1_000);
    expect(await askAll(25)).toBe(20);
    expect(asked().filter((what) => what.startsWith('review'))).toHaveLength(25);
    await stop();
  });

  it('asks the namespace for a place [pod-admitted]', async () => {
    const { ask, started, stop, asked } = setUp();
    await started();
    let asks = 0;
    const admitPod = () => {
      asks += 1;
      return 'namespace' as const;
    };
    expect(await ask({}, { admitPod })).toMatchObject({ outcome: 'limited', namespace: 'team-a' });
    expect(asks).toBe(1);
    expect(asked()).toEqual([]);
    await stop();
  });

  it('lets 100 tokens go on while there are no keys, and 50 a second after that [unproven-token-limit]', async () => {
    const { ask, clock, failKeys, started, stop, asked } = setUp();
    failKeys();
    await started();
    const askAll = async (count: number) => {
      const calls = Array.from({ length: count }, (_, n) => ask({ jti: `${clock.now()}-${n}` }));
      return (await dependenciesOf(calls)).filter((dependency) => dependency === 'unknown-signing-keys')
        .length;
    };
    expect(await askAll(110)).toBe(10);
    await clock.advance(1_000);
    expect(await askAll(60)).toBe(10);
    expect(asked().filter((what) => what.startsWith('review'))).toHaveLength(150);
    await stop();
  });

  it('counts no token as unproven that the API server has said yes to a moment ago', async () => {
    const { ask, authenticatePod, clock, failKeys, started, stop } = setUp();
    failKeys();
    await started();
    const compact = await apiServer.sign(podClaims(clock.now(), 'ours'));
    const caller = { authorization: [`Bearer ${compact}`], sourceAddress: ADDRESS };
    await authenticatePod(caller);
    await Promise.all(Array.from({ length: 110 }, (_, n) => ask({ jti: `${n}` })));
    expect((await authenticatePod(caller)).outcome).toBe('authenticated');
    await stop();
  });

  it('asks the namespace for a place also while there are no keys [pod-admitted-late]', async () => {
    const { ask, failKeys, started, stop } = setUp();
    failKeys();
    await started();
    expect(await ask({}, { admitPod: () => 'namespace' })).toMatchObject({ outcome: 'limited' });
    await stop();
  });

  it('counts reviews that it does not begin: 16 run, 5,000 wait', async () => {
    const { ask, started, stop, answerReviews, shown } = setUp();
    await started();
    const { promise, reject } = Promise.withResolvers<ServiceAccountTokenReview>();
    answerReviews(() => promise);
    const calls = Array.from({ length: 5_018 }, (_, n) => ask({ jti: `${n}` }));
    await until(async () => (await shown('queue_rejected'))[0]?.endsWith(' 2') === true);
    expect(await shown('queue_')).toEqual([
      'kerbridge_queue_running{queue="token-review"} 16',
      'kerbridge_queue_running{queue="pod"} 0',
      'kerbridge_queue_waiting{queue="token-review",lane="all"} 5000',
      'kerbridge_queue_waiting{queue="pod",lane="all"} 0',
      'kerbridge_queue_rejected_total{queue="token-review",reason="full"} 2',
    ]);
    reject(new Error('down'));
    expect(await dependenciesOf(calls)).toEqual([
      ...Array.from({ length: 5_016 }, () => 'kubernetes-api'),
      'kubernetes-api-queue',
      'kubernetes-api-queue',
    ]);
    await stop();
  });

  it('lets a review wait 30 s for its turn while others are answered, and 5 s while nobody is', async () => {
    const { ask, clock, started, stop, answerReviews, shown } = setUp();
    await started();
    const answers: (() => void)[] = [];
    answerReviews(
      () => new Promise((resolve) => answers.push(() => resolve({ authenticated: false, error: 'gone' }))),
    );
    const waiting = 'queue_waiting{queue="token-review",lane="all"}';
    const untilWaiting = async (count: number) =>
      await until(async () => (await shown(waiting))[0] === `kerbridge_${waiting} ${count}`);
    // Whoever is answered makes room for one of those before the last.
    const first = Array.from({ length: 36 }, (_, n) => ask({ jti: `${n}` }));
    await untilWaiting(20);
    let last: AuthenticationResult | undefined;
    const waits = ask({ jti: 'last' }).then((result) => (last = result));
    await untilWaiting(21);
    for (let second = 4; second < 30; second += 4) {
      await clock.advance(4_000);
      answers.shift()?.();
      await settle();
      expect(last).toBeUndefined();
    }
    await clock.advance(2_000);
    await waits;
    expect(last).toMatchObject({ outcome: 'could-not-check', dependency: 'kubernetes-api-queue' });

    const hangs = ask({ jti: 'hangs' });
    await until(async () => (await shown(waiting))[0] !== `kerbridge_${waiting} 0`);
    await clock.advance(5_000);
    expect(await hangs).toMatchObject({ outcome: 'could-not-check', dependency: 'kubernetes-api-queue' });
    for (const answer of answers) answer();
    await clock.advance(60_000);
    await Promise.all(first);
    await stop();
  });

  it('counts live looks at pods that it does not begin: 8 run, for half of the time', async () => {
    const { ask, started, stop, answerGets, source, clock, shown } = setUp();
    source.delete(POD);
    await started();
    const { promise, reject } = Promise.withResolvers<PodView>();
    answerGets(() => promise);
    const calls = Array.from({ length: 9 }, () => ask());
    const waiting = 'queue_waiting{queue="pod",lane="all"}';
    await until(async () => (await shown(waiting))[0] === `kerbridge_${waiting} 1`);
    await clock.advance(5_000);
    expect(await shown('queue_rejected_total')).toEqual([
      'kerbridge_queue_rejected_total{queue="pod",reason="timed-out"} 1',
    ]);
    reject(new Error('down'));
    expect(await dependenciesOf(calls)).toEqual([
      ...Array.from({ length: 8 }, () => 'kubernetes-api'),
      'kubernetes-api-queue',
    ]);
    await stop();
  });

  it('asks the API server once about a token, and nothing about a pod that the reflector holds', async () => {
    const { clock, authenticatePod, started, stop, asked, shown } = setUp();
    await started();
    const compact = await apiServer.sign(podClaims(clock.now(), 'ours'));
    const caller = { authorization: [`Bearer ${compact}`], sourceAddress: ADDRESS };
    const first = await authenticatePod(caller);
    expect(first).toMatchObject({
      outcome: 'authenticated',
      pod: { name: 'job-1', createdAt: LIVE_POD.createdAt },
    });
    // What decides, and nothing else.
    expect(first).toHaveProperty('pod.annotations', { stamp: 'alice', 'kerbridge.dev/stamp': 'signed' });
    expect(await authenticatePod(caller)).toEqual(first);
    expect(asked()).toEqual(['review for ours']);
    expect(await shown('token_review_cache')).toEqual([
      'kerbridge_token_review_cache_requests_total{result="miss"} 1',
      'kerbridge_token_review_cache_requests_total{result="hit"} 1',
    ]);
    expect(await shown('token_reviews_total')).toEqual([
      'kerbridge_token_reviews_total{outcome="authenticated"} 1',
    ]);
    expect(await shown('pod_lookups')).toEqual([
      'kerbridge_pod_lookups_total{source="reflector",result="found"} 2',
    ]);
    await stop();
  });

  it('forgets what the API server said about a pod that goes', async () => {
    const { clock, authenticatePod, source, started, stop, asked } = setUp();
    await started();
    const compact = await apiServer.sign(podClaims(clock.now(), 'ours'));
    const caller = { authorization: [`Bearer ${compact}`], sourceAddress: ADDRESS };
    await authenticatePod(caller);
    source.delete(POD);
    await settle();
    await authenticatePod(caller);
    expect(asked()).toEqual(['review for ours', 'review for ours', 'get team-a/job-1']);
    await stop();
  });

  it('asks for the pod itself when the API server calls its token invalidated', async () => {
    const { ask, started, stop, asked, answerReviews, answerGets } = setUp();
    await started();
    answerReviews(() =>
      Promise.resolve({ authenticated: false, error: 'service account token has been invalidated' }),
    );
    answerGets(() => Promise.reject(new Error('no storage')));
    expect(await ask()).toMatchObject({ outcome: 'could-not-check', dependency: 'kubernetes-api' });
    expect(asked()).toEqual(['review for ours', 'get team-a/job-1']);
    await stop();
  });

  it('takes other issuers, and callers from anywhere, where the configuration says so', async () => {
    const { ask, started, stop } = setUp({ issuers: ['https://else'], checkSourceAddress: false });
    await started();
    const result = await ask({ iss: 'https://else' }, { sourceAddress: '10.0.0.8' });
    expect(result.outcome).toBe('authenticated');
    await stop();
  });

  it.each([
    ['for pods [jwt-audience] [operator-token-filter]', { aud: ['ours'] }, 'jwt-audience-differs'],
    [
      'for both [jwt-single-audience] [operator-token-filter]',
      { aud: ['operators', 'ours'] },
      'jwt-several-audiences',
    ],
    [
      'for more than a day [jwt-lifetime] [operator-token-filter]',
      { exp: EXPIRES_IN_A_DAY + 1 },
      'jwt-lifetime-too-long',
    ],
    ['of another issuer [jwt-issuer] [operator-token-filter]', { iss: 'https://else' }, 'jwt-issuer-differs'],
  ])('asks nobody about an operator with a token %s', async (_name, claims, reason) => {
    const { askAsOperator, asked, started, stop } = setUp();
    await started();
    expect(await askAsOperator(claims)).toMatchObject({ outcome: 'not-authenticated', reason });
    expect(asked()).toEqual([]);
    await stop();
  });

  it('lets five operators with keys that nobody published go on, and one a second after that [operator-unproven-token-limit]', async () => {
    const { askAsOperator, clock, started, stop, asked } = setUp();
    await started();
    const askAll = async () => {
      for (let n = 0; n < 7; n += 1) await askAsOperator({}, stranger);
      return asked().filter((what) => what.startsWith('review')).length;
    };
    expect(await askAll()).toBe(5);
    await clock.advance(1_000);
    expect(await askAll()).toBe(1);
    await stop();
  });

  it('asks about operators behind the queue of the pods', async () => {
    const { ask, askAsOperator, started, stop, answerReviews, shown } = setUp();
    await started();
    const { promise, reject } = Promise.withResolvers<ServiceAccountTokenReview>();
    answerReviews(() => promise);
    const calls = Array.from({ length: 16 }, (_, n) => ask({ jti: `${n}` }));
    await until(async () => (await shown('queue_running{queue="token-review"'))[0]?.endsWith(' 16') === true);
    const operator = askAsOperator({});
    await until(async () => (await shown('queue_waiting{queue="token-review"'))[0]?.endsWith(' 1') === true);
    reject(new Error('down'));
    await Promise.all(calls);
    expect(await operator).toMatchObject({ outcome: 'could-not-check', dependency: 'kubernetes-api' });
    await stop();
  });

  it('asks about operators with their own audience and the right to list tokens', async () => {
    const { askAsOperator, asked, started, stop } = setUp();
    await started();
    const inADay = { exp: EXPIRES_IN_A_DAY, 'kubernetes.io': undefined };
    expect(await askAsOperator(inADay)).toEqual({
      outcome: 'authorized',
      operator: 'system:serviceaccount:team-a:trainer',
    });
    const { verb, resource, group } = LIST_TOKENS;
    expect(asked()).toEqual([
      'review for operators',
      `may system:serviceaccount:team-a:trainer ${verb} ${resource}.${group}`,
    ]);
    await stop();
  });

  it('is ready when the API server is, and has been ready once the pods are known', async () => {
    const { dependencies, start, stop, asked } = setUp();
    expect(dependencies.map(({ name, required }) => [name, required])).toEqual([
      ['kubernetes', 'always'],
      ['kubernetes/pods', 'until-first-success'],
    ]);
    asked();
    await dependencies[0]?.check(new AbortController().signal);
    expect(asked()).toEqual(['ready?']);
    const seen: string[] = [];
    const synced = (async () => {
      await dependencies[1]?.check(new AbortController().signal);
      seen.push('synced');
    })();
    await settle();
    expect(seen).toEqual([]);
    start();
    await synced;
    await stop();
  });

  it('says that the pods are not there once they were not heard of for too long', async () => {
    const { dependencies, started, stop, source, clock } = setUp();
    await started();
    source.failWith(new Error('down'));
    await clock.advance(HOUR_MS / 6);
    await expect(dependencies[1]?.check(new AbortController().signal)).rejects.toThrow('for too long');
    await stop();
  });

  it('reads nothing before it is started, and shows what it then knows', async () => {
    const { start, stop, asked, source, shown, clock } = setUp({ podSelector: 'kerbridge=yes' });
    await settle();
    expect(asked()).toEqual(['reflect kerbridge=yes']);
    expect(source.calls).toEqual([]);
    const gauges = async () => [
      ...(await shown('signing_keys ')),
      ...(await shown('pod_reflector_pods ')),
      ...(await shown('pod_reflector_synced ')),
      ...(await shown('pod_reflector_last_heard_timestamp_seconds ')),
    ];
    expect(await gauges()).toEqual([
      'kerbridge_signing_keys 0',
      'kerbridge_pod_reflector_pods 0',
      'kerbridge_pod_reflector_synced 0',
    ]);
    start();
    await until(async () => (await gauges()).includes('kerbridge_signing_keys 1'));
    expect(asked()).toEqual(['keys']);
    expect(await gauges()).toEqual([
      'kerbridge_signing_keys 1',
      'kerbridge_pod_reflector_pods 1',
      'kerbridge_pod_reflector_synced 1',
      `kerbridge_pod_reflector_last_heard_timestamp_seconds ${clock.now() / 1000}`,
    ]);
    await stop();
    expect(clock.sleeping).toBe(0);
  });

  it('reflects all pods unless a selector is configured', () => {
    expect(setUp().asked()).toEqual(['reflect all']);
  });
});
